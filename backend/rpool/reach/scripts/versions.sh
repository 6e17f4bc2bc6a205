# shellcheck shell=sh
# Which versions of kubeadm a server could have: facts `version`, installed or in $REPOSITORY, and
# `unread`, why apt cannot read the repository from here. One that lacks the file that is asked for
# (404) may still do: preparation will tell. Changes nothing.

main() {
    run_dir
    list=$(mktemp "$RUN_DIR/versions.XXXXXX")
    trap 'rm -f "$list"' EXIT
    if said=$(/usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=10 \
        -o Acquire::https::Timeout=10 download-file "${REPOSITORY}Packages" "$list" 2>&1); then
        awk '$1 == "Package:" { name = $2 }
            $1 == "Version:" && name == "kubeadm" { print "version\t" $2 }' "$list"
    else
        why=$(printf '%s\n' "$said" | sed -n 's/^  *//p' | head -n 1)
        case $why in 404\ *) ;; *) printf 'unread\t%s\n' "$why" ;; esac
    fi
    # shellcheck disable=SC2016 # dpkg's own variables
    dpkg-query --show --showformat 'version\t${Version}\n' kubeadm 2>/dev/null || true
}

# shellcheck shell=sh
# Which versions of kubeadm a server could have: one a line, installed or in $REPOSITORY. Prints
# nothing when the repository cannot be asked from here: preparation will say why. Changes nothing.

main() {
    run_dir
    list=$(mktemp "$RUN_DIR/versions.XXXXXX")
    trap 'rm -f "$list"' EXIT
    /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=10 \
        download-file "${REPOSITORY}Packages" "$list" >/dev/null 2>&1 || exit 0
    awk '$1 == "Package:" { name = $2 } $1 == "Version:" && name == "kubeadm" { print $2 }' "$list"
    # shellcheck disable=SC2016 # dpkg's own variables
    dpkg-query --show --showformat '${Version}\n' kubeadm 2>/dev/null || true
}

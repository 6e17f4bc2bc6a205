# shellcheck shell=sh
# containerd and runc from the distribution, Kubernetes in one exact version from its own
# repository, and the programs that kubeadm and the network of pods call.
# Parameters: VERSION (1.36.3), REPOSITORY (an address that ends in a slash), FINGERPRINT (of the key
# that signs what is there), PROGRAMS (packages), PATIENCE_SECONDS (how long to wait for others that use apt).
# The last line that it prints is JSON: what was found here, for the tasks that follow.

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C

SOURCE=/etc/apt/sources.list.d/rpool-kubernetes.sources
KEY=/etc/apt/keyrings/rpool-kubernetes.asc
UNITS=/usr/lib/systemd/system
HELD='kubeadm kubectl kubelet cri-tools kubernetes-cni'

uptime_seconds() { cut -d . -f 1 /proc/uptime; }

# patiently COMMAND...: apt's own waiting (DPkg::Lock::Timeout) does not cover all its locks, and
# unattended-upgrades or a first boot may be at work. Its output is in $output.
patiently() {
    end=$(($(uptime_seconds) + PATIENCE_SECONDS))
    until output=$("$@" 2>&1); do
        why='something else has been using apt'
        case $output in *'dpkg was interrupted'*) finish_interrupted ;; esac
        case $output in
            *'get lock'* | *'acquire the dpkg'* | *'lock the'* | *'is locked by another'* | \
                *'lock was locked by'* | *'dpkg was interrupted'*) ;;
            *) return 1 ;;
        esac
        if [ "$(uptime_seconds)" -ge "$end" ]; then
            printf '%s\n' "$output" >&2
            die "$why for $PATIENCE_SECONDS s"
        fi
        sleep 2
    done
}

# finish_interrupted: what dpkg left half done is done. A changed file stays as it is, and what asks
# gets no answer. Where this fails, $output says why.
finish_interrupted() {
    why='dpkg has been interrupted, again and again,'
    said=$(dpkg --configure -a --force-confdef --force-confold </dev/null 2>&1) || output=$said
}

# state PACKAGE: `ii 1.36.3-1.1` when it is there, `hi ...` when it is held as well.
state() {
    # shellcheck disable=SC2016  # dpkg's own variables
    dpkg-query --show --showformat '${db:Status-Abbrev} ${Version}\n' "$1" 2>/dev/null | tr -s ' '
}

# $missing: what must be installed. containerd may come from anywhere, as long as it is here.
find_missing() {
    missing=
    for package in $PROGRAMS cri-tools kubernetes-cni; do
        case $(state "$package") in ?i*) ;; *) missing="$missing $package" ;; esac
    done
    if ! command -v containerd >/dev/null; then missing="$missing containerd runc"; fi
    wrong=
    for package in kubeadm kubectl kubelet; do
        case $(state "$package") in ?i" $VERSION-"*) ;; *) wrong="$wrong $package" ;; esac
    done
}

add_repository() {
    # Two files that name one repository with different keys stop apt altogether. Only what apt
    # reads counts: no copies, no comments, and not what we were writing when we were cut off.
    if grep -rhF "$REPOSITORY" /etc/apt/sources.list /etc/apt/sources.list.d \
        --include='*.list' --include='*.sources' --exclude="${SOURCE##*/}" 2>/dev/null |
        grep -qv '^[[:space:]]*#'; then
        return 0
    fi
    fetched=$(mktemp)
    if ! output=$(/usr/lib/apt/apt-helper download-file "${REPOSITORY}Release.key" "$fetched" 2>&1); then
        printf '%s\n' "$output" >&2
        rm -f "$fetched"
        die "there is no Kubernetes package repository at $REPOSITORY (no Release.key)"
    fi
    check_key "$fetched"
    put "$KEY" "$(cat "$fetched")"
    rm -f "$fetched"
    put "$SOURCE" "# $MARK
Types: deb
URIs: $REPOSITORY
Suites: /
Signed-By: $KEY"
}

# check_key FILE: the key comes by the same way as the packages. FILE has that one key afterwards, as
# gpg writes it: apt reads more into a text than gpg does, and would trust what gpg has not seen.
check_key() {
    if ! command -v gpg >/dev/null; then
        update
        patiently apt-get -qy install --no-remove --no-install-recommends gpg || {
            printf '%s\n' "$output" | tail -n 20 >&2
            die "gpg is needed to check the key of $REPOSITORY, and apt cannot install it"
        }
    fi
    home=$(mktemp -d)
    set -- "$1" gpg --homedir "$home" --batch --quiet --no-autostart
    fetched_key=$1
    shift
    "$@" --import "$fetched_key" 2>/dev/null || true
    found=$("$@" --with-colons --list-keys 2>/dev/null | awk -F : '
        $1 == "pub" { primary = 1 }
        $1 == "fpr" && primary { printf "%s%s", (n++ ? " " : ""), $10; primary = 0 }')
    if [ "$found" = "$FINGERPRINT" ]; then
        "$@" --armor --export "$FINGERPRINT" >"$fetched_key"
        rm -rf "$home"
    else
        rm -rf "$home" "$fetched_key"
        refuse "the key at ${REPOSITORY}Release.key is not the expected one:" \
            "it is ${found:-no key}, and $FINGERPRINT is trusted (mirrors.packages_key)"
    fi
}

# Another repository's trouble must not stop us: what counts is whether the packages are known.
update() {
    patiently apt-get -q update || true
    update_output=$output
}

# exact PACKAGE: PACKAGE=VERSION-REVISION, or an error that says what there is instead.
exact() {
    known=$(apt-cache madison "$1" | awk '{ print $3 }')
    found=$(printf '%s\n' "$known" | awk -v wanted="$VERSION-" 'index($0, wanted) == 1' | head -n 1)
    if [ -z "$found" ]; then
        printf '%s\n' "$update_output" | tail -n 20 >&2
        die "$1 $VERSION is not to be had from $REPOSITORY;" \
            "it has: $(printf '%s' "${known:-none}" | tr '\n' ' ')"
    fi
    printf '%s=%s\n' "$1" "$found"
}

# Kubernetes 1.37 asks its runtime for what only containerd 2 has: before anything is installed.
check_containerd() {
    minor=${VERSION#*.}
    if [ "${minor%%.*}" -lt 37 ]; then return 0; fi
    if command -v containerd >/dev/null; then
        found=$(containerd --version | awk '{ print $3 }')
    else
        found=$(apt-cache policy containerd | awk '$1 == "Candidate:" { print $2 }')
    fi
    case $found in
        1.* | v1.*)
            refuse "Kubernetes $VERSION needs containerd 2, and containerd $found is there or would be" \
                "installed: install 2 from backports, or as containerd.io from Docker's repository"
            ;;
    esac
}

install() {
    add_repository
    update
    check_containerd
    packages=$missing
    for package in $wrong; do packages="$packages $(exact "$package")"; done
    # shellcheck disable=SC2086  # packages, one a word
    if ! patiently apt-get -qy install --no-remove --no-install-recommends \
        --allow-change-held-packages --allow-downgrades \
        -o DPkg::Lock::Timeout="$PATIENCE_SECONDS" -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold $packages; then
        refuse_removals
        printf '%s\n' "$update_output" "$output" | tail -n 40 >&2
        die "apt cannot install$packages"
    fi
    printf 'changed packages%s\n' "$missing$wrong"
}

# What is on a server already is its owner's, and no reset would bring it back.
refuse_removals() {
    case $output in *'remove is disabled'*) ;; *) return 0 ;; esac
    # The list below its heading is set in by two spaces; a package to purge has a star.
    removed=$(printf '%s\n' "$output" | awk '
        /REMOVED:$/ { listed = 1; next }
        !/^  / { listed = 0 }
        listed { for (i = 1; i <= NF; i++) { sub(/[*]$/, "", $i); all = all ", " $i } }
        END { print substr(all, 3) }')
    refuse "apt would remove $removed to install${packages}, so nothing was installed:" \
        "remove that yourself if nothing here needs it"
}

# An upgrade of the system must not change the version of a cluster.
hold() {
    loose=
    for package in $HELD; do
        case $(state "$package") in h*) ;; *) loose="$loose $package" ;; esac
    done
    if [ -z "$loose" ]; then return 0; fi
    mkdir -p "$PREPARED"
    for package in $loose; do
        if ! grep -qsx "$package" "$PREPARED/held"; then printf '%s\n' "$package" >>"$PREPARED/held"; fi
    done
    sync "$PREPARED/held" "$PREPARED"
    # shellcheck disable=SC2086
    patiently apt-mark hold $loose || die "cannot hold$loose: $output"
}

# The CIS benchmark wants the kubelet's unit for root alone (4.1.1); all that it does is to have systemd
# say that it does nothing. A package that is installed again brings its own mode, so each time.
close_units() {
    for unit in kubelet.service kubelet.service.d/10-kubeadm.conf; do
        if [ -f "$UNITS/$unit" ]; then chmod 600 "$UNITS/$unit"; fi
    done
}

# A server in a container may lack what an OOM score below its own takes (bit 24 of PID 1's set).
lacks_sys_resource() {
    bounding=$(awk '$1 == "CapBnd:" { print $2 }' /proc/1/status)
    [ $((0x$bounding >> 24 & 1)) -eq 0 ]
}

tell_found() {
    containerd=$(containerd --version | awk '{ print $3 }')
    images=$(kubeadm config images list --kubernetes-version "v$VERSION" 2>/dev/null)
    if lacks_sys_resource; then restricted=true; else restricted=false; fi
    printf '{"containerd": "%s", "images": "%s", "restricted": %s}\n' \
        "${containerd#v}" "$(printf '%s' "$images" | tr '\n' ' ')" "$restricted"
}

find_missing
if [ -n "$missing$wrong" ]; then install; fi
hold
close_units
tell_found

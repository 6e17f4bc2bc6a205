# shellcheck shell=sh
# Looks at a server and prints one JSON object. Needs nothing that a bare Debian lacks, changes
# nothing, and takes no lock: it must answer while an action works here. fence.sh waits first.

# The lines of standard input as a JSON list of strings.
json_list() {
    tr -d '\000-\010\013-\037' | sed 's/\\/\\\\/g; s/"/\\"/g; s/\t/\\t/g' |
        awk 'BEGIN { printf "[" } { printf "%s\"%s\"", (NR > 1 ? "," : ""), $0 } END { printf "]" }'
}

# field NAME, a list on standard input
field() {
    printf ',\n"%s": ' "$1"
    json_list
}

content() { cat "$1" 2>/dev/null || true; }

addresses() { ip -o addr show | awk '$2 != "lo" { split($4, a, "/"); print a[1] }'; }

# Destinations alone: `default` and the kinds in front (unreachable, local ...) are left out.
routes() {
    ip -o -4 route show |
        awk '{ for (i = 1; i <= 2; i++) if ($i ~ /^[0-9.]+(\/[0-9]+)?$/) { print $i; next } }'
}

# Why nothing can be kept on the disk that has our marks, if that is so. The access alone does not
# tell: newer kernels leave what failed mounted for writing, and refuse that. A file system without
# a size of its own (ramfs, a tmpfs without a limit) has no free block, and is not full; one that
# makes inodes as it needs them (btrfs) has none free either.
unwritable() {
    place=$RPOOL_DIR
    if [ ! -d "$place" ]; then place=${RPOOL_DIR%/*}; fi
    case ,$(findmnt -n -o OPTIONS --target "$place" 2>/dev/null), in
        *,ro,* | *,emergency_ro,*) echo read-only ;;
        *) stat -f -c 'full, %f of %b
out of inodes, %d of %c' "$place" 2>/dev/null | sed -n 's/, 0 of [1-9].*//p' | head -n 1 ;;
    esac
}

# Of a control plane: the certificate that ends first, as seconds since 1970 and where it is. A
# kubelet renews its own.
certificates() {
    if [ ! -e "$KUBERNETES/pki/apiserver.crt" ]; then return 0; fi
    set --
    for file in "$KUBERNETES"/pki/*.crt "$KUBERNETES"/pki/etcd/*.crt "$KUBERNETES"/*.conf; do
        case $file in */kubelet.conf) ;; *) set -- "$@" "$file" ;; esac
    done
    ends "$@" | sort -n | head -n 1
}

# ends FILE...: when each ends, and where it is. All are read at once, for openssl takes its time to
# start; where one of them cannot be read, one by one.
ends() {
    found=$(for file; do certificate "$file"; done |
        openssl crl2pkcs7 -nocrl -certfile /dev/stdin 2>/dev/null |
        openssl pkcs7 -print_certs -noout -text 2>/dev/null |
        sed -n 's/^ *Not After *: *//p' | date -f - +%s) || found=
    if [ "$(printf '%s\n' "$found" | grep -c .)" -eq $# ]; then
        for end in $found; do
            printf '%s %s\n' "$end" "$1"
            shift
        done
    elif [ $# -gt 1 ]; then
        for file; do ends "$file"; done
    fi
}

# certificate FILE: the first one that is in it.
certificate() {
    case $1 in
        *.crt) sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p; /-END CERTIFICATE-/q' "$1" ;;
        *) sed -n 's/^ *client-certificate-data: //p' "$1" | base64 -d 2>/dev/null ;;
    esac
}

# done_here MARK
done_here() {
    if [ -e "$KUBERNETES/kubelet.conf" ]; then content "$1"; fi
}

main() { look; }

look() {
    printf '{"clock_seconds": %s' "$(date +%s.%N)"
    uname -n | field hostname
    content /etc/machine-id | field machine_id
    content /sys/class/dmi/id/product_uuid | tr '[:upper:]' '[:lower:]' | field product_uuid
    grep -c '^processor' /proc/cpuinfo | field cores
    awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo | field memory_mib
    if claim_there; then echo yes; fi | field claim_there
    content "$CLAIM" | field claim
    if mark_there; then
        content "$MARK"
        echo
    fi | field served
    tail -n 20 "$FAILURES" 2>/dev/null | field failures
    unwritable | field unwritable
    found=$(traces) # not in a pipe: how it ended counts
    if [ -n "$found" ]; then printf '%s\n' "$found"; fi | sort -u | field traces
    done_here "$JOINED" | field joined
    done_here "$KUBEADM_ENDED" | field kubeadm_ended
    certificates | field certificates
    addresses | field addresses
    routes | field routes
    printf ',\n"ended_seconds": %s}\n' "$(date +%s.%N)"
}

# shellcheck shell=sh
# What "no trace of kubeadm" and "verified clean" mean; both are this one function.
#
# `traces` prints one line for each thing that kubeadm, a kubelet or a pod network left on this
# server, and nothing on a clean one. Packages and images are no traces: they harm nobody. A look
# that fails is a trace of its own, `cannot ...`: what it would have found may well be there.
# Parameters: what all known CNIs leave (reach/cni), words and extended regular expressions.

# The names of chains that Kubernetes, CNI plugins and CNIs make have one of these before a dash.
CHAINS="KUBE|CNI${CNI_CHAINS:+|$CNI_CHAINS}"
# Those of IPVS, of the bridge plugin, and of CNIs.
INTERFACES="kube-ipvs0|cni0${CNI_INTERFACES:+|$CNI_INTERFACES}"

# unseen WHAT [OUTPUT]: the look that failed, and the end of what it said.
unseen() {
    why=$(printf '%s' "${2-}" | tail -n 1)
    printf 'cannot %s%s\n' "$1" "${why:+: $why}"
}

# any PATH...: prints those that exist.
any() {
    for path; do
        if [ -e "$path" ] || [ -L "$path" ]; then printf '%s\n' "$path"; fi
    done
}

# filled DIRECTORY...: prints what is in it, but for folders with nothing in them, which packages
# ship and disks have (lost+found). The search of each ends at the first file.
filled() {
    for directory; do
        if [ -d "$directory" ] && ! said=$(find "$directory" -maxdepth 1 2>&1 >/dev/null); then
            unseen "list $directory" "$said"
        fi
        for entry in "$directory"/* "$directory"/.[!.]* "$directory"/..?*; do
            if said=$(find "$entry" -xdev ! -type d -print -quit 2>&1); then
                if [ -n "$said" ]; then printf '%s\n' "$entry"; fi
            elif [ -e "$entry" ] || [ -L "$entry" ]; then # a name that nothing has, or is gone
                unseen "search $entry" "$said"
            fi
        done
    done
}

# Whatever a reset deletes, whoever put it there: so a server with an etcd of its own, or with an
# operator's file among those of kubeadm, is never taken and cannot lose it.
trace_files() {
    filled "$KUBERNETES" /var/lib/kubelet /var/lib/etcd
    # shellcheck disable=SC2086  # paths, one a word
    any /var/run/kubernetes /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist \
        /var/lib/cni/* $CNI_FOLDERS /var/log/pods/* /var/log/containers/* /var/log/kubernetes \
        "$KUBEADM_ENDED" "$JOINED" "$APPROVER" "$APPROVER_UNIT.service" "$APPROVER_UNIT.timer" \
        "$APPROVER_LINK"
    # An init container of a CNI puts its plugin here; a package's own is none of our business.
    for plugin in $CNI_PLUGINS; do
        plugin=/opt/cni/bin/$plugin
        if [ -e "$plugin" ] && ! dpkg -S "$plugin" >/dev/null 2>&1; then
            printf '%s\n' "$plugin"
        fi
    done
}

# Not from /sys, which in a container may show the host's.
trace_interfaces() {
    awk -F : -v ours="^($INTERFACES)\$" 'NR > 2 {
        gsub(/ /, "", $1)
        if ($1 ~ ours) print "interface " $1
    }' /proc/net/dev || unseen 'list network interfaces'
}

# A kubelet that has no configuration is restarted for ever by systemd, and is no trace: only one
# that serves counts, on its port 10250 (0x280A). What is not root's is no trace either: any user of
# the server could make it dirty for good by such a process. For a moment a trial (trial.pl) has the
# port, on behalf of whichever cluster may take the server: a kubelet has not, then.
trace_processes() {
    for table in /proc/net/tcp /proc/net/tcp6; do # without IPv6 there is no second
        if [ ! -e "$table" ] || trial_runs; then continue; fi
        awk '$2 ~ /:280A$/ && $4 == "0A" && $8 == 0 {
            print "process kubelet, or another, on port 10250"
            exit
        }' "$table" || unseen "read $table"
    done
    code=0
    shims=$(grep -lsx containerd-shim /proc/[0-9]*/comm) || code=$?
    # 1 is none, 2 a process that has ended meanwhile.
    if [ "$code" -gt 2 ]; then unseen 'list processes'; fi
    for comm in $shims; do
        if ! is_root_s "${comm%/comm}"; then continue; fi
        if grep -q 'k8s\.io' "${comm%comm}cmdline" 2>/dev/null; then
            printf 'process containerd-shim of Kubernetes\n'
            break
        fi
    done
}

trial_runs() {
    trials=$(grep -lsx rpool-trial /proc/[0-9]*/comm) || true
    for comm in $trials; do
        if is_root_s "${comm%/comm}"; then return 0; fi
    done
    return 1
}

# is_root_s FOLDER: whose a process is, not with whose rights it runs: those of a setuid program
# anybody may have, under any name.
is_root_s() { grep -q '^Uid:[[:space:]]*0[[:space:]]' "$1/status" 2>/dev/null; }

trace_mounts() {
    awk '$5 ~ "^/var/lib/kubelet/" || $5 ~ "^/run/netns/cni-" { print "mount " $5 }' \
        /proc/self/mountinfo || unseen 'list mounts'
}

# What a volume needs and a kubelet takes away again, if it is let: while one is here, somebody may
# still write to it. A session of the server's own (iSCSI) is begun with it, by its configuration.
trace_devices() {
    for device in /sys/class/block/rbd* /sys/class/block/nbd*/pid /sys/class/block/dm-*/dm/name; do
        if [ ! -e "$device" ]; then continue; fi
        name=${device#/sys/class/block/}
        name=${name%%/*}
        case $device in
            */pid) printf 'device %s\n' "$name" ;; # one that is connected
            */name)
                if ! volume=$(cat "$device"); then
                    unseen "read $device"
                    continue
                fi
                case $volume in *pvc-*) printf 'device %s, %s\n' "$name" "$volume" ;; esac
                ;;
            *[0-9]p[0-9]*) ;; # a partition
            *) printf 'device %s\n' "$name" ;;
        esac
    done
    for session in /sys/class/iscsi_session/session*; do
        if [ ! -e "$session" ]; then continue; fi
        if ! target=$(cat "$session/targetname"); then
            unseen "read $session"
        elif ! grep -rqsE '^node\.(conn\[0\]\.)?startup = (automatic|onboot)' \
            "/etc/iscsi/nodes/$target"; then
            printf 'session of iSCSI with %s\n' "$target"
        fi
    done
}

trace_firewall() {
    if ! command -v nft >/dev/null 2>&1; then
        : # a server without it has no chains of its kind
    elif chains=$(nft list chains 2>&1); then
        printf '%s\n' "$chains" | awk -v ours="^($CHAINS)-" '
            $1 == "table" { table = $2 " " $3; if ($3 == "kube-proxy") print "nft table " table }
            $1 == "chain" && $2 ~ ours { print "chain " $2 " in " table }' ||
            unseen 'read firewall chains'
    else
        case $chains in
            *'not supported'*) ;; # by this kernel: it has none
            *) unseen 'list firewall chains' "$chains" ;;
        esac
    fi
    # The old kind of iptables, only where the kernel has its tables loaded already.
    for family in ip ip6; do
        if [ -s "/proc/net/${family}_tables_names" ]; then trace_legacy "${family}tables-legacy"; fi
    done
}

# trace_legacy PROGRAM
trace_legacy() {
    if ! command -v "$1-save" >/dev/null 2>&1; then
        return 0
    elif chains=$("$1-save" 2>&1); then
        printf '%s\n' "$chains" |
            sed -nE "s/^:(($CHAINS)-[^ ]*) .*/chain \1 in $1/p"
    else
        unseen "list chains of $1" "$chains"
    fi
}

traces() {
    trace_files
    trace_interfaces
    trace_processes
    trace_mounts
    trace_devices
    trace_firewall
}

# shellcheck shell=sh
# Takes kubeadm's, the pod network's and our own things off this server, looks whether they are
# gone, and only then gives up the claim. Works at any stage of a half-made server, any number of
# times. What is not there because of the cluster is not touched: when the claim was taken the server
# had no trace of Kubernetes (claim.sh), so what `traces` names is the cluster's.

act() {
    secret_dir
    refuse_read_only
    if [ -z "$VIP" ]; then VIP=$(held_vip); fi # nobody knew it: what is left of a killed create
    forget_kubeconfig
    stop_kubelet
    reset_kubeadm
    remove_containers
    end_shims
    unmount
    remove_addresses
    remove_firewall
    remove_files
    remove_cgroups
    verify_packages
    undo_preparation
    remove_hidden_containers
    verify
    settle
    tell_news
    give_up_claim
}

# attempt COMMAND...: what fails here is seen by `verify`; its output is shown then.
attempt() { timeout 120 "$@" >>"$SECRETS/attempts" 2>&1 || true; }

# The kernel makes it so when the disk has errors.
refuse_read_only() {
    if touch "$CLAIM" 2>"$SECRETS/attempts"; then return 0; fi
    case $(cat "$SECRETS/attempts") in
        *[Rr]'ead-only'*)
            die 1 "the disk with $RPOOL_DIR is read-only here, so nothing can be removed from it:" \
                "see dmesg, repair it, reboot, and reset this server again;" \
                "or, where the disk is dead, take the server out and mark it lost"
            ;;
    esac
}

# An operator's copy of admin.conf, if it is of this cluster and of no other: it is worth nothing
# from now on or, where the cluster lives on, a key to it that the next cluster here must not find.
# What kubectl has cached beside it harms nobody who loses it.
forget_kubeconfig() {
    authority=$(authorities "$KUBERNETES/admin.conf")
    if [ -n "$authority" ] && [ "$(authorities /root/.kube/config)" = "$authority" ] &&
        [ "$(grep -c '^ *\(- \)\{0,1\}server:' /root/.kube/config)" = 1 ]; then
        rm -f /root/.kube/config
    fi
    rm -rf /root/.kube/cache
    rmdir /root/.kube 2>/dev/null || true
}

# authorities KUBECONFIG: of all clusters in it, one a line.
authorities() { sed -n 's/^.*certificate-authority-data: *//p' "$1" 2>/dev/null || true; }

stop_kubelet() {
    attempt systemctl stop rpool-images.service
    if [ -e "$APPROVER_UNIT.timer" ]; then
        attempt systemctl disable --now "${APPROVER_UNIT##*/}.timer"
        attempt systemctl stop "${APPROVER_UNIT##*/}.service"
        rm -f "$APPROVER_LINK" "$APPROVER_UNIT.timer" "$APPROVER_UNIT.service" "$APPROVER"
        attempt systemctl daemon-reload
    fi
    attempt systemctl disable --now kubelet.service
}

# Not by the API, which may be gone with the other servers: kubeadm would wait for it. And no
# member is taken out of etcd: it goes as a whole, or the server has left it already, by a step that
# minded the others' quorum (etcd-remove.sh), as kubeadm would not.
reset_kubeadm() {
    if command -v kubeadm >/dev/null 2>&1; then
        attempt kubeadm reset --force --kubeconfig=/nonexistent --skip-phases=remove-etcd-member
    fi
}

# kubeadm finds no containers where its own files are gone already.
remove_containers() {
    if [ -z "$(left_containers)" ]; then return 0; fi
    attempt sh -c 'crictl --timeout 60s pods --quiet | xargs -r crictl --timeout 60s rmp --force'
    for container in $(left_containers | sed -n 's/^container //p'); do
        attempt ctr --namespace k8s.io tasks kill --signal KILL --all "$container"
        attempt ctr --namespace k8s.io tasks delete --force "$container"
        attempt ctr --namespace k8s.io containers delete "$container"
    done
}

# Those of a containerd that did not run, since its configuration was broken, say: with the one that
# the server had before, it runs now, and lists them.
remove_hidden_containers() {
    if [ -z "$(left_containers)" ]; then return 0; fi
    remove_containers
    end_shims
}

# A container that was just being started when its kubelet was stopped may be in no list of
# containerd's, and its shim holds its processes and their control groups.
end_shims() {
    for comm in $(grep -lsx containerd-shim /proc/[0-9]*/comm || true); do
        process=${comm#/proc/}
        process=${process%/comm}
        if ! grep -qs 'k8s\.io' "/proc/$process/cmdline"; then continue; fi
        children=$(cat "/proc/$process/task/$process/children" 2>/dev/null || true)
        # shellcheck disable=SC2086  # process ids
        kill -s KILL $children "$process" 2>/dev/null || true
    done
}

# Deepest first. A volume that is still mounted is never deleted through (see remove_below). What
# a disk backs is never unmounted lazily: whoever uses it would go on writing, unseen, to what
# another node may have mounted by then. `verify` tells of it.
unmount() {
    trace_mounts | sed -n 's/^mount //p' | sort -r | while read -r point; do
        attempt umount "$(printf '%b' "$point")"
        if on_disk "$point"; then continue; fi
        point=$(printf '%b' "$point")
        if mountpoint -q "$point"; then attempt umount --lazy "$point"; fi
        case $point in /run/netns/*) attempt rm -f "$point" ;; esac
    done
}

# on_disk POINT, as mountinfo has it: it is mounted, from a block device, or it could not be looked
# at. What has no device of its own has number 0 (tmpfs, overlay, NFS), but so has btrfs.
on_disk() {
    awk -v point="$1" '
        $5 == point {
            for (i = 6; i < NF && $i != "-"; i++);
            if ($3 !~ /^0:/ || $(i + 2) ~ "^/dev/") found = 1
        }
        END { exit !found }' /proc/self/mountinfo || [ $? -gt 1 ]
}

remove_addresses() {
    vip_here | while read -r address dev interface; do
        attempt ip addr del "$address" "$dev" "$interface"
    done
    trace_interfaces | sed -n 's/^interface //p' | while read -r interface; do
        attempt ip link del "$interface"
    done
}

# Only chains with the names that Kubernetes, CNI plugins and CNIs give, and the jumps to them.
remove_firewall() {
    trace_firewall | while read -r kind what family table; do
        if [ "$kind $what" = 'nft table' ]; then attempt nft delete table "$family" "$table"; fi
    done
    remove_chains iptables
    remove_chains ip6tables
    for family in ip ip6; do # the old kind only where it is in use: asking would load it
        if [ -s "/proc/net/${family}_tables_names" ]; then remove_chains "${family}tables-legacy"; fi
    done
}

# remove_chains PROGRAM: in one transaction a table, first the jumps, then what is in the chains,
# then the chains.
remove_chains() {
    if ! command -v "$1-save" >/dev/null 2>&1; then return 0; fi
    "$1-save" 2>/dev/null | awk -v names="^($CHAINS)-" '
        function ours(name) { return name ~ names }
        # Where the rule goes; a comment, in quotes, may hold anything.
        function target(rule, words, count, i) {
            gsub(/"([^"\\]|\\.)*"/, "", rule)
            count = split(rule, words)
            for (i = 3; i < count; i++) if (words[i] == "-j" || words[i] == "-g") return words[i + 1]
        }
        /^\*/ { table = $0; jumps = chains = removals = "" }
        /^:/ && ours(substr($1, 2)) {
            chains = chains $1 " - [0:0]\n"
            removals = removals "-X " substr($1, 2) "\n"
        }
        $1 == "-A" && !ours($2) && ours(target($0)) { sub(/^-A/, "-D"); jumps = jumps $0 "\n" }
        /^COMMIT/ && chains != "" { printf "%s\n%s%s%sCOMMIT\n", table, chains, jumps, removals }
    ' >"$SECRETS/rules"
    if [ -s "$SECRETS/rules" ]; then attempt "$1-restore" --noflush "$SECRETS/rules"; fi
}

# remove_below DIRECTORY...: what is in it; the directory may be a mount point of its own. With a
# mount further down nothing is deleted, since that could be a user's data; verify will tell.
remove_below() {
    for directory; do
        if [ ! -d "$directory" ] || mounted_below "$directory"; then continue; fi
        attempt find "$directory" -xdev -mindepth 1 -delete
        rmdir "$directory" 2>/dev/null || true
    done
}

mounted_below() {
    awk -v start="$1/" 'index($5, start) == 1 { found = 1 } END { exit !found }' /proc/self/mountinfo
}

remove_files() {
    # shellcheck disable=SC2086  # paths, one a word
    remove_below "$KUBERNETES" /var/lib/kubelet /var/lib/etcd /var/lib/cni /var/run/kubernetes \
        $CNI_FOLDERS /var/log/pods /var/log/containers /var/log/kubernetes
    # Empty folders that a kubelet makes for volume plugins.
    attempt find /usr/libexec/kubernetes -depth -type d -empty -delete
    trace_files | grep '^/' | while read -r path; do
        if ! mountpoint -q "$path" && ! mounted_below "$path"; then attempt rm -rf "$path"; fi
    done
}

remove_cgroups() {
    if [ -d /sys/fs/cgroup/kubepods.slice ] || [ -d /sys/fs/cgroup/systemd/kubepods.slice ]; then
        attempt systemctl stop kubepods.slice
    fi
    for group in /sys/fs/cgroup/kubepods /sys/fs/cgroup/kubepods.slice /sys/fs/cgroup/*/kubepods; do
        if [ -d "$group" ]; then attempt find "$group" -depth -type d -exec rmdir {} +; fi
    done
}

# Before the sources of the packages go: they can still be installed again.
verify_packages() {
    found=$(altered_packages)
    if [ -z "$found" ]; then return 0; fi
    printf '%s\n' "$found"
    die "$ALTERED" "the next cluster here would run these"
}

# What was deleted or put back stays so after a power cut, also on other file systems than the
# claim's: there must be no traces without a claim. Not all file systems: a dead one would hang.
settle() {
    for place in /etc "$KUBERNETES" /etc/cni /opt/cni/bin /var/log /var/log/pods \
        /var/log/containers /var/lib /var/lib/kubelet /var/lib/etcd /var/lib/cni; do
        if [ -d "$place" ]; then sync -f "$place"; fi
    done
}

verify() {
    left=$(leftovers) # not in a pipe: how it ended counts
    if [ -z "$left" ]; then return 0; fi
    printf '%s\n' "$left" | sort -u
    tail -n 40 "$SECRETS/attempts" >&2
    case $left in
        *'mount /var/lib/kubelet/'* | *'device '* | *'session of iSCSI '*)
            say "volumes are still in use here: reboot it, which releases them, and reset it again"
            ;;
    esac
    die "$UNCLEAN" "this server is not clean"
}

# To the server's own log, too, since our answer may get lost. Where it cannot be given, we end here,
# and whoever resets again is told again.
tell_news() {
    news >"$SECRETS/told" || printf 'unknown: the comparison failed\n' >"$SECRETS/told"
    if [ ! -s "$SECRETS/told" ]; then return 0; fi
    head -n 200 "$SECRETS/told" | sed 's/^/since the claim: /' | logger -t rpool 2>/dev/null || true
    head -n 1000 "$SECRETS/told"
}

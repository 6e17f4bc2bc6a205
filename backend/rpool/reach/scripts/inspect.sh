# shellcheck shell=sh
# Looks whether a server can do what it is to do in a cluster, before it is claimed: prints facts, of
# which rpool.decide.inspection makes findings. Changes nothing, and leaves nothing behind.
# Parameters: JOINS (the role that it is to have; empty: it is a member, and only takes part in the
# trial), ADDRESS (the fleet's), ASK_APT (yes: which containerd could be installed matters), MODULES,
# and the arguments of trial.pl.

fact() { printf '%s\t%s\n' "$1" "$2"; }

main() {
    need ip awk df
    interface=$(interface_of "$ADDRESS")
    fact interface "$interface"
    mtu=$(word_after mtu)
    fact mtu "${mtu:=1500}"
    fact mac "$(word_after link/ether)"
    if command -v perl >/dev/null 2>&1; then
        # In one call of perl, and at once: others wait for it.
        perl -e "$TRIAL_TEXT" "$TRIAL_SECONDS" "$TRIAL_WORD" "$NODE_NAME" "$mtu" \
            "$LISTEN" "$GUESTS" "$VISITS" &
        trial=$!
    else
        trial=
    fi
    if [ -n "$JOINS" ]; then look; fi
    if [ -n "$trial" ]; then wait "$trial"; fi
}

# word_after KEY: of what `ip` tells of the server's interface.
word_after() {
    if [ -z "$interface" ]; then return 0; fi
    ip -o link show dev "$interface" |
        awk -v key="$1" '{ for (i = 1; i < NF; i++) if ($i == key) { print $(i + 1); exit } }'
}

look() {
    look_at_system
    look_at_disks
    look_at_memory
    look_at_firewalls
    awk '$1 == "nameserver" { print "resolver\t" $2 }' /etc/resolv.conf 2>/dev/null || true
    # A container has its host's clock.
    if ! systemd-detect-virt --quiet --container 2>/dev/null; then
        fact synchronized "$(timedatectl show --property=NTPSynchronized --value 2>/dev/null)"
    fi
    look_at_containerd
}

look_at_system() {
    (
        ID='' ID_LIKE='' PRETTY_NAME=''
        # shellcheck source=/dev/null
        if [ -r /etc/os-release ]; then . /etc/os-release; fi
        fact system "$ID $ID_LIKE"
        fact system_name "${PRETTY_NAME:-an unknown system}"
    )
    if [ -d /run/systemd/system ]; then fact systemd yes; fi
    fact cgroups "$(stat -f -c %T /sys/fs/cgroup 2>/dev/null)"
    # Without modprobe, preparation installs it, and tells.
    if command -v modprobe >/dev/null 2>&1; then
        for module in $MODULES; do
            if ! grep -qs "^$module " /proc/modules && ! modprobe --dry-run --quiet "$module"; then
                fact no_module "$module"
            fi
        done
    fi
    fact kernel "$(uname -r)"
}

# Each folder with what is free where it is, or would be.
look_at_disks() {
    folders='/var/lib/kubelet /var/lib/containerd'
    if [ "$JOINS" = control_plane ]; then folders="/var/lib/etcd $folders"; fi
    for folder in $folders; do
        place=$folder
        until [ -d "$place" ]; do place=$(dirname "$place"); done
        if [ -w "$place" ]; then writable=yes; else writable=no; fi
        blocks=$(df -Pk "$place" | awk 'NR == 2 { print $4 " " $6 }')
        inodes=$(df -Pi "$place" | awk 'NR == 2 { print $2 " " $4 }')
        printf 'folder\t%s\t%s %s %s\n' "$folder" "$writable" "$inodes" "$blocks"
        if [ "$folder" = /var/lib/etcd ] && [ "$writable" = yes ]; then time_writes "$place"; fi
    done
}

# time_writes FOLDER: as etcd writes its log, each write waits for the disk.
time_writes() {
    rm -f "$1"/.rpool-written.*
    file=$(mktemp "$1/.rpool-written.XXXXXX" 2>/dev/null) || return 0
    trap 'rm -f "$file"' EXIT
    trap 'exit 143' HUP INT TERM
    LC_ALL=C timeout 5 dd if=/dev/zero of="$file" bs=2300 count=10 oflag=dsync 2>&1 |
        awk -F, '/copied/ { for (i = 1; i <= NF; i++) if ($i ~ / s$/) print "write_ms\t" $i * 100 }'
    rm -f "$file"
}

look_at_memory() {
    awk 'NR > 1 { used += $4 } END { print "swap_mib\t" int(used / 1024) }' /proc/swaps
    awk '$1 == "MemAvailable:" { print "available_mib\t" int($2 / 1024) }' /proc/meminfo
}

look_at_firewalls() {
    if grep -qi '^ENABLED=yes' /etc/ufw/ufw.conf 2>/dev/null; then fact firewall ufw; fi
    if systemctl --quiet is-active firewalld 2>/dev/null; then fact firewall firewalld; fi
    if command -v nft >/dev/null 2>&1; then
        nft list ruleset 2>/dev/null | awk '$1 == "table" { table = $2 " " $3 }
            /hook input/ && /policy drop/ { print "firewall\tnft table " table }'
    fi
}

look_at_containerd() {
    if command -v containerd >/dev/null 2>&1; then
        fact containerd "$(containerd --version 2>/dev/null | awk '{ print $3 }')"
    elif [ "$ASK_APT" = yes ]; then
        fact containerd_to_come "$(LC_ALL=C apt-cache policy containerd 2>/dev/null |
            awk '$1 == "Candidate:" { print $2 }')"
    fi
}

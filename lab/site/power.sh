#!/bin/sh
# Runs one server from the moment its power comes on until it goes off. The lab starts it with:
#   SWITCH     namespace with the bridge      PORT     the server's port on it
#   NAMESPACE  the server's own namespace     CUT_MARK exists while its cable is pulled
#   ADDRESS NETWORK_BITS GATEWAY MAC          its network card
#   GROUPS_    its control groups, one folder in each hierarchy, separated by colons
#   LAYERS     lower layers of its disk       DISK     folder with all that it writes
#   NAME       its host name                  MACHINE  its machine id
set -eu

here=$(dirname "$0")
REBOOTED=133 # what systemd-nspawn ends with after `systemctl reboot`

plug_in() {
    # a new namespace at each boot: a network card forgets its addresses
    ip netns delete "$NAMESPACE" 2> /dev/null || :
    ip -n "$SWITCH" link delete "$PORT" 2> /dev/null || :
    ip netns add "$NAMESPACE"
    ip -n "$SWITCH" link add "$PORT" type veth peer name eno1 netns "$NAMESPACE"
    ip -n "$SWITCH" link set "$PORT" master br0
    [ -e "$CUT_MARK" ] || ip -n "$SWITCH" link set "$PORT" up
    ip -n "$NAMESPACE" link set lo up
    ip -n "$NAMESPACE" link set eno1 address "$MAC"
    ip -n "$NAMESPACE" address add "$ADDRESS/$NETWORK_BITS" dev eno1
    ip -n "$NAMESPACE" link set eno1 up
    ip -n "$NAMESPACE" route add default via "$GATEWAY"
}

each_group() {
    echo "$GROUPS_" | tr : '\n'
}

clear_groups() {
    each_group | while read -r group; do
        [ -d "$group" ] || mkdir -p "$group"
        find "$group" -mindepth 1 -depth -type d -exec rmdir {} \; 2> /dev/null || :
    done
}

boot() {
    (
        for group in $(each_group); do
            echo 0 > "$group/cgroup.procs"
        done
        exec unshare --mount --propagation private sh "$here/boot.sh"
    )
}

while :; do
    plug_in
    clear_groups
    status=0
    boot || status=$?
    [ "$status" -eq "$REBOOTED" ] || exit "$status"
done

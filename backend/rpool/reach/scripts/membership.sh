# shellcheck shell=sh
# What init and join have in common: finished work is left alone, half of it is undone first.

# finished: kubeadm and what comes after it were done here, in this role.
finished() {
    if [ ! -e "$JOINED" ]; then return 1; fi
    if [ "$(cat "$JOINED")" != "$ROLE" ]; then
        die 1 "this server is in its cluster already, as $(cat "$JOINED")"
    fi
}

# undo_unfinished OPTION...: of kubeadm reset. kubeadm leaves the virtual IP on the interface, and
# the next attempt would talk to itself there.
undo_unfinished() {
    if [ -z "$(traces)" ]; then return 0; fi
    say "an earlier attempt was cut off here: undoing it"
    quietly kubeadm reset --force "$@"
    rm -rf /etc/cni/net.d/10-flannel.conflist "$VIP_KUBECONFIG"
    drop_vip
}

drop_vip() {
    if [ -z "$VIP" ]; then return 0; fi
    interface=$(interface_of "$VIP")
    if [ -n "$interface" ]; then ip addr del "$VIP/32" dev "$interface"; fi
}

# vip_speaks_with NAME.conf: kube-vip reads it through a link, so that changing from super-admin.conf
# (before kubeadm has given admin.conf its rights, kube-vip#684) needs no restart and no gap.
vip_speaks_with() {
    if [ -z "$VIP" ]; then return 0; fi
    mkdir -p "$KUBERNETES"
    ln -sfn "$1" "$VIP_KUBECONFIG.new"
    mv -fT "$VIP_KUBECONFIG.new" "$VIP_KUBECONFIG"
}

# The kubelet ignores names with a dot in front, so it never reads half a manifest.
start_vip() {
    if [ -z "$VIP" ]; then return 0; fi
    interface=$(interface_of "$NODE_ADDRESS")
    if [ -z "$interface" ]; then die 1 "no interface here has the address $NODE_ADDRESS"; fi
    mkdir -p "${VIP_MANIFEST%/*}"
    printf '%s\n' "$VIP_POD" | sed "s|@INTERFACE@|$interface|" >"${VIP_MANIFEST%/*}/.kube-vip.yaml"
    mv -f "${VIP_MANIFEST%/*}/.kube-vip.yaml" "$VIP_MANIFEST"
}

mark_finished() {
    new=$(mktemp "$RPOOL_DIR/.new.XXXXXX")
    write_file "$new" "$ROLE"
    replace_durably "$JOINED" "$new"
}

# shellcheck shell=sh
# What init and join have in common: finished work is left alone, half of it is undone first, and a
# member of the cluster is never undone.

# finished: kubeadm and what comes after it were done here, in this role.
finished() { done_here "$JOINED"; }

# kubeadm_ended: what comes after kubeadm may be missing, and is done again; kubeadm's own work is a
# member of the cluster by now, and is never undone here.
kubeadm_ended() { done_here "$KUBEADM_ENDED"; }

# done_here MARK: it is there, and names this role.
done_here() {
    if [ ! -e "$KUBERNETES/kubelet.conf" ]; then return 1; fi # somebody has reset it by hand
    if [ ! -e "$1" ]; then return 1; fi
    if [ "$(cat "$1")" != "$ROLE" ]; then
        die 1 "this server is in its cluster already, as $(cat "$1")"
    fi
}

# What an attempt that was cut off has left. No member is taken out of etcd: kubeadm would not mind
# the others' quorum, and only warns when it fails. Who plans this has done it (etcd-remove.sh), so
# the data that the member had here is worth nothing. kubeadm leaves it, and the virtual IP on the
# interface, where the next attempt would talk to itself.
undo_unfinished() {
    refuse_member
    found=$(traces)
    # What could not be looked at was not begun by that.
    if ! printf '%s\n' "$found" | grep -v '^cannot ' | grep -q .; then return 0; fi
    say "an earlier attempt was cut off here: undoing it"
    quietly kubeadm reset --force --kubeconfig=/nonexistent --skip-phases=remove-etcd-member
    if [ -d /var/lib/etcd ]; then quietly find /var/lib/etcd -xdev -mindepth 1 -delete; fi
    # shellcheck disable=SC2086  # paths, one a word
    rm -rf $CNI_CONFIGURATION "$VIP_KUBECONFIG"
    drop_vip
}

# A member has finished by definition. If its mark is gone (an old backup, a repaired file system),
# its cluster may still count on it.
refuse_member() {
    phase=$(claim_value phase)
    if [ "$phase" = bootstrapping ]; then return 0; fi
    die "$WAS_MEMBER" "Its claim says $phase, but $JOINED is not there. Its role is $ROLE."
}

# kubeadm makes etcd's folder for root alone, but leaves one that is there, such as a disk's, as it is.
close_etcd_folder() {
    if [ "$ROLE" = control_plane ] && [ -d /var/lib/etcd ]; then chmod 700 /var/lib/etcd; fi
}

# The API server does not start without it.
put_audit_policy() {
    if [ -z "$AUDIT_POLICY" ]; then return 0; fi
    mkdir -p "$KUBERNETES"
    write_file "$KUBERNETES/audit-policy.yaml" "$AUDIT_POLICY"
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

mark_kubeadm_ended() { mark "$KUBEADM_ENDED"; }

mark_finished() { mark "$JOINED"; }

mark() {
    new=$(mktemp "$RPOOL_DIR/.new.XXXXXX")
    write_file "$new" "$ROLE"
    replace_durably "$1" "$new"
}

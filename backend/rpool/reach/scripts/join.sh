# shellcheck shell=sh
# Makes this server a node of its cluster; kube-vip comes after the join, since before it there is
# no CA that would give it a certificate.

act() {
    need kubeadm ip
    secret_dir # first: the secrets of an attempt that was cut off go
    if finished; then return 0; fi
    if ! kubeadm_ended; then
        undo_unfinished
        write_file "$SECRETS/kubeadm.yaml" "$KUBEADM_CONFIG"
        if [ "$ROLE" = control_plane ]; then
            close_etcd_folder
            put_api_server_files "$ENCRYPTION"
        fi
        quietly kubeadm join --config="$SECRETS/kubeadm.yaml"
        mark_kubeadm_ended
    fi
    forget_labels
    if [ "$ROLE" = control_plane ]; then
        vip_kubeconfig
        start_vip
        put_approver
    fi
    mark_finished
}

# The labels are for the first moment of the Node, and its zone for good: where it is registered anew,
# it may be to have others, and the API gives it those.
forget_labels() {
    flags=/var/lib/kubelet/kubeadm-flags.env
    if [ -e "$flags" ]; then
        sed -i "s#--node-labels=[^ \"]*#--node-labels=$LASTING_LABELS#" "$flags"
    fi
}

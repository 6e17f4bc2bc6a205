# shellcheck shell=sh
# Makes this server a node of its cluster; kube-vip comes after the join, since before it
# there is no admin.conf to speak with.

act() {
    need kubeadm ip
    if finished; then return 0; fi
    secret_dir
    if ! kubeadm_ended; then
        undo_unfinished
        write_file "$SECRETS/kubeadm.yaml" "$KUBEADM_CONFIG"
        close_etcd_folder
        put_audit_policy
        quietly kubeadm join --config="$SECRETS/kubeadm.yaml"
        mark_kubeadm_ended
    fi
    if [ "$ROLE" = control_plane ]; then
        vip_speaks_with admin.conf
        start_vip
    fi
    mark_finished
}

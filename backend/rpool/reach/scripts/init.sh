# shellcheck shell=sh
# Makes this server the first control plane of its cluster.

act() {
    need kubeadm kubectl ip
    if finished; then return 0; fi
    secret_dir
    undo_unfinished --skip-phases=remove-etcd-member # it is alone: there is nobody to tell
    write_file "$SECRETS/kubeadm.yaml" "$KUBEADM_CONFIG"
    vip_speaks_with super-admin.conf
    start_vip
    quietly kubeadm init --config="$SECRETS/kubeadm.yaml" --upload-certs
    vip_speaks_with admin.conf
    mark_finished
}

# shellcheck shell=sh
# Makes this server the first control plane of its cluster.

act() {
    need kubeadm kubectl ip
    if finished; then return 0; fi
    secret_dir
    if ! kubeadm_ended; then
        undo_unfinished
        write_file "$SECRETS/kubeadm.yaml" "$KUBEADM_CONFIG"
        close_etcd_folder
        put_audit_policy
        vip_speaks_with super-admin.conf
        start_vip
        # Only other control planes need the certificates.
        set -- --config="$SECRETS/kubeadm.yaml"
        if [ "$CERTIFICATES" = yes ]; then set -- "$@" --upload-certs; fi
        quietly kubeadm init "$@"
        mark_kubeadm_ended
    fi
    vip_speaks_with admin.conf
    # It is beyond all rights that the cluster gives, for a year. `kubeadm init phase kubeconfig
    # super-admin` makes it again, on a server with the CA's key.
    rm -f "$KUBERNETES/super-admin.conf"
    mark_finished
}

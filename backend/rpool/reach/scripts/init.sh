# shellcheck shell=sh
# Makes this server the first control plane of its cluster.

act() {
    need kubeadm kubectl ip curl
    secret_dir # first: the secrets of an attempt that was cut off go
    if finished; then return 0; fi
    if ! kubeadm_ended; then
        undo_unfinished
        write_file "$SECRETS/kubeadm.yaml" "$KUBEADM_CONFIG"
        close_etcd_folder
        put_api_server_files "$(new_encryption)"
        quietly kubeadm init phase certs ca --config="$SECRETS/kubeadm.yaml"
        vip_kubeconfig
        start_vip
        # Only other control planes need the certificates.
        set -- --config="$SECRETS/kubeadm.yaml"
        if [ "$CERTIFICATES" = yes ]; then set -- "$@" --upload-certs; fi
        let_vip_in 8>&- 9>&- & # it holds no lock of ours
        granting=$!
        code=0
        quietly kubeadm init "$@" || code=$?
        kill "$granting" 2>/dev/null || true # it has ended, or there is nobody to ask
        if [ "$code" != 0 ]; then
            why_api_ended
            return "$code"
        fi
        mark_kubeadm_ended
    fi
    put_approver
    # It is beyond all rights that the cluster gives, for a year. `kubeadm init phase kubeconfig
    # super-admin` makes it again, on a server with the CA's key.
    rm -f "$KUBERNETES/super-admin.conf"
    mark_finished
}

# Secrets are encrypted in etcd, by a key that no other cluster has, and that never leaves its
# control planes but for those that join (encryption.sh).
new_encryption() {
    key=$(head -c 32 /dev/urandom | base64 -w 0)
    printf '%s' '{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",' \
        ' "resources": [{"resources": ["secrets"], "providers": [{"secretbox":' \
        " {\"keys\": [{\"name\": \"first\", \"secret\": \"$key\"}]}}, {\"identity\": {}}]}]}"
}

# kubeadm waits for the virtual IP, which waits for rights to its lease, which the API has to give.
let_vip_in() {
    if [ -z "$VIP" ]; then return 0; fi
    write_file "$SECRETS/rights.json" "$VIP_RIGHTS"
    until curl --silent --noproxy '*' --fail --insecure --max-time 5 --output "$SECRETS/readyz" \
        "https://$NODE_HOST:6443/readyz" &&
        kubectl --kubeconfig="$KUBERNETES/super-admin.conf" --server="https://$NODE_HOST:6443" \
            --cache-dir="$RUN_DIR/kubectl" --request-timeout=30s apply --server-side \
            --validate=false --field-manager=rpool -f "$SECRETS/rights.json" \
            >"$SECRETS/granted" 2>&1; do
        kill -0 $$ 2>/dev/null || return 0 # who waited for this is gone
        sleep 0.3
    done
}

# A flag that this version does not know, say, is in no answer of kubeadm's.
why_api_ended() {
    container=$(static_pod ps kube-apiserver --all --latest 2>/dev/null) || return 0
    if [ -n "$container" ]; then crictl --timeout 30s logs --tail 3 "$container" >&2 || true; fi
}

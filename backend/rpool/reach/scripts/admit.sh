# shellcheck shell=sh
# Lets servers join for some minutes: a token, and the certificates encrypted in the cluster where
# control planes join. The token is written as the Secret that it is, so that doing it again renews it.

act() {
    need kubeadm kubectl
    secret_dir
    if [ "$CERTIFICATES" = yes ]; then upload_certificates; fi
    expires=$(date -u -d "+$TOKEN_MINUTES minutes" +%Y-%m-%dT%H:%M:%SZ)
    printf '%s\n' "$TOKEN_SECRET" | sed "s|@EXPIRES@|$expires|" >"$SECRETS/token.yaml"
    quietly on_cluster apply --server-side --force-conflicts --field-manager=rpool \
        -f "$SECRETS/token.yaml"
}

upload_certificates() {
    printf '%s\n' "$KUBEADM_CONFIG" |
        sed "s|@VERSION@|$(kubeadm version -o short)|" >"$SECRETS/kubeadm.yaml"
    quietly kubeadm init phase upload-certs --upload-certs --config="$SECRETS/kubeadm.yaml"
}

# shellcheck shell=sh
# Installs flannel with the pool's pod CIDR in place of the one that its manifest comes with.

act() {
    need kubectl
    secret_dir
    fetch "$SECRETS/upstream.yaml"
    sed "s|\"Network\": *\"[^\"]*\"|\"Network\": \"$POD_CIDR\"|" "$SECRETS/upstream.yaml" \
        >"$SECRETS/flannel.yaml"
    grep -qF "\"Network\": \"$POD_CIDR\"" "$SECRETS/flannel.yaml"
    apply_fetched "$SECRETS/flannel.yaml"
}

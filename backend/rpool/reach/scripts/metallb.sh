# shellcheck shell=sh
# Installs MetalLB as upstream publishes it.

act() {
    need kubectl
    secret_dir
    fetch "$SECRETS/metallb.yaml"
    apply_fetched "$SECRETS/metallb.yaml"
}

# shellcheck shell=sh
# Installs a CNI with the cluster's pod CIDR in place of the one that its manifest comes with. Where
# that goes, the CNI's own file knows: `set_pod_cidr` (reach/cni), and `set_api`, by which it reaches
# the API before kube-proxy does its part; `set_interface`, by which servers reach each other.

act() {
    need kubectl
    secret_dir
    fetch "$SECRETS/network.yaml"
    set_pod_cidr "$SECRETS/network.yaml"
    set_api "$SECRETS/network.yaml"
    set_interface "$SECRETS/network.yaml"
    apply_fetched "$SECRETS/network.yaml"
}

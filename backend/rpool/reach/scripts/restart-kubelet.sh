# shellcheck shell=sh
# A kubelet registers its Node when it starts, and never again.

act() {
    need systemctl
    secret_dir
    quietly systemctl restart kubelet.service
}

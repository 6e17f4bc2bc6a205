# shellcheck shell=sh
# Starts what a Node lives by anew, and waits until it is Ready, as its own kubelet may ask.

act() {
    need systemctl kubectl
    run_dir
    secret_dir
    quietly systemctl restart containerd.service
    quietly systemctl restart kubelet.service
    keep_trying is_ready
}

is_ready() {
    ready=$(kubectl --kubeconfig="$KUBERNETES/kubelet.conf" --cache-dir="$RUN_DIR/kubectl" \
        --request-timeout=10s get node "$NODE_NAME" \
        -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}')
    case $ready in
        True\ *) : ;;
        *)
            say "restarted, but its Node is not Ready: $ready"
            return 1
            ;;
    esac
}

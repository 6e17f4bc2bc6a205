# shellcheck shell=sh
# Waits until the named nodes are there and Ready, and their kubelets serve with a certificate of
# the cluster. It needs no guard: it lets members have what is theirs (approve.sh), and no more.

main() {
    need kubectl openssl curl
    run_dir
    secret_dir
    end=$(($(uptime_seconds) + TIMEOUT_SECONDS - 5))
    until last=$(ready 2>&1); do
        if [ "$(uptime_seconds)" -ge "$end" ]; then
            say "$last"
            for node in $NODES; do say "$(reason "${node%%=*}" 2>&1)"; done
            exit 124
        fi
        sleep 0.5
    done
}

# reason NODE: what its kubelet told the API last, also of its container runtime and network.
reason() {
    on_cluster get node "$1" --request-timeout=2s -o \
        'jsonpath={.metadata.name}: Ready is {.status.conditions[?(@.type=="Ready")].status}: {.status.conditions[?(@.type=="Ready")].message}' || true
}

ready() {
    approve_kubelets || true # who asks and gets nothing does not serve, either
    for node in $NODES; do
        on_cluster wait --for=condition=Ready --timeout=5s "node/${node%%=*}" || return 1
        if ! serves "$node"; then
            say "the kubelet of ${node%%=*} has no certificate of the cluster: see kubectl get csr"
            return 1
        fi
    done
}

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
            exit 124
        fi
        sleep 0.5
    done
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

# shellcheck shell=sh
# Waits until the named nodes are there and Ready. Changes nothing, so it needs no guard.

main() {
    need kubectl
    run_dir
    end=$(($(uptime_seconds) + TIMEOUT_SECONDS - 5))
    # shellcheck disable=SC2086  # names, one a word
    until last=$(on_cluster wait --for=condition=Ready --timeout=20s $NODES 2>&1); do
        if [ "$(uptime_seconds)" -ge "$end" ]; then
            say "$last"
            exit 124
        fi
        sleep 0.5
    done
}

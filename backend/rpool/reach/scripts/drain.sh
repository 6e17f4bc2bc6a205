# shellcheck shell=sh
# Stops the pods of all the named nodes with their grace period, all nodes at once. The pool goes as
# a whole and nothing can move, so disruption budgets would only block: hence --disable-eviction.

act() {
    need kubectl
    secret_dir
    # shellcheck disable=SC2086,SC2153  # names, one a word
    nodes=$(on_cluster get nodes --ignore-not-found -o name $NODES)
    if [ -z "$nodes" ]; then return 0; fi
    # shellcheck disable=SC2086
    quietly on_cluster cordon $nodes
    drain_all
}

drain_all() {
    drains=
    for node in $nodes; do
        drain "${node##*/}" &
        drains="$drains $!"
    done
    failed=0
    for drain in $drains; do
        wait "$drain" || failed=1
    done
    return $failed
}

# Not by `on_cluster`: its time limit for requests would cut off the watch for the pods' end.
drain() {
    kubectl --kubeconfig="$KUBERNETES/admin.conf" --server="https://$NODE_HOST:6443" \
        --cache-dir="$RUN_DIR/kubectl" drain "$1" --ignore-daemonsets --delete-emptydir-data \
        --force --disable-eviction --timeout="${DRAIN_SECONDS}s" \
        >"$SECRETS/drain-$1" 2>&1 && return 0
    tail -n 10 "$SECRETS/drain-$1" >&2
    return 1
}

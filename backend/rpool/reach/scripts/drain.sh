# shellcheck shell=sh
# Stops the pods of all the named nodes with their grace period, all nodes at once. $BUDGETS says
# what disruption budgets are to it: `ignored` where the cluster goes as a whole and nothing can move,
# so that they would only block; `respected`; or `until_timeout`.

LAST_SECONDS=60 # after the timeout, for pods that are deleted whatever their budget says

act() {
    need kubectl
    secret_dir
    # shellcheck disable=SC2086,SC2153  # names, one a word
    look_at $NODES
    if [ -z "$nodes" ]; then return 0; fi
    if [ "$BUDGETS" = ignored ]; then
        let_go # should the cluster be kept after all, the next change gives it back
        drain_all "$DRAIN_SECONDS" --disable-eviction
        return
    fi
    # However this ends before the nodes are drained, also by its time limit.
    trap 'give_back || say "not all of this was given back, the next apply will:" $marked $hidden; rm -rf "$SECRETS"' EXIT
    let_go
    if ! drain_all "$DRAIN_SECONDS"; then
        if [ "$BUDGETS" != until_timeout ]; then return 1; fi
        drain_all "$LAST_SECONDS" --disable-eviction
    fi
    # shellcheck disable=SC2034  # give_back's, in leaving.sh
    marked='' hidden=''
}

# drain_all SECONDS OPTION...
drain_all() {
    drains=
    for node in $nodes; do
        drain "$node" "$@" &
        drains="$drains $!"
    done
    failed=0
    for drain in $drains; do
        wait "$drain" || failed=1
    done
    return $failed
}

# drain NODE SECONDS OPTION...: bare pods go, too (--force), since nobody would ever move them. Not
# by `on_cluster`: its time limit for requests would cut off the watch for the pods' end. kubectl's
# own timeout does not end a request that the API has told to come back later: hence the other. Of
# what is said again and again while a budget blocks, once is enough.
drain() {
    node=$1 seconds=$2
    shift 2
    timeout --foreground "$((seconds + 10))" \
        kubectl --kubeconfig="$KUBERNETES/admin.conf" --server="https://$NODE_HOST:6443" \
        --cache-dir="$RUN_DIR/kubectl" drain "$node" --ignore-daemonsets --delete-emptydir-data \
        --force --timeout="${seconds}s" "$@" >"$SECRETS/drain-$node" 2>&1 && return 0
    awk '!said[$0]++' "$SECRETS/drain-$node" | tail -n 10 >&2
    return 1
}

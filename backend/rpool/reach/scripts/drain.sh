# shellcheck shell=sh
# Stops the pods of all the named nodes with their grace period, all nodes at once, and waits until
# their volumes are let go. $BUDGETS says what disruption budgets are to it: `ignored` where the
# cluster goes as a whole and nothing can move, so that they would only block; `respected`; or
# `until_timeout`.

LAST_SECONDS=60 # after the timeout, for pods that are deleted whatever their budget says; for volumes

act() {
    need kubectl
    secret_dir
    # shellcheck disable=SC2086,SC2153  # names, one a word
    look_at $NODES
    if [ -z "$nodes" ]; then return 0; fi
    end=$(($(uptime_seconds) + DRAIN_SECONDS))
    if [ "$BUDGETS" = ignored ]; then
        let_go # should the cluster be kept after all, the next change gives it back
        drain_all "$DRAIN_SECONDS" --disable-eviction
        await_volumes
        return
    fi
    # However this ends before the nodes are drained, also by its time limit.
    trap 'give_back || say "not all of this was given back, the next apply will:" $marked $hidden; rm -rf "$SECRETS"' EXIT
    let_go
    if ! drain_all "$DRAIN_SECONDS"; then
        if [ "$BUDGETS" != until_timeout ]; then return 1; fi
        drain_all "$LAST_SECONDS" --disable-eviction
    fi
    await_volumes
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

# A pod is gone from the API before its volumes are unmounted and detached. A server that goes with one
# in use may go on writing to what another node has mounted by then.
await_volumes() {
    last=$(($(uptime_seconds) + (DRAIN_SECONDS < LAST_SECONDS ? DRAIN_SECONDS : LAST_SECONDS)))
    if [ "$last" -gt "$end" ]; then end=$last; fi
    until used=$(volumes 2>"$SECRETS/volumes-error") && [ -z "$used" ]; do
        if [ "$(uptime_seconds)" -ge "$end" ]; then
            tail -n 5 "$SECRETS/volumes-error" >&2
            say "$used"
            die 1 "volumes are in use after the drain: see what uses them, and drain again"
        fi
        sleep 1
    done
}

# volumes: those that the kubelets of $nodes use, or that are attached there, one a line.
volumes() {
    # shellcheck disable=SC2086  # names, one a word
    in_use=$(on_cluster get node --ignore-not-found --no-headers \
        -o 'custom-columns=NAME:.metadata.name,IN_USE:.status.volumesInUse[*]' $nodes) || return 1
    attached=$(on_cluster get volumeattachments --no-headers -o \
        'custom-columns=NODE:.spec.nodeName,VOLUME:.spec.source.persistentVolumeName') || return 1
    printf '%s\n' "$in_use" | awk '$2 != "" && $2 != "<none>" { print $1 " uses volume " $2 }'
    printf '%s\n' "$attached" | awk -v nodes="$nodes" '
        BEGIN { split(nodes, names); for (i in names) ours[names[i]] }
        $1 in ours { print $1 " has volume " $2 " attached" }'
}

# shellcheck shell=sh
# Stops the pods of all the named nodes with their grace period, all nodes at once, and waits until
# their volumes are let go. $BUDGETS says what disruption budgets are to it: `ignored` where the
# cluster goes as a whole and nothing can move, so that they would only block; `respected`; or
# `until_timeout`.

LAST_SECONDS=60 # after the timeout, for pods that are deleted whatever their budget says; for volumes

# Of each budget: how many pods it lets go now, how many it has, are healthy and have to be; its
# namespace and name, and its selector as `kubectl --selector` reads it.
TEMPLATE='{{range .items}}{{with .status}}{{.disruptionsAllowed}} {{.expectedPods}} '
TEMPLATE=$TEMPLATE'{{.currentHealthy}} {{.desiredHealthy}} {{end}}{{.metadata.namespace}} {{.metadata.name}} '
# shellcheck disable=SC2016  # kubectl's variables
TEMPLATE=$TEMPLATE'{{range $key, $value := .spec.selector.matchLabels}}{{$key}}={{$value}},{{end}}'
TEMPLATE=$TEMPLATE'{{range .spec.selector.matchExpressions}}{{if eq .operator "Exists"}}{{.key}}'
TEMPLATE=$TEMPLATE'{{else if eq .operator "DoesNotExist"}}!{{.key}}'
TEMPLATE=$TEMPLATE'{{else}}{{.key}} {{if eq .operator "NotIn"}}not{{end}}in '
# shellcheck disable=SC2016  # the same
TEMPLATE=$TEMPLATE'({{range $i, $value := .values}}{{if $i}},{{end}}{{$value}}{{end}})'
TEMPLATE=$TEMPLATE'{{end}},{{end}}{{"\n"}}{{end}}'

act() {
    need kubectl
    secret_dir
    # shellcheck disable=SC2086,SC2153  # names, one a word
    look_at $NODES
    if [ -z "$nodes" ]; then return 0; fi
    end=$(($(uptime_seconds) + DRAIN_SECONDS))
    if [ "$BUDGETS" = ignored ]; then
        let_go # should the cluster be kept after all, the next change gives it back
        drain_all "$DRAIN_SECONDS" --disable-eviction || undrained
        await_volumes
        return
    fi
    # However this ends before the nodes are drained, also by its time limit.
    trap 'stay; rm -rf "$SECRETS"' EXIT
    let_go
    if ! drain_all "$DRAIN_SECONDS"; then
        if [ "$BUDGETS" != until_timeout ]; then undrained; fi
        drain_all "$LAST_SECONDS" --disable-eviction || undrained
    fi
    await_volumes
    # shellcheck disable=SC2034  # give_back's, in leaving.sh
    marked='' hidden=''
}

# shellcheck disable=SC2086  # names, one a word
stay() {
    if ! give_back; then
        say "not all of these were restored, the next apply does it:" $marked $hidden
    elif [ -n "${marked# }" ]; then
        say "uncordoned again:" $marked
    fi
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
# own timeout does not end a request that the API has told to come back later: hence the other.
drain() {
    node=$1 seconds=$2
    shift 2
    rm -f "$SECRETS/undrained-$node"
    timeout --foreground "$((seconds + 10))" \
        kubectl --kubeconfig="$KUBERNETES/admin.conf" --server="https://$NODE_HOST:6443" \
        --cache-dir="$RUN_DIR/kubectl" drain "$node" --ignore-daemonsets --delete-emptydir-data \
        --force --timeout="${seconds}s" "$@" >"$SECRETS/drain-$node" 2>&1 && return 0
    : >"$SECRETS/undrained-$node"
    return 1
}

# undrained: end with the pods that are left, and why. Where the API does not tell of each, what
# kubectl said is shown; of what it says again and again while a budget blocks, once is enough.
undrained() {
    for node in $nodes; do
        if [ ! -e "$SECRETS/undrained-$node" ]; then continue; fi
        told=$(left_on "$node" 2>/dev/null) || told=
        if [ -n "$told" ]; then printf '%s\n' "$told" | some >&2; fi
        if [ -z "$told" ] || printf '%s\n' "$told" | grep -qv ': '; then
            awk '!said[$0]++' "$SECRETS/drain-$node" | tail -n 10 >&2
        fi
    done
    exit "$UNDRAINED"
}

# some: the first lines, and how many there are besides.
some() { awk 'NR <= 10 { print } END { if (NR > 10) print "and " NR - 10 " more" }'; }

# left_on NODE: the pods that a drain should have moved from there, one a line, and why it has not.
left_on() {
    columns='NAMESPACE:.metadata.namespace,NAME:.metadata.name,OWNER:.metadata.ownerReferences[*].kind'
    pods_on "$1" "$columns,END:.metadata.deletionTimestamp" --all-namespaces >"$SECRETS/pods" || return 1
    awk '$3 != "DaemonSet" && $3 != "Node"' "$SECRETS/pods" >"$SECRETS/left"
    : >"$SECRETS/kept"
    if [ "$BUDGETS" = respected ]; then kept_on "$1" >"$SECRETS/kept" || true; fi
    awk -v node="$1" '
        FILENAME ~ /kept$/ { pod = $1; sub(/^[^ ]* /, ""); why[pod] = why[pod] (many[pod]++ ? "; " : ": ") $0; next }
        { pod = $1 "/" $2 }
        $4 != "<none>" { why[pod] = ": it was told to end, and has not" }
        { print pod " is left on " node why[pod] }' "$SECRETS/kept" "$SECRETS/left"
}

# kept_on NODE: of each pod of $SECRETS/left that a budget keeps there, what it is and which one.
kept_on() {
    on_cluster get poddisruptionbudgets --all-namespaces -o "go-template=$TEMPLATE" >"$SECRETS/budgets"
    awk 'NR == FNR { there[$1]; next } $1 == "0" && $2 > 0 && $5 in there' \
        "$SECRETS/left" "$SECRETS/budgets" | head -n 20 >"$SECRETS/blocking"
    while read -r _ _ healthy needed namespace budget selector; do # which ends in a comma
        why="budget $namespace/$budget allows none to go ($healthy healthy, $needed needed)"
        pods_on "$1" NAME:.metadata.name --namespace="$namespace" --selector="${selector%,}" |
            awk -v namespace="$namespace" -v why="$why" '{ print namespace "/" $1 " " why }'
    done <"$SECRETS/blocking"
}

# pods_on NODE COLUMNS OPTION...
pods_on() {
    on=$1 columns=$2
    shift 2
    on_cluster get pods "$@" --no-headers --field-selector="spec.nodeName=$on" -o "custom-columns=$columns"
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

# shellcheck shell=sh
# Nodes that are about to leave: labelled with $LEAVING, so that what was changed to let them go can
# be given back whenever they stay after all, and a cordon of an operator's is told from ours; and
# with $UNANNOUNCED, so that addresses move before the pods do. Control planes have that one from
# kubeadm, with no value: only ours, $UNANNOUNCED_BY_US, is taken away again.

# look_at NODE...: which of them the cluster has ($nodes), which of those carry our mark ($marked),
# are free to take pods ($free), may announce addresses ($announcing), or are kept from it by us
# ($hidden). Columns, since a single node is no list to kubectl; the label's is the last, since an
# empty value leaves nothing there.
look_at() {
    label=$(escaped "$UNANNOUNCED") mark=$(escaped "$LEAVING")
    on_cluster get nodes --ignore-not-found --no-headers -o custom-columns="$(
        printf 'NAME:.metadata.name,CORDONED:.spec.unschedulable,'
        printf 'MARK:.metadata.labels.%s,LABEL:.metadata.labels.%s' "$mark" "$label"
    )" "$@" >"$SECRETS/nodes"
    # shellcheck disable=SC2034  # for those that call this
    nodes=$(awk '{ print $1 }' "$SECRETS/nodes")
    marked=$(awk '$3 == "true" { print $1 }' "$SECRETS/nodes")
    free=$(awk '$2 != "true" { print $1 }' "$SECRETS/nodes")
    announcing=$(awk '$4 == "<none>" { print $1 }' "$SECRETS/nodes")
    hidden=$(awk -v ours="$UNANNOUNCED_BY_US" '$4 == ours { print $1 }' "$SECRETS/nodes")
}

# A dot in a key is no step down in a path.
escaped() { printf '%s' "$1" | sed 's/\./\\./g'; }

# let_go: cordon $nodes; before their pods are stopped, another node announces their addresses. What
# is to be given back if they stay is marked first.
# shellcheck disable=SC2086  # names, one a word
let_go() {
    if [ -n "$free" ]; then
        quietly on_cluster label node --overwrite $free "$LEAVING=true"
        marked="$marked $free"
    fi
    if [ -n "$announcing" ]; then
        quietly on_cluster label node $announcing "$UNANNOUNCED=$UNANNOUNCED_BY_US"
        hidden="$hidden $announcing"
    fi
    quietly on_cluster cordon $nodes
}

# give_back: undo let_go, but leave cordoned what an operator has cordoned. All of it is tried, and
# the mark goes last: what could not be given back is then seen to be ours by the next change.
# shellcheck disable=SC2086
give_back() {
    kept=0
    if [ -n "${hidden# }" ]; then
        quietly on_cluster label node $hidden "$UNANNOUNCED-" || kept=1
    fi
    if [ -z "${marked# }" ]; then return $kept; fi
    quietly on_cluster uncordon $marked || return 1
    if [ $kept = 0 ]; then quietly on_cluster label node $marked "$LEAVING-" || kept=1; fi
    return $kept
}

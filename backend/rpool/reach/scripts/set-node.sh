# shellcheck shell=sh
# Gives a node its labels and taints, and takes away those it is no longer to have. Keys and values
# are Kubernetes': no character of theirs means anything to a shell.

act() {
    need kubectl
    secret_dir
    # shellcheck disable=SC2086  # one a word
    if [ -n "$LABELS" ]; then quietly on_cluster label node "$NODE" --overwrite $LABELS; fi
    for taint in $GONE_TAINTS; do
        if has_taint "$taint"; then quietly on_cluster taint node "$NODE" "$taint-"; fi
    done
    # shellcheck disable=SC2086
    if [ -n "$TAINTS" ]; then quietly on_cluster taint node "$NODE" --overwrite $TAINTS; fi
}

# has_taint KEY:EFFECT: kubectl fails when it is to remove one that is not there.
has_taint() {
    on_cluster get node "$NODE" -o \
        'jsonpath={range .spec.taints[*]}{.key}:{.effect}{"\n"}{end}' | grep -qxF "$1"
}

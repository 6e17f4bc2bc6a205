# shellcheck shell=sh
# Gives a node its labels and taints, and takes away those it is no longer to have. Keys and values
# are Kubernetes': no character of theirs means anything to a shell.

act() {
    need kubectl
    secret_dir
    # shellcheck disable=SC2086  # one a word
    if [ -n "$LABELS" ]; then quietly on_cluster label node "$NODE" --overwrite $LABELS; fi
    if [ -n "$GONE_TAINTS" ]; then remove_taints; fi
    # shellcheck disable=SC2086
    if [ -n "$TAINTS" ]; then quietly on_cluster taint node "$NODE" --overwrite $TAINTS; fi
}

# kubectl fails when it is to remove one that is not there. Only a look that went well says so.
remove_taints() {
    there=$(on_cluster get node "$NODE" -o \
        'jsonpath={range .spec.taints[*]}{.key}:{.effect}{"\n"}{end}')
    for taint in $GONE_TAINTS; do
        if printf '%s\n' "$there" | grep -qxF "$taint"; then
            quietly on_cluster taint node "$NODE" "$taint-"
        fi
    done
}

# shellcheck shell=sh
# What a server that was reset must not have: all that `traces` finds (so that "clean" and "spare"
# are one thing), and what only a cluster's former server can have.
# Parameter: VIP, the cluster's virtual IP or nothing.

PREPARED=$RPOOL_DIR/prepared # what Ansible wrote here; see ansible/roles/server/files/library.sh

# leftovers: one line for each thing that is left, or that could not be looked at.
leftovers() {
    traces
    left_containers
    left_address
    any "$PREPARED"
}

# containerd_says ARGUMENT...: containerd answers at once or not at all, and may not be here.
containerd_says() { timeout 10 ctr --namespace k8s.io "$@" 2>/dev/null; }

# One that does not run, and may have left its socket, has no containers that run either.
left_containers() {
    if ! command -v ctr >/dev/null 2>&1 || [ ! -S /run/containerd/containerd.sock ]; then return 0; fi
    if containers=$(containerd_says containers list --quiet); then
        if [ -n "$containers" ]; then printf '%s\n' "$containers" | sed 's/^/container /'; fi
    elif systemctl --quiet is-active containerd.service; then
        unseen 'list containers: containerd does not answer'
    fi
}

# The virtual IP where it is, as arguments of `ip addr del`.
vip_here() {
    if [ -z "$VIP" ]; then return 0; fi
    addresses=$(ip -o addr show) || return
    printf '%s\n' "$addresses" |
        awk -v vip="$VIP" '{ split($4, a, "/"); if (a[1] == vip) print $4, "dev", $2 }'
}

left_address() {
    if ! found=$(vip_here); then
        unseen 'list addresses'
    elif [ -n "$found" ]; then
        printf '%s\n' "$found" | sed 's/^/address /'
    fi
}

# shellcheck shell=sh
# Ends the control plane on this server, etcd only where $ETCD names it, one part after the other: kube-vip gives lease
# and address away while there is still an API server here to tell, and the API server takes itself
# off the `kubernetes` endpoints. Nothing is kept: a reset is next.

act() {
    need crictl curl ip systemctl
    secret_dir
    end=$(($(uptime_seconds) + TIMEOUT_SECONDS - 5))
    # shellcheck disable=SC2034  # drop_vip's, in membership.sh
    VIP=$(held_vip)
    if ! serves; then quietly systemctl stop kubelet.service; fi
    stop kube-vip
    drop_vip # a kube-vip that was killed has left it, and would have two servers answer for it
    stop kube-apiserver
    # shellcheck disable=SC2086  # one or none
    stop kube-controller-manager kube-scheduler $ETCD
}

# Whether the API of this server answers. Its kubelet speaks to that alone, and while it has not
# reached it since it started, it ends no pod: so it is with one that comes back after the others
# have taken it out of etcd.
serves() { curl -sfk -m 5 -o /dev/null "https://$NODE_HOST:6443/livez"; }

# stop NAME...: the kubelet ends static pods whose manifests are gone, with their grace period. One
# that is dead ends nothing, and is a reason to take the server out of the cluster; then we do it.
stop() {
    for name; do rm -f "$KUBERNETES/manifests/$name.yaml"; done
    for name; do await_stopped "$name"; done
}

# Not the container but its pod, which also counts while the kubelet is about to start it again. A
# container runtime that does not run may be starting anew, for $RUNTIME_SECONDS.
await_stopped() {
    ran=$(uptime_seconds)
    until found=$(static_pod pods "$1" --state ready) && [ -z "$found" ]; do
        if [ "$(uptime_seconds)" -ge "$end" ]; then
            say "$1 still runs, as far as rpool can tell: find out why the kubelet does not stop it"
            exit 124
        fi
        if [ -n "$found" ] || systemctl is-active --quiet containerd.service; then
            ran=$(uptime_seconds)
        fi
        if [ $(($(uptime_seconds) - ran)) -ge "$RUNTIME_SECONDS" ]; then
            die 1 "containerd does not run here, so nobody can end $1: see systemctl status containerd"
        fi
        if [ -n "$found" ] && ! systemctl is-active --quiet kubelet.service; then
            # shellcheck disable=SC2086  # ids, one a word
            quietly crictl --timeout 60s stopp $found || true # looked at, and tried, again
        fi
        sleep 0.5
    done
}

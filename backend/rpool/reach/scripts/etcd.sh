# shellcheck shell=sh
# etcdctl of etcd's own container on this control plane: nothing else brings it.

PKI=$KUBERNETES/pki/etcd

# etcdctl SECONDS ARGUMENT...: it gives up after SECONDS, since a dead member never answers. Asks the
# members at $ENDPOINTS (by comma) where that is set, else the one here.
# Not by `exec --sync`, which mixes its outputs and drops both when it fails.
etcdctl() {
    seconds=$1
    shift
    container=$(static_pod ps etcd)
    if [ -z "$container" ]; then die 1 "etcd does not run here"; fi
    crictl --timeout 30s exec "$container" etcdctl --command-timeout="${seconds}s" \
        --endpoints="${ENDPOINTS:-https://127.0.0.1:2379}" --cacert="$PKI/ca.crt" \
        --cert="$PKI/healthcheck-client.crt" --key="$PKI/healthcheck-client.key" "$@"
}

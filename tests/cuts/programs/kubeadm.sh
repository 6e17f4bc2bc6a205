# shellcheck shell=sh disable=SC2154
# Leaves what the real one leaves, in its order, and refuses what it refuses: files of another attempt.

folder=/etc/kubernetes

refuse_leftovers() {
    for path in "$folder/admin.conf" "$folder/kubelet.conf" "$folder/manifests"/etcd.yaml /var/lib/etcd/member; do
        if [ -e "$path" ]; then
            echo "[ERROR] $path already exists" >&2
            exit 1
        fi
    done
}

member() {
    mkdir -p "$folder/manifests" /var/lib/etcd/member /var/lib/kubelet "$folder/pki/etcd"
    for part in etcd kube-apiserver kube-controller-manager kube-scheduler; do
        echo "    - $part" >"$folder/manifests/$part.yaml"
    done
    echo data >/var/lib/etcd/member/wal
    grep -q "^$1 " "$world/etcd" || echo "$1 a" >>"$world/etcd"
    echo admin >"$folder/admin.conf"
}

case "$1 ${2-} ${3-}" in
    'init phase certs')
        mkdir -p "$folder/pki"
        cp "$world/authority"/* "$folder/pki"
        ;;
    'init phase '*) echo certificates >"$world/objects/secret-kubeadm-certs" ;;
    'init '*)
        refuse_leftovers
        member r1u04
        until ls "$world"/objects/applied-* >/dev/null 2>&1; do sleep 0.05; done # kube-vip's rights
        echo super >"$folder/super-admin.conf"
        echo kubelet >"$folder/kubelet.conf"
        ;;
    'join '*)
        refuse_leftovers
        mkdir -p "$folder/pki" /var/lib/kubelet
        cp "$world/authority/ca.crt" "$folder/pki"
        config=${2#--config=}
        if grep -q controlPlane "$config"; then
            cp "$world/authority/ca.key" "$folder/pki"
            if grep -q '^r1u04 ' "$world/etcd"; then
                echo "its former member is still in etcd" >&2
                exit 1
            fi
            member r1u04
        fi
        echo config >/var/lib/kubelet/config.yaml
        echo 'ARGS="--node-labels=topology.kubernetes.io/zone=rack1,disk=nvme"' >/var/lib/kubelet/kubeadm-flags.env
        echo kubelet >"$folder/kubelet.conf"
        ;;
    'reset '*)
        rm -f "$folder"/*.conf
        rm -rf "$folder/manifests" "$folder/pki"
        rm -rf /var/lib/kubelet
        ;;
    'version '*) echo v1.36.3 ;;
    'config images '*) echo registry.k8s.io/pause:3.10.2 ;;
esac

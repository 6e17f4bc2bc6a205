# shellcheck shell=sh
# What of flannel's manifest is the cluster's: the network in the ConfigMap kube-flannel-cfg, and the
# API's address. By the service's address flannel fails on a new node until kube-proxy runs there, and
# is started again later and later.

# set_pod_cidr FILE
set_pod_cidr() {
    sed -i "s|\"Network\": *\"[^\"]*\"|\"Network\": \"$POD_CIDR\"|" "$1"
    grep -qF "\"Network\": \"$POD_CIDR\"" "$1"
}

# set_api FILE
set_api() {
    sed -i "0,/^        env:\$/s//        env:\n        - name: KUBERNETES_SERVICE_HOST\n          value: \"$API_HOST\"\n        - name: KUBERNETES_SERVICE_PORT\n          value: \"$API_PORT\"/" "$1"
    grep -qF "value: \"$API_HOST\"" "$1"
}

# set_interface FILE: flannel would take the default route's, whose network need not be the one in which
# the servers have the fleet's addresses.
set_interface() {
    sed -i "0,/^        - --kube-subnet-mgr\$/s//&\n        - --iface=\$(HOST_IP)/" "$1"
    sed -i "0,/^        env:\$/s//&\n        - name: HOST_IP\n          valueFrom:\n            fieldRef:\n              fieldPath: status.hostIP/" "$1"
    grep -qF -e "--iface=\$(HOST_IP)" "$1" && grep -q 'fieldPath: status.hostIP$' "$1"
}

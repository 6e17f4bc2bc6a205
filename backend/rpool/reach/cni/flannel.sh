# shellcheck shell=sh
# What of flannel's manifest is the cluster's: the network in the ConfigMap kube-flannel-cfg.

# set_pod_cidr FILE
set_pod_cidr() {
    sed -i "s|\"Network\": *\"[^\"]*\"|\"Network\": \"$POD_CIDR\"|" "$1"
    grep -qF "\"Network\": \"$POD_CIDR\"" "$1"
}

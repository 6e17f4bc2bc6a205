# shellcheck shell=sh
# Moves one of the cluster's DNS servers where all that run are on one node: all started on the first
# control plane, before there was another. One that is made anew avoids the nodes of the others.

act() {
    need kubectl
    secret_dir
    found=$(on_cluster -n kube-system get pods -l k8s-app=kube-dns \
        --field-selector status.phase=Running -o "jsonpath=$DNS_PATH")
    if [ "$(words 1 | wc -l)" -ne 1 ] || [ "$(words 2 | wc -l)" -lt 2 ]; then return 0; fi
    quietly on_cluster -n kube-system delete pod --wait=false --ignore-not-found \
        "$(words 2 | tail -n 1)"
}

# words NUMBER: that word of each line, each once.
words() { printf '%s\n' "$found" | awk -v number="$1" '$number != "" { print $number }' | sort -u; }

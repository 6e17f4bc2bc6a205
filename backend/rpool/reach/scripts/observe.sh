# shellcheck shell=sh
# Looks at the cluster through this control plane; prints one fact a line, its kind in front:
# `node<TAB>...` as $NODES_PATH has it, `record<TAB>JSON`, `ca<TAB>PEM in base64`.

main() {
    need kubectl
    run_dir
    nodes=$(on_cluster get nodes -o "jsonpath=$NODES_PATH")
    record=$(on_cluster -n kube-system get configmap rpool --ignore-not-found \
        -o 'jsonpath={.data.record}')
    ca=$(base64 -w 0 "$KUBERNETES/pki/ca.crt")
    if [ -n "$nodes" ]; then printf '%s\n' "$nodes" | sed 's/^/node\t/'; fi
    printf 'record\t%s\nca\t%s\n' "$record" "$ca"
}

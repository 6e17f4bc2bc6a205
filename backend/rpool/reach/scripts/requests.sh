# shellcheck shell=sh
# Prints what the pods that run, or are about to, request: a pod a line, as $PODS_PATH has it.

main() {
    need kubectl
    run_dir
    on_cluster get pods --all-namespaces -o "jsonpath=$PODS_PATH" \
        --field-selector 'spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed'
}

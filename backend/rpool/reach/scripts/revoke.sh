# shellcheck shell=sh
# Nobody joins any more: every token of ours goes, also one that a cut-off operation left, and the
# uploaded certificates with the token that kubeadm makes to time them.

act() {
    need kubectl
    secret_dir
    found=$(on_cluster -n kube-system get secrets -o "jsonpath=$TOKENS_PATH" \
        --field-selector type=bootstrap.kubernetes.io/token)
    set -- kubeadm-certs "bootstrap-token-$TOKEN_ID"
    while read -r name description; do
        case $description in
            "$OUR_DESCRIPTION" | "$TIMER_DESCRIPTION") set -- "$@" "$name" ;;
        esac
    done <<END
$found
END
    quietly on_cluster -n kube-system delete secret --ignore-not-found "$@"
}

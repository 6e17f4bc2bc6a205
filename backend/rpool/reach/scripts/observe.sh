# shellcheck shell=sh
# Looks at the cluster through this control plane; prints one fact a line, its kind in front:
# `node<TAB>...` as $NODES_PATH has it, `record<TAB>JSON`, `ca<TAB>PEM in base64`, `tokens<TAB>...`
# with the join tokens of ours, `metallb<TAB>...` with the field managers of its controller,
# `clock<TAB>...` with the seconds since 1970 by this server,
# `proof<TAB>signature in base64` of $CHALLENGE with the key of the CA: who has no such key is no
# control plane of the cluster, whatever it says.

main() {
    need kubectl openssl
    run_dir
    secret_dir
    look nodes get nodes -o "jsonpath=$NODES_PATH"
    look record -n kube-system get configmap rpool --ignore-not-found -o 'jsonpath={.data.record}'
    look tokens -n kube-system get secrets -o "jsonpath=$TOKENS_PATH" \
        --field-selector type=bootstrap.kubernetes.io/token
    look_done
    # A settled record says itself what of MetalLB is there.
    case $(cat "$SECRETS/record") in
        *'"wanted":null'*) : ;;
        *)
            look metallb -n metallb-system get deployment controller --ignore-not-found \
                -o 'jsonpath={.metadata.managedFields[*].manager}'
            look_done
            ;;
    esac
    printf 'clock\t%s\n' "$(date +%s)"
    sed 's/^/node\t/' "$SECRETS/nodes"
    printf 'record\t%s\n' "$(cat "$SECRETS/record")"
    printf 'tokens\t%s\n' "$(ours <"$SECRETS/tokens")"
    printf 'metallb\t%s\n' "$(cat "$SECRETS/metallb" 2>/dev/null || true)"
    printf 'ca\t%s\n' "$(base64 -w 0 "$KUBERNETES/pki/ca.crt")"
    printf 'proof\t%s\n' "$(sign "$CHALLENGE" | base64 -w 0)"
}

sign() { printf '%s' "$1" | openssl dgst -sha256 -sign "$KUBERNETES/pki/ca.key"; }

# look NAME KUBECTL-ARGUMENT...: at once with the others, its output in $SECRETS/NAME.
look() {
    name=$1
    shift
    # An API whose etcd has no quorum answers nothing; one that is well takes no second.
    (on_cluster --request-timeout=10s "$@" >"$SECRETS/$name") &
    looks="${looks:-} $!"
}

look_done() {
    for process in $looks; do wait "$process"; done
    looks=
}

# The names of tokens that rpool made, or kubeadm for it.
ours() {
    while read -r name description; do
        case $description in
            "$OUR_DESCRIPTION" | "$TIMER_DESCRIPTION") printf '%s ' "$name" ;;
        esac
    done
}

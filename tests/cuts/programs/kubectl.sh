# shellcheck shell=sh disable=SC2154
# A cluster as files below $world: nodes/NAME/KEY, objects/KIND-NAME, record. A call that is repeated
# leaves what it left before, as an API server does.

while :; do
    case $1 in
        --kubeconfig=* | --server=* | --cache-dir=* | --request-timeout=*) shift ;;
        -n) shift 2 ;;
        *) break ;;
    esac
done
call=" $* "
verb=$1
shift

# words ARGUMENT...: those that are no option.
words() {
    for word; do
        case $word in -*) ;; *) printf '%s\n' "$word" ;; esac
    done
}

# of NODE KEY
of() { cat "$world/nodes/$1/$2" 2>/dev/null || printf '<none>'; }

# set_keys NODE-OR-CHANGE...: KEY=VALUE, KEY=VALUE:EFFECT, KEY-, KEY:EFFECT-
set_keys() {
    nodes=
    for word in $(words "$@"); do
        case $word in
            node) continue ;;
            *=*) key=${word%%=*} ;;
            *-) key=${word%-} key=${key%%:*} ;;
            *) nodes="$nodes $word" && continue ;;
        esac
        key=$(printf '%s' "$key" | tr / _)
        for node in $nodes; do
            if [ ! -d "$world/nodes/$node" ]; then exit 1; fi
            case $word in
                *=*) printf '%s' "${word#*=}" >"$world/nodes/$node/$key" ;;
                *) if [ -e "$world/nodes/$node/$key" ]; then rm "$world/nodes/$node/$key"; elif [ "$verb" = taint ]; then exit 1; fi ;;
            esac
        done
    done
}

case $call in
    *' get nodes '*)
        for node in "$world"/nodes/*; do
            node=${node##*/}
            case $call in *" $node "*) ;; *) continue ;; esac
            printf '%s  %s  %s  %s\n' "$node" "$(of "$node" cordoned)" \
                "$(of "$node" node-restriction.kubernetes.io_rpool-leaving)" \
                "$(of "$node" node.kubernetes.io_exclude-from-external-load-balancers)"
        done
        ;;
    *' get node '*Ready*) printf 'True kubelet is ready' ;;
    *' get node '*jsonpath*)
        if [ -e "$world/nodes/$1/gone" ]; then printf 'gone:NoExecute\n'; fi
        ;;
    *' get secrets '*)
        for secret in "$world"/objects/secret-bootstrap-token-*; do
            if [ -e "$secret" ]; then printf '%s %s\n' "${secret#*/objects/secret-}" "$(cat "$secret")"; fi
        done
        ;;
    *' get pods '*)
        for pod in "$world"/objects/dns-*; do
            if [ -e "$pod" ]; then printf '%s %s\n' "$(cat "$pod")" "${pod#*/objects/dns-}"; fi
        done
        ;;
    *' get configmap '*)
        if [ -e "$world/record" ]; then
            printf '%s\n' "$(sed -n 's/.*"resourceVersion": *"\([0-9]*\)".*/\1/p' "$world/record")"
            printf '%s\n' "$(sed -n 's|.*"rpool/change": *"\([^"]*\)".*|\1|p' "$world/record")"
        fi
        ;;
    *' get '*customresourcedefinitions*) (cd "$world/objects" && ls -d kind-* 2>/dev/null) ;;
    *' get '*metallb.io*) (cd "$world/objects" && for it in pool-*; do [ ! -e "$it" ] || echo "ipaddresspool/${it#pool-}"; done) ;;
    *' get '* | *' wait '*) ;;
    *' label '* | *' taint '*) set_keys "$@" ;;
    *' cordon '*) for node in "$@"; do printf true >"$world/nodes/$node/cordoned"; done ;;
    *' uncordon '*) for node in "$@"; do rm -f "$world/nodes/$node/cordoned"; done ;;
    *' drain '*) rm -rf "$world/nodes/$1/pods" ;;
    *' create '*--raw* | *' replace '*--raw*)
        for file; do :; done
        was=$(sed -n 's/.*"resourceVersion": *"\([0-9]*\)".*/\1/p' "$world/record" 2>/dev/null)
        new=$(sed -n 's/.*"resourceVersion": *"\([0-9]*\)".*/\1/p' "$file")
        if [ "$was" != "$new" ]; then
            echo "Error from server (Conflict)" >&2
            exit 1
        fi
        sed "s/\"resourceVersion\": *\"[0-9]*\"/\"resourceVersion\": \"${was}1\"/" "$file" >"$world/record"
        grep -q resourceVersion "$world/record" || # a new one is given its first
            sed -i 's/}}, "data"/}, "resourceVersion": "1"}, "data"/' "$world/record"
        ;;
    *' apply '*)
        for file; do :; done
        sum=$(sed 's/expiration.*//' "$file" | sha256sum | cut -c 1-12)
        sed 's/expiration.*//' "$file" >"$world/objects/.$sum"
        mv "$world/objects/.$sum" "$world/objects/applied-$sum" # at once, as an API does
        if grep -q '^  *name: *default$' "$file"; then : >"$world/objects/pool-default"; fi
        ;;
    *' delete node '*) for node in $(words "$@"); do rm -rf "$world/nodes/$node"; done ;;
    *' delete pod '*) for pod in $(words "$@"); do echo r1u05 >"$world/objects/dns-$pod"; done ;; # anew
    *' delete secret '*) for name in $(words "$@"); do rm -f "$world/objects/secret-$name"; done ;;
    *' delete '*' -f '*)
        for file; do :; done
        rm -f "$world/objects/applied-$(sed 's/expiration.*//' "$file" | sha256sum | cut -c 1-12)" "$world"/objects/kind-*
        ;;
    *' delete '*' validating'*) rm -f "$world/objects/webhook" ;;
    *' delete '*' -l '*) rm -f "$world"/objects/pool-* ;;
    *' delete ipaddresspool/'*) for name; do rm -f "$world/objects/pool-${name#*/}"; done ;;
    *)
        echo "a kubectl that does not know $call" >&2
        exit 1
        ;;
esac

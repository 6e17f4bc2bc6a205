# shellcheck shell=sh
# Writes the record into its cluster, over that of change $OVER, or one that change $CHANGE
# has written before; if any other operation's is there, it is left. The session lock keeps them
# apart; but what was started before a lock was lost may get here late.

act() {
    need kubectl
    secret_dir
    write_file "$SECRETS/record.json" "$RECORD"
    found=$(on_cluster -n kube-system get configmap rpool --ignore-not-found \
        -o 'jsonpath={.metadata.resourceVersion}{"\n"}{.metadata.annotations.rpool/change}')
    if [ -z "$found" ]; then
        sed 's/, "resourceVersion": "THE ONE THAT WAS SEEN"//' "$SECRETS/record.json" \
            >"$SECRETS/new.json"
        write create --raw /api/v1/namespaces/kube-system/configmaps
        return 0
    fi
    version=${found%%"
"*}
    there=$(printf '%s\n' "$found" | sed -n 2p | tr -cd '0-9a-f')
    case $there in
        "$CHANGE" | "$OVER") ;;
        *) overtaken "it is that of change $there, not ${OVER:-the first} or $CHANGE" ;;
    esac
    sed "s/\"THE ONE THAT WAS SEEN\"/\"$version\"/" "$SECRETS/record.json" >"$SECRETS/new.json"
    write replace --raw /api/v1/namespaces/kube-system/configmaps/rpool
}

# write VERB...: whoever was faster between our look and this is seen by the API server.
write() {
    if said=$(on_cluster "$@" -f "$SECRETS/new.json" 2>&1 >/dev/null); then return 0; fi
    case $said in *"(Conflict)"* | *"(AlreadyExists)"*) overtaken "$said" ;; esac
    say "$said"
    return 1
}

overtaken() { die "$OVERTAKEN" "the record was not written: $1"; }

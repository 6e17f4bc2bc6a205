# shellcheck shell=sh
# Prints what the benchmark's entries are about: a fact a line, its kind and a tab in front. Nothing
# secret is printed, and nothing is changed.
# Parameters: PATHS (patterns), NODES (whose kubelets are asked, through the API; none: it is not
# asked from here), PODS (that are to be refused, as a List).

export KUBECONFIG=/etc/kubernetes/admin.conf

show_server() {
    ps -ww -eo args= | sed 's/^/process\t/'
    for path in $PATHS; do # a pattern that finds nothing stays as it is, and so is no file
        if [ -e "$path" ]; then stat -L --printf='file\t%a %U:%G %n\n' "$path"; fi
    done
    ss --listening --tcp --numeric --no-header | awk '{ print "listens\t" $4 }'
}

# value_of FLAG: of the API server.
value_of() { tr '\0' '\n' <"/proc/$(pgrep -x kube-apiserver)/cmdline" | sed -n "s/^--$1=//p"; }

# Of the providers of encryption the names alone: keys stand beside them.
show_files_of_the_api_server() {
    providers=$(value_of encryption-provider-config)
    if [ -n "$providers" ]; then
        tr -d '" ' <"$providers" | grep -oE '(aescbc|aesgcm|secretbox|kms|identity):' |
            tr -d : | sed 's/^/provider\t/'
    fi
    policy=$(value_of audit-policy-file)
    if [ -n "$policy" ]; then
        tr -d '\n' <"$policy" | sed 's/^/policy\t/'
        echo
    fi
}

show_kubelets() {
    for node in $NODES; do
        printf 'kubelet\t%s %s\n' "$node" "$(kubectl get --raw "/api/v1/nodes/$node/proxy/configz")"
    done
}

show_api() {
    kinds=namespaces,serviceaccounts,pods,services,networkpolicies
    kinds=$kinds,clusterroles,clusterrolebindings,roles,rolebindings
    kubectl get "$kinds" --all-namespaces --output=json | tr -d '\n' | sed 's/^/objects\t/'
    echo
    kubectl get secrets --all-namespaces --no-headers --output=custom-columns=T:.type |
        sed 's/^/secret\t/'
    printf '%s' "$PODS" | kubectl create --dry-run=server --filename=- 2>&1 | sed 's/^/admission\t/'
}

show_server
if pgrep -x kube-apiserver >/dev/null; then show_files_of_the_api_server; fi
if [ -n "$NODES" ]; then
    show_kubelets
    show_api
fi

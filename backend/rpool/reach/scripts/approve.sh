# shellcheck shell=sh
# Kubelets ask the cluster for the certificate that they serve with, and Kubernetes leaves it to
# somebody else to say yes. Here that is said to a member that asks for its own name and its own
# address, as the record has them: root on a server gets no certificate for any other.

# Tells which servers were let have theirs. What asks for more is left alone, for somebody to see.
approve_kubelets() {
    for request in $(open_requests); do
        if ! server=$(entitled "$request"); then continue; fi
        quietly on_cluster certificate approve "$request"
        printf 'approved the serving certificate of %s\n' "$server"
    done
}

# Names of requests mean nothing to a shell: they are DNS names.
open_requests() {
    on_cluster get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving -o \
        'jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[*].type}{"\n"}{end}' |
        awk 'NF == 1'
}

# entitled REQUEST: the server that asks for what is its own. Who asks is the API's word.
entitled() {
    user=$(on_cluster get csr "$1" -o 'jsonpath={.spec.username}')
    server=${user#system:node:}
    if [ "$server" = "$user" ]; then return 1; fi
    on_cluster get csr "$1" -o 'jsonpath={.spec.request}' | base64 -d >"$SECRETS/request"
    if [ "$(openssl req -in "$SECRETS/request" -noout -subject -nameopt RFC2253)" != \
        "subject=CN=$user,O=system:nodes" ]; then return 1; fi
    names=$(openssl req -in "$SECRETS/request" -noout -text |
        sed -n '/X509v3 Subject Alternative Name/{n;s/^ *//;p;}')
    address=${names#"DNS:$server, IP Address:"}
    case $address in *[!0-9.]*) return 1 ;; esac # more than one, or another text
    on_cluster -n kube-system get configmap rpool -o 'jsonpath={.data.addresses}' |
        grep -qxF "$server $address" || return 1
    printf '%s\n' "$server"
}

# serves NAME=ADDRESS: whether the kubelet there has a certificate of the cluster's CA by now. What
# it answers does not matter: we are strangers to it.
serves() {
    curl --silent --output "$SECRETS/answer" --max-time 5 --cacert "$KUBERNETES/pki/ca.crt" \
        "https://${1#*=}:10250/healthz"
}

# shellcheck shell=sh
# Kubelets ask the cluster for the certificate that they serve with, and Kubernetes leaves it to
# somebody else to say yes. Here that is said to a member that asks for its own name and its own
# address, as the record has them: root on a server gets no certificate for any other.

# What asks for more is left alone, for somebody to see, and keeps nobody else from having theirs.
approve_kubelets() {
    for request in $(open_requests); do
        if entitled "$request"; then
            quietly on_cluster certificate approve "$request" || true
        fi
    done
}

# The three latest requests of each user: nobody takes the others' turn by their number. A name can be
# any text, an option of kubectl's for one; those of kubelets are plain.
open_requests() {
    on_cluster get csr --sort-by=.metadata.creationTimestamp \
        --field-selector spec.signerName=kubernetes.io/kubelet-serving -o \
        'jsonpath={range .items[*]}{.metadata.name}{" "}{.spec.username}{" "}{.status.conditions[*].type}{"\n"}{end}' |
        awk 'NF == 2 && $1 ~ /^[a-z0-9][a-z0-9.-]*$/ && $2 ~ /^system:node:/ { its[$2] = its[$2] " " $1 }
            END {
                for (user in its) {
                    count = split(its[user], names, " ")
                    for (i = (count > 3 ? count - 2 : 1); i <= count; i++) print names[i]
                }
            }'
}

# What a kubelet's request is made of. With anything else in it we and the cluster, which read it by
# different means, could see two different requests.
KUBELETS_REQUEST=':organizationName:commonName:id-ecPublicKey:prime256v1:Extension Request:X509v3 Subject Alternative Name:ecdsa-with-SHA256'

# entitled REQUEST: it asks for what is its own. Who asks is the API's word.
entitled() {
    user=$(on_cluster get csr "$1" -o 'jsonpath={.spec.username}') || return 1
    server=${user#system:node:}
    if [ "$server" = "$user" ]; then return 1; fi
    pem=$SECRETS/request
    on_cluster get csr "$1" -o 'jsonpath={.spec.request}' | base64 -d >"$pem" || return 1
    if grep -qvxE '[A-Za-z0-9+/]+=*|-----(BEGIN|END) CERTIFICATE REQUEST-----' "$pem"; then return 1; fi
    if [ "$(grep -c -e -----BEGIN "$pem")" != 1 ]; then return 1; fi
    parts=$(openssl asn1parse -in "$pem" | sed -n 's/.*: OBJECT *:/:/p' | tr -d '\n')
    if [ "$parts" != "$KUBELETS_REQUEST" ]; then return 1; fi
    subject=$(openssl req -in "$pem" -noout -subject -nameopt RFC2253)
    if [ "$subject" != "subject=CN=$user,O=system:nodes" ]; then return 1; fi
    names=$(openssl req -in "$pem" -noout -text |
        sed -n '/X509v3 Subject Alternative Name/{n;s/^ *//;p;}')
    address=${names#"DNS:$server, IP Address:"}
    case $address in *[!0-9.]*) return 1 ;; esac # more than one, or another text
    on_cluster -n kube-system get configmap rpool -o 'jsonpath={.data.addresses}' |
        grep -qxF "$server $address"
}

# serves NAME=ADDRESS: whether the kubelet there has a certificate of the cluster's CA by now. What
# it answers does not matter: we are strangers to it.
serves() {
    curl --silent --noproxy '*' --output "$SECRETS/answer" --max-time 5 \
        --cacert "$KUBERNETES/pki/ca.crt" "https://${1#*=}:10250/healthz"
}

#!/bin/sh
# Gives a cluster's Secrets a new key: rotate-encryption-key.sh USER@ADDRESS...  (all control planes)
#
# It logs in to each by ssh, as root or as somebody with sudo. Ended halfway it can be run again: at
# every moment each API server can read what any of them has written.
set -eu

FILE=/etc/kubernetes/api-server/encryption.yaml
METRIC=apiserver_encryption_config_controller_automatic_reload_last_timestamp_seconds
START='{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": ['
END=']}}, {"identity": {}}]}]}'

[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }

die() { printf '%s\n' "$*" >&2; exit 1; }

# on HOST SCRIPT: as root there. Nothing of what it is given is in a list of processes.
on() {
    printf '%s\n' "$2" | ssh "$1" 'if [ "$(id -u)" = 0 ]; then exec sh -s; fi; exec sudo -n sh -s'
}

# keys_on HOST: name and secret of each key that is in use there, one a word. Refuses a file that is
# not of the form that rpool and this script write: it would be lost.
keys_on() {
    text=$(on "$1" "cat $FILE") || die "$1: $FILE cannot be read"
    inner=${text#"$START"}
    inner=${inner%"$END"}
    if [ "$text" != "$START$inner$END" ]; then die "$1: $FILE is not as rpool writes it; rotate by hand"; fi
    printf '%s\n' "$inner" | sed 's/}, {/}\n{/g' |
        sed -n 's/^{"name": "\([a-z0-9-]*\)", "secret": "\([A-Za-z0-9+\/=]*\)"}$/\1 \2/p'
}

# put NAME SECRET...: a configuration with these keys, the first of which encrypts, on every control
# plane; then waits until each API server has read it.
put() {
    keys=
    while [ $# -gt 0 ]; do
        keys="$keys${keys:+, }{\"name\": \"$1\", \"secret\": \"$2\"}"
        shift 2
    done
    for host in $hosts; do
        on "$host" "set -eu; umask 077
            api() {
                kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://127.0.0.1:6443 \\
                    --tls-server-name kubernetes \"\$@\"
            }
            read_at() { api get --raw /metrics | sed -n 's/^$METRIC.*status=\"success\".* //p'; }
            if ! api get --raw /readyz >/dev/null; then
                echo '$host: its API server is not ready' >&2
                exit 1
            fi
            before=\$(read_at) # nothing, as long as it has read no second configuration
            cp -p $FILE $FILE.old
            printf '%s\n' '$START$keys$END' >$FILE.new
            sync $FILE.new
            mv $FILE.new $FILE
            until now=\$(read_at) && [ -n \"\$now\" ] && [ \"\$now\" != \"\$before\" ]; do sleep 2; done"
        echo "$host has it"
    done
}

hosts=$*
first=$1
count=$(on "$first" 'kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes --no-headers \
    -l node-role.kubernetes.io/control-plane | wc -l') || die "$first: its API cannot be asked"
[ "$count" = $# ] || die "the cluster has $count control planes, and $# were named"
there=$(keys_on "$first") || exit 1
[ -n "$there" ] || die "$first: $FILE has no key"
for host in $hosts; do # what an earlier run has left may differ from one to the next
    more=$(keys_on "$host") || exit 1
    there=$(printf '%s\n%s\n' "$there" "$more" | awk '!seen[$1]++')
done
name=key-$(date +%Y%m%d%H%M%S)
new=$(head -c 32 /dev/urandom | base64)

echo "1. every API server can read the new key"
# shellcheck disable=SC2086
put $there "$name" "$new"
echo "2. every API server writes with it"
# shellcheck disable=SC2086
put "$name" "$new" $there
echo "3. all Secrets are written again"
on "$first" 'set -eu
    export KUBECONFIG=/etc/kubernetes/admin.conf
    kubectl get secrets --all-namespaces -o json | kubectl replace -f - >/dev/null'
echo "4. the old keys go"
put "$name" "$new"
for host in $hosts; do on "$host" "rm -f $FILE.old"; done

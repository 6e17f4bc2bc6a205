# shellcheck shell=sh
# Makes etcd anew with this member alone, from the data that it has: when most of the others are gone
# for good, no vote can take them out. What etcd had is kept aside; cut off anywhere, it goes on.

KEPT=$KUBERNETES/etcd-recovery.yaml # etcd's own manifest, until all is over
MANIFEST=$KUBERNETES/manifests/etcd.yaml
DATA=/var/lib/etcd
COPY=$RPOOL_DIR/etcd-before-recovery

act() {
    need crictl curl
    secret_dir
    end=$(($(uptime_seconds) + TIMEOUT_SECONDS - 5))
    if [ ! -d "$DATA/member" ]; then die 1 "there is no data of etcd in $DATA"; fi
    keep_manifest
    end_etcd
    keep_data
    put_manifest --force-new-cluster=true
    until alone; do again "etcd has other members still: $members"; done
    end_etcd
    put_manifest
    until serves; do again "the API does not answer: $answer"; done
    rm -f "$KEPT"
}

again() {
    if [ "$(uptime_seconds)" -ge "$end" ]; then
        say "$1"
        exit 124
    fi
    sleep 1
}

keep_manifest() {
    if [ -e "$KEPT" ]; then return 0; fi
    if [ ! -e "$MANIFEST" ]; then die 1 "there is no $MANIFEST: this server runs no etcd"; fi
    cp "$MANIFEST" "$KEPT.new"
    sync "$KEPT.new"
    mv -fT "$KEPT.new" "$KEPT"
    sync "$KUBERNETES"
}

end_etcd() {
    rm -f "$MANIFEST"
    until found=$(static_pod ps etcd) && [ -z "$found" ]; do again "etcd does not end"; done
}

# The first time: what a second one finds is half made.
keep_data() {
    if [ -e "$COPY" ]; then return 0; fi
    rm -rf "$COPY.new"
    cp -a "$DATA" "$COPY.new"
    sync "$COPY.new"
    mv -T "$COPY.new" "$COPY"
    sync "$RPOOL_DIR"
}

# put_manifest [FLAG]: as it was kept, with a flag more. The kubelet ignores names with a dot in
# front, so it never reads half a manifest.
put_manifest() {
    new=${MANIFEST%/*}/.etcd.yaml
    if [ -n "${1:-}" ]; then
        sed "s/^\( *\)- etcd\$/&\n\1- $1/" "$KEPT" >"$new"
        if ! grep -q -e "- $1" "$new"; then die 1 "$KEPT is no manifest of kubeadm's"; fi
    else
        cp "$KEPT" "$new"
    fi
    sync "$new"
    mv -f "$new" "$MANIFEST"
    sync "${MANIFEST%/*}"
}

alone() {
    members=$(etcdctl 5 member list 2>&1) || return 1
    [ "$(printf '%s\n' "$members" | wc -l)" = 1 ]
}

serves() {
    members=$(etcdctl 5 endpoint health 2>&1) || return 1
    answer=$(curl -sk -m 5 "https://$NODE_HOST:6443/readyz" 2>&1)
    [ "$answer" = ok ]
}

# shellcheck shell=sh
# Makes etcd anew with this member alone, from the data that it has: when most of the others are gone
# for good, no vote can take them out. What etcd had is kept aside; cut off anywhere, it goes on.

KEPT=$KUBERNETES/etcd-recovery.yaml # etcd's own manifest, until all is over
MANIFEST=$KUBERNETES/manifests/etcd.yaml
DATA=/var/lib/etcd
COPY=$DATA/before-recovery # a reset takes it along
ALONE=--force-new-cluster=true

act() {
    need crictl curl systemctl
    secret_dir
    end=$(($(uptime_seconds) + TIMEOUT_SECONDS - 5))
    if [ ! -d "$DATA/member" ]; then die 1 "there is no data of etcd in $DATA"; fi
    keep_manifest
    end_etcd
    keep_data
    put_manifest "$ALONE"
    until alone; do again "etcd has other members still: $members"; done
    end_etcd
    put_manifest
    rm -f "$KEPT"
    until serves; do again "the API does not answer: $answer"; done
}

again() {
    if [ "$(uptime_seconds)" -ge "$end" ]; then
        say "$1"
        exit 124
    fi
    sleep 1
}

# What was kept counts while etcd has no manifest of its own. A copy of another recovery is put away.
keep_manifest() {
    if [ -e "$KEPT" ] && ! is_plain; then return 0; fi
    if ! is_plain; then die 1 "there is no $MANIFEST of kubeadm's: this server runs no etcd"; fi
    if [ -e "$COPY" ] && [ ! -e "$KEPT" ]; then
        rm -rf "$COPY.old"
        mv -T "$COPY" "$COPY.old"
    fi
    cp "$MANIFEST" "$KEPT.new"
    sync "$KEPT.new"
    mv -fT "$KEPT.new" "$KEPT"
    sync "$KUBERNETES"
}

is_plain() { [ -e "$MANIFEST" ] && ! grep -q -e "$ALONE" "$MANIFEST"; }

# A kubelet that has not reached its API since it started ends no pod, whatever becomes of the
# manifest: so it is after a reboot of the last one that is left. It is off meanwhile.
end_etcd() {
    quietly systemctl stop kubelet.service
    rm -f "$MANIFEST"
    until found=$(static_pod ps etcd) && [ -z "$found" ]; do
        # shellcheck disable=SC2086  # ids, one a word
        if [ -n "$found" ]; then quietly crictl --timeout 60s stop --timeout 30 $found || true; fi
        again "etcd does not end"
    done
}

# The first time: what a second one finds is half made.
keep_data() {
    if [ -e "$COPY" ]; then return 0; fi
    rm -rf "$COPY.new"
    cp -a "$DATA/member" "$COPY.new"
    sync "$COPY.new"
    mv -T "$COPY.new" "$COPY"
    sync "$DATA"
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
    quietly systemctl start kubelet.service
}

alone() {
    members=$(etcdctl 5 member list 2>&1) || return 1
    [ "$(printf '%s\n' "$members" | wc -l)" = 1 ]
}

serves() {
    answer=$(etcdctl 5 endpoint health 2>&1) || return 1
    answer=$(curl -sk -m 5 "https://$NODE_HOST:6443/readyz" 2>&1)
    [ "$answer" = ok ]
}

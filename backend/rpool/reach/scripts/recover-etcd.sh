# shellcheck shell=sh
# Makes etcd anew with this member alone, from the data that it has: when most of the others are gone
# for good, no vote can take them out. What etcd had is kept aside; cut off anywhere, it goes on.

KEPT=$KUBERNETES/etcd-recovery.yaml # etcd's own manifest, until it is put back
MANIFEST=$KUBERNETES/manifests/etcd.yaml
DATA=/var/lib/etcd
COPY=$DATA/before-recovery # a reset takes it along
ALONE=--force-new-cluster=true
STARTS_SECONDS=60 # what etcd takes until it answers

act() {
    need crictl curl systemctl
    secret_dir
    end=$(($(uptime_seconds) + TIMEOUT_SECONDS - 5))
    if [ ! -d "$DATA/member" ]; then die 1 "there is no data of etcd in $DATA"; fi
    if ! is_over; then make_anew; fi
    until serves; do again "the API does not answer: $answer"; done
}

make_anew() {
    keep_manifest
    end_etcd
    keep_data
    put_flagged
    until alone; do again "etcd has other members still: $members"; done
    end_etcd
    put_back
}

# Whether an earlier run has come to its end but for the wait: to make etcd anew once more would put
# away the copy of what it had. etcd may be on its way up; where it is without its quorum, this is
# another recovery.
is_over() {
    if [ ! -e "$COPY" ] || [ -e "$KEPT" ] || ! is_plain; then return 1; fi
    quietly systemctl start kubelet.service
    soon=$(($(uptime_seconds) + STARTS_SECONDS))
    until listed; do
        if [ "$(uptime_seconds)" -ge "$soon" ]; then return 1; fi
        sleep 1
    done
    alone
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

# As it was kept, with a flag more. The kubelet ignores names with a dot in front, so it never reads
# half a manifest.
put_flagged() {
    new=${MANIFEST%/*}/.etcd.yaml
    sed "s/^\( *\)- etcd\$/&\n\1- $ALONE/" "$KEPT" >"$new"
    if ! grep -q -e "- $ALONE" "$new"; then die 1 "$KEPT is no manifest of kubeadm's"; fi
    sync "$new"
    mv -f "$new" "$MANIFEST"
    sync "${MANIFEST%/*}"
    quietly systemctl start kubelet.service
}

# In one step: what is kept says that etcd is still to be made anew.
put_back() {
    mv -fT "$KEPT" "$MANIFEST"
    sync "$KUBERNETES" "${MANIFEST%/*}"
    quietly systemctl start kubelet.service
}

alone() { listed && [ "$(printf '%s\n' "$members" | wc -l)" = 1 ]; }

listed() { members=$(etcdctl 5 member list 2>&1); }

serves() {
    answer=$(etcdctl 5 endpoint health 2>&1) || return 1
    answer=$(curl -sk -m 5 "https://$NODE_HOST:6443/readyz" 2>&1)
    [ "$answer" = ok ]
}

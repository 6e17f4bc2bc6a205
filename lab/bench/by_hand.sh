#!/bin/sh
# Makes a cluster of 3 control planes and 2 workers on a fresh lab, as a good engineer would by
# hand: everything at once that can be done at once. It is what the provider is measured against,
# so it keeps to what any engineer has: ssh, apt, kubeadm, kubectl.
# Usage: by_hand.sh [LAB]      prints one line for each thing done, with seconds
set -eu

here=$(cd "$(dirname "$0")" && pwd)
lab=${1:-lab}
if [ -z "${AT_DESK:-}" ]; then
    export AT_DESK=1
    cd "$here/../.."
    exec "${PYTHON:-python3}" -m lab run --name "$lab" -- sh "$here/by_hand.sh" "$lab"
fi

PAUSE=3.10.2
work=$(mktemp -d)
# shellcheck disable=SC2046 # one word for each process
trap 'kill $(jobs -p) 2> /dev/null || :; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
python=${PYTHON:-python3}

# --- the site -------------------------------------------------------------------------------
$python -m lab site --name "$lab" > "$work/site"
$python -m lab fleet --name "$lab" | sed -E 's/^([^:]*): .*address: ([^,]*),.*"(ssh-[^"]*)".*/\1 \2 \3/' > "$work/fleet"
site() { $python -c "import json, sys; s = json.load(open(sys.argv[1])); print($1)" "$work/site"; }
version=$(site 's["kubernetes"]')
key=$(site 's["key_file"]')
vip=$(site 's["vips"][0]')
pool=$(site 's["lb_range"]')
packages=$(site 's["mirrors"]["packages"]')
images=$(site 's["mirrors"]["images"]')
manifests=$(site 's["mirrors"]["manifests"]')
awk '{ print $2, $3, $4 }' "$work/fleet" > "$work/known_hosts"
first=$(sed -n 1p "$work/fleet" | cut -d' ' -f1)
others=$(sed -n 2,3p "$work/fleet" | cut -d' ' -f1)
workers=$(sed -n 4,5p "$work/fleet" | cut -d' ' -f1)

address() { awk -v name="$1" '$1 == name { print $2 }' "$work/fleet"; }

on() { # SERVER COMMAND: standard input goes along
    server=$(address "$1")
    shift
    ssh -i "$key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o LogLevel=ERROR -F none \
        -o "UserKnownHostsFile=$work/known_hosts" -o ControlMaster=auto -o ControlPersist=60 \
        -o "ControlPath=$work/%h" "root@$server" "$@"
}

# --- timing ---------------------------------------------------------------------------------
now() { date +%s.%N; }
start=$(now)
timed() { # WHAT COMMAND...   never in a condition: the shell would go on after a failure inside
    what=$1
    shift
    begin=$(now)
    ("$@") > "$work/$what.log" 2>&1 &
    if ! wait $!; then
        echo "FAILED: $what" >&2
        tail -n 40 "$work/$what.log" >&2
        kill "$$"
        exit 1
    fi
    now | awk -v what="$what" -v begin="$begin" -v start="$start" \
        '{ printf "%-28s %6.1f s   from %6.1f to %6.1f\n", what, $1 - begin, begin - start, $1 - start }'
}

# --- what is done to a server ---------------------------------------------------------------
node_registration='nodeRegistration:
  ignorePreflightErrors: [SystemVerification]'
# As the provider has them: kubeadm's own give up on servers that are merely slow. Nothing waits for
# longer than it takes because of them.
deadlines='timeouts: {kubernetesAPICall: 5m0s, controlPlaneComponentHealthCheck: 8m0s, kubeletHealthCheck: 8m0s, tlsBootstrap: 8m0s}'

init_configuration() {
    cat << EOF
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: $(address "$first")}
bootstrapTokens: [{token: $token, ttl: 30m}]
certificateKey: $certificate_key
$node_registration
$deadlines
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$version
controlPlaneEndpoint: $vip:6443
networking: {podSubnet: 10.244.0.0/16}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
localStorageCapacityIsolation: false
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0, min: 0}
EOF
}

join_configuration() { # SERVER [control-plane]
    cat << EOF
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken: {token: $token, apiServerEndpoint: "$vip:6443", caCertHashes: ["$(cat "$work/ca_hash")"]}
$node_registration
$deadlines
EOF
    [ "${2:-}" = control-plane ] || return 0
    cat << EOF
controlPlane:
  localAPIEndpoint: {advertiseAddress: $(address "$1")}
  certificateKey: $certificate_key
EOF
}

kube_vip() { # KUBECONFIG: the static pod that holds the virtual address
    cat << EOF
apiVersion: v1
kind: Pod
metadata: {name: kube-vip, namespace: kube-system}
spec:
  hostNetwork: true
  hostAliases: [{ip: 127.0.0.1, hostnames: [kubernetes]}]
  containers:
    - name: kube-vip
      image: ghcr.io/kube-vip/kube-vip:v1.0.0
      args: [manager]
      env:
        - {name: vip_arp, value: "true"}
        - {name: port, value: "6443"}
        - {name: vip_nodename, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: vip_interface, value: eno1}
        - {name: vip_subnet, value: "32"}
        - {name: cp_enable, value: "true"}
        - {name: cp_namespace, value: kube-system}
        - {name: vip_leaderelection, value: "true"}
        - {name: vip_leasename, value: plndr-cp-lock}
        - {name: vip_leaseduration, value: "5"}
        - {name: vip_renewdeadline, value: "3"}
        - {name: vip_retryperiod, value: "1"}
        - {name: address, value: "$vip"}
      securityContext: {capabilities: {drop: [ALL], add: [NET_ADMIN, NET_RAW]}}
      volumeMounts: [{mountPath: /etc/kubernetes/admin.conf, name: kubeconfig}]
  volumes: [{name: kubeconfig, hostPath: {path: $1}}]
EOF
}

prepare() { on "$1" sh -s -- "$version" "$packages" "$images" "$PAUSE" < "$here/prepare.sh"; }

init() {
    kube_vip /etc/kubernetes/super-admin.conf |
        on "$first" 'mkdir -p /etc/kubernetes/manifests && cat > /etc/kubernetes/manifests/kube-vip.yaml'
    init_configuration | on "$first" 'umask 077; cat > /root/init.yaml; kubeadm init --upload-certs --config /root/init.yaml'
    kube_vip /etc/kubernetes/admin.conf | on "$first" 'cat > /etc/kubernetes/manifests/kube-vip.yaml'
    on "$first" "openssl x509 -pubkey -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der |
        openssl dgst -sha256 -r | sed 's/^/sha256:/; s/ .*//'" > "$work/ca_hash.unfinished"
    mv "$work/ca_hash.unfinished" "$work/ca_hash"
}

join() { # SERVER [control-plane]
    join_configuration "$@" | on "$1" 'umask 077; cat > /root/join.yaml; kubeadm join --config /root/join.yaml'
    [ "${2:-}" = control-plane ] || return 0
    kube_vip /etc/kubernetes/admin.conf |
        on "$1" 'cat > /etc/kubernetes/manifests/kube-vip.yaml'
}

# The API of that very server: while etcd takes on a member, writes can take longer than the 3 s
# in which kube-vip has to renew its lease, and then the virtual IP is nowhere for a while.
kubectl() {
    on "$first" kubectl --kubeconfig /etc/kubernetes/admin.conf \
        --server "https://$(address "$first"):6443" "$@"
}

# again COMMAND...: until it succeeds, as an operator does who sees a busy API say no. The provider
# waits for the same things, asks at the same pace, and its time counts that as well, so this does.
# The command stands in a condition here: only its last exit status counts.
again() {
    give_up=$(($(date +%s) + 180))
    until "$@"; do
        [ "$(date +%s)" -lt "$give_up" ] || return 1
        sleep 1
    done
}

flannel() { curl -fsS "$manifests/flannel/v0.28.4/kube-flannel.yml" | kubectl apply --server-side -f -; }

metallb() {
    curl -fsS "$manifests/metallb/v0.15.2/metallb-native.yaml" | kubectl apply --server-side -f -
}

metallb_pool() {
    again kubectl -n metallb-system rollout status deployment/controller --timeout 180s
    again pools
}

pools() {
    kubectl apply --server-side -f - << EOF
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: default, namespace: metallb-system}
spec: {addresses: ["$pool"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: default, namespace: metallb-system}
spec: {ipAddressPools: [default]}
EOF
}

# What the provider waits for, too: nodes, not MetalLB's speakers on each of them.
all_ready() { again kubectl wait --for condition=Ready node --all --timeout 180s; }

# --- the work -------------------------------------------------------------------------------
token=$(od -An -N11 -tx1 /dev/urandom | tr -d ' \n' | sed -E 's/^(.{6})(.{16}).*/\1.\2/')
certificate_key=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')

for server in $workers $others; do
    timed "prepare-$server" prepare "$server" &
    echo $! > "$work/preparing-$server"
done
timed "prepare-$first" prepare "$first"
timed init init

prepared() { # wait for a server's preparation, from whichever shell
    while kill -0 "$(cat "$work/preparing-$1")" 2> /dev/null; do sleep 0.1; done
}
joined_worker() {
    prepared "$1"
    timed "join-$1" join "$1"
}

network() {
    timed flannel again flannel
    timed metallb again metallb
    timed metallb-pool metallb_pool
}

network &
network=$!
joining=
for server in $workers; do
    joined_worker "$server" &
    joining="$joining $!"
done
for server in $others; do
    prepared "$server"
    timed "join-$server" join "$server" control-plane
done
for process in $joining $network; do wait "$process"; done
timed all-ready all_ready
now | awk -v start="$start" '{ printf "%-28s %6.1f s\n", "cluster", $1 - start }'

# --- one more worker, prepared beforehand ----------------------------------------------------
sixth=$(sed -n 6p "$work/fleet" | cut -d' ' -f1)
one_more() {
    join "$sixth"
    again kubectl wait --for create "node/$sixth" --timeout 60s # kubeadm may end before it is there
    again kubectl wait --for condition=Ready "node/$sixth" --timeout 180s
}
timed "prepare-$sixth" prepare "$sixth"
timed one-more one_more

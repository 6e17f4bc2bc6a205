#!/bin/sh
# Prepares one fresh Debian server for kubeadm, as an engineer would by hand. Runs as root there.
# Usage: prepare.sh VERSION PACKAGES IMAGES PAUSE
#   VERSION 1.36.3, PACKAGES base address of the package repositories, IMAGES address of the
#   registry that stands in for all others, PAUSE the pause image's tag
set -eu
version=$1 packages=$2 images=$3 pause=$4
minor=v${version%.*}

mkdir -p /etc/apt/keyrings
curl -fsS "$packages/$minor/deb/Release.key" | gpg --dearmor --yes -o /etc/apt/keyrings/kubernetes.gpg
echo "deb [signed-by=/etc/apt/keyrings/kubernetes.gpg] $packages/$minor/deb/ /" \
    > /etc/apt/sources.list.d/kubernetes.list

mkdir -p /etc/containerd/certs.d/_default
cat > /etc/containerd/certs.d/_default/hosts.toml <<EOF
server = "$images"
[host."$images"]
  capabilities = ["pull", "resolve"]
EOF
cat > /etc/containerd/config.toml <<EOF
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.k8s.io/pause:$pause'
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '/etc/containerd/certs.d'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/opt/cni/bin']
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
EOF

printf '%s\n' overlay br_netfilter > /etc/modules-load.d/kubernetes.conf
modprobe -a overlay br_netfilter
cat > /etc/sysctl.d/90-kubernetes.conf <<EOF
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
EOF
sysctl --quiet --load /etc/sysctl.d/90-kubernetes.conf

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -o Dpkg::Options::=--force-confold --no-install-recommends containerd runc \
    "kubeadm=$version-1.1" "kubelet=$version-1.1" "kubectl=$version-1.1" > /dev/null
apt-mark hold kubeadm kubelet kubectl > /dev/null
systemctl enable --quiet kubelet
systemctl is-active --quiet containerd

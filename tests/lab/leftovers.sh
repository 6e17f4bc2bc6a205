#!/bin/sh
# What a cluster left on a server, one thing a line. Run there as root; nothing is changed.

exec 2>&1
# The mark of the domain of trust outlives every cluster, and so does what has failed there.
find /var/lib/rpool -mindepth 1 ! -name trust ! -name failures 2>/dev/null
# The numbers of sessions outlive a cluster, and not the boot: what comes late is refused by them.
find /run/rpool -mindepth 1 ! -name 'session-*.number' 2>/dev/null
ctr --namespace k8s.io containers list --quiet 2>/dev/null | sed 's/^/container /'
pgrep -a '^(kubelet|kube-|etcd|coredns|flanneld|speaker|controller|containerd-shim)' |
    sed 's/^[0-9]*/process/'
# The lab itself mounts /var/lib/kubelet, so that it does not lie on an overlay.
awk '$2 ~ "kubelet/|/run/netns|k8s.io" { print "mount", $2 }' /proc/self/mounts
ip -o link show | awk -F ': ' '$2 !~ /^(lo|eno1)(@|$)/ { print "interface", $2 }'
ip -o -4 addr show | awk '$4 ~ "/32$" { print "address", $4 }'
ip route show | grep -E 'flannel|cni' | sed 's/^/route /'
iptables-save 2>/dev/null | grep -E 'KUBE|FLANNEL|CNI-' | sed 's/^/rule /'
nft list tables 2>/dev/null | grep -E 'kube|flannel|cni' | sed 's/^/nft /'
find / -xdev \( -path /proc -o -path /sys -o -path /usr/share -o -path /var/lib/dpkg -o \
    -path /var/lib/apt -o -path /var/cache -o -path /usr/lib/python3 \) -prune -o \
    \( -iname '*kube*' -o -iname '*rpool*' -o -iname '*flannel*' -o -iname '*etcd*' -o \
       -path '/etc/cni/*' -o -path '/var/log/pods/*' -o -path '/var/log/containers/*' \) -print |
while read -r path; do
    case $path in
        */rpool-lab* | *rpool-lab.*) continue ;; # what the lab made before there was a cluster
        /var/lib/rpool) continue ;; # see above
        # Mounts of the lab's, if they are empty.
        /var/lib/etcd | /var/lib/kubelet) [ -n "$(ls -A "$path")" ] || continue ;;
    esac
    dpkg-query -S "$path" >/dev/null 2>&1 || echo "path $path"
done

# shellcheck shell=sh
# What "no trace of kubeadm" and "verified clean" mean; both are this one function.
#
# `traces` prints one line for each thing that kubeadm, a kubelet or a pod network left on this
# server, and nothing on a clean one. Packages and images are no traces: they harm nobody.

# any PATH...: prints those that exist.
any() {
    for path; do
        if [ -e "$path" ] || [ -L "$path" ]; then printf '%s\n' "$path"; fi
    done
}

# filled DIRECTORY...: prints what is in it, but for folders with nothing in them, which packages
# ship and disks have (lost+found). The search of each ends at the first file.
filled() {
    for directory; do
        for entry in "$directory"/* "$directory"/.[!.]* "$directory"/..?*; do
            if [ -n "$(find "$entry" -xdev ! -type d -print -quit 2>/dev/null)" ]; then
                printf '%s\n' "$entry"
            fi
        done
    done
}

# Whatever a reset deletes, whoever put it there: so a server with an etcd of its own, or with an
# operator's file among those of kubeadm, is never taken and cannot lose it.
trace_files() {
    filled "$KUBERNETES" /var/lib/kubelet /var/lib/etcd
    any /var/run/kubernetes /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist \
        /var/lib/cni/* /run/flannel /var/log/pods/* /var/log/containers/* \
        "$KUBEADM_ENDED" "$JOINED"
    # An init container of flannel puts its plugin here; a package's own is none of our business.
    if [ -e /opt/cni/bin/flannel ] && ! dpkg -S /opt/cni/bin/flannel >/dev/null 2>&1; then
        printf '%s\n' /opt/cni/bin/flannel
    fi
}

# Not from /sys, which in a container may show the host's.
trace_interfaces() {
    awk -F : 'NR > 2 {
        gsub(/ /, "", $1)
        if ($1 ~ /^(flannel.*[.]1|cni0|kube-ipvs0|kube-bridge|cilium_host|vxlan[.]calico)$/)
            print "interface " $1
    }' /proc/net/dev
}

# A kubelet that has no configuration is restarted for ever by systemd, and is no trace: only one
# that serves counts, on its port 10250 (0x280A).
trace_processes() {
    if awk '$2 ~ /:280A$/ && $4 == "0A" { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null; then
        printf 'process kubelet, or another, on port 10250\n'
    fi
    grep -lx containerd-shim /proc/[0-9]*/comm 2>/dev/null | while read -r comm; do
        if grep -q 'k8s\.io' "${comm%comm}cmdline" 2>/dev/null; then
            printf 'process containerd-shim of Kubernetes\n'
            break
        fi
    done
}

trace_mounts() {
    awk '$5 ~ "^/var/lib/kubelet/" || $5 ~ "^/run/netns/cni-" { print "mount " $5 }' \
        /proc/self/mountinfo
}

trace_firewall() {
    if command -v nft >/dev/null 2>&1; then
        nft list chains 2>/dev/null | awk '
            $1 == "table" { table = $2 " " $3; if ($3 == "kube-proxy") print "nft table " table }
            $1 == "chain" && $2 ~ /^(KUBE|FLANNEL|CNI)-/ { print "chain " $2 " in " table }'
    fi
    # The old kind of iptables, only where the kernel has its tables loaded already.
    for family in ip ip6; do
        if [ -s "/proc/net/${family}_tables_names" ] &&
            command -v "${family}tables-legacy-save" >/dev/null 2>&1; then
            "${family}tables-legacy-save" 2>/dev/null |
                sed -n "s/^:\(\(KUBE\|FLANNEL\|CNI\)-[^ ]*\) .*/chain \1 in ${family}tables-legacy/p"
        fi
    done
}

traces() {
    trace_files
    trace_interfaces
    trace_processes
    trace_mounts
    trace_firewall
}

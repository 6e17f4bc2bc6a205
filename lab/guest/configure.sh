#!/bin/sh
# Turns a debootstrap tree into a server's disk. Runs in a chroot.
# Usage: configure.sh KERNEL_RELEASE
set -eu
kernel=$1

# No module can be loaded on the lab's machine, and modprobe of a built-in one must succeed.
modules=/lib/modules/$kernel
mkdir -p "$modules"
for module in fs/overlayfs/overlay net/bridge/br_netfilter net/netfilter/nf_conntrack \
    drivers/net/vxlan/vxlan net/ipv4/netfilter/ip_tables net/netfilter/xt_conntrack; do
    echo "kernel/$module.ko"
done > "$modules/modules.builtin"
: > "$modules/modules.order"
: > "$modules/modules.builtin.modinfo"
depmod -a "$kernel"

# An operator's account that is not root.
useradd --create-home --shell /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops
chmod 0440 /etc/sudoers.d/ops

# The lab's cables, clock and consoles are not the server's to manage.
systemctl mask --quiet systemd-networkd.service systemd-networkd.socket systemd-resolved.service \
    systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
    systemd-udev-trigger.service systemd-udev-settle.service systemd-modules-load.service \
    systemd-pcrphase.service systemd-firstboot.service systemd-homed.service \
    getty.target console-getty.service getty@.service serial-getty@.service \
    apt-daily.timer apt-daily-upgrade.timer
systemctl enable --quiet rpool-lab-early.service ssh.service
systemctl set-default --quiet multi-user.target

# Each server gets its own.
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id /etc/hostname
: > /etc/machine-id
: > /etc/resolv.conf
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /etc/apt/sources.list.d/*

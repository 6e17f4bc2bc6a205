#!/bin/sh
# Boots one server: its disk, then systemd as its process 1. Runs in a mount namespace of its own,
# in the server's control groups; power.sh tells it LAYERS, DISK, NAME, MACHINE and NAMESPACE.
set -eu

mount -t overlay overlay -o "lowerdir=$LAYERS,upperdir=$DISK/upper,workdir=$DISK/work" "$DISK/root"

export SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 SYSTEMD_SECCOMP=0 SYSTEMD_NSPAWN_LOCK=0
# container engines keep their own overlays, and those can't be on this one
exec systemd-nspawn --quiet --directory="$DISK/root" --machine="$NAMESPACE" --hostname="$NAME" \
    --uuid="$MACHINE" --register=no --keep-unit --capability=all --console=pipe \
    --network-namespace-path="/run/netns/$NAMESPACE" --resolv-conf=off --timezone=off \
    --link-journal=no --tmpfs=/tmp \
    --bind="$DISK/containerd:/var/lib/containerd" \
    --bind="$DISK/kubelet:/var/lib/kubelet" \
    --bind="$DISK/etcd:/var/lib/etcd" \
    --boot

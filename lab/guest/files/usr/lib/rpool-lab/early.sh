#!/bin/sh
# Makes a container look like a machine of its own, before anything else starts in it.
# The kernel's settings are shared with the machine that the lab runs on, and so are its cores
# and its memory; a server must neither change the first nor show the second.
set -eu
here=/usr/lib/rpool-lab
own=/run/rpool-lab-own

mount --make-rshared /

awk '$3 == "cgroup" { print $2 }' /proc/mounts | while read -r tree; do
    mount -o remount,bind,rw "$tree"
done

ln -sf /dev/null /dev/kmsg

# Settings of vm and fs: a copy that can be written to without reaching the machine.
for family in vm fs; do
    mkdir -p "$own/$family"
    (
        cd "/proc/sys/$family"
        find . -type d -exec mkdir -p "$own/$family/{}" \;
        find . -type f -perm -u=r -exec sh -c \
            'for f; do cat "$f" > "$0/$f" 2>/dev/null || :; done' "$own/$family" {} +
    )
    mount --bind "$own/$family" "/proc/sys/$family"
done

# Settings of the kernel: to be read, but for those that a kubelet sets. The server's own boot_id
# is mounted below them already, hence rbind.
mkdir -p "$own/kernel"
mount --rbind /proc/sys/kernel /proc/sys/kernel
mount -o remount,bind,ro /proc/sys/kernel
for setting in panic panic_on_oops keys/root_maxkeys keys/root_maxbytes; do
    copy=$own/kernel/$(basename "$setting")
    cat "/proc/sys/kernel/$setting" > "$copy"
    mount --bind "$copy" "/proc/sys/kernel/$setting"
done

for view in cpuinfo meminfo; do
    mount --bind "$here/hardware/$view" "/proc/$view"
done
for view in cpu node; do
    mount --bind "$here/hardware/$view" "/sys/devices/system/$view"
done

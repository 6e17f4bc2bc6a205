# shellcheck shell=sh
# Makes the running system be what the files that were put before this say.
# Parameter: SWAP, `on` when the kubelet is told to bear with swap.

load_modules() {
    for module in overlay br_netfilter; do
        modprobe "$module" || die "the kernel has no module $module"
    done
}

apply_settings() {
    output=$(sysctl --quiet --load=/etc/sysctl.d/99-rpool.conf 2>&1) ||
        die "the kernel refuses /etc/sysctl.d/99-rpool.conf: $output"
}

# Now and after a reboot; the lines stay in fstab behind a mark, and a reset takes it off.
turn_swap_off() {
    if grep -Eq '^[^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap[[:space:]]' /etc/fstab; then
        edit /etc/fstab \
            's/^([^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap[[:space:]])/#rpool# \1/'
    fi
    devices=$(awk 'NR > 1 { print $1 }' /proc/swaps)
    if [ -z "$devices" ]; then return 0; fi
    swapoff --all || die "cannot turn swap off"
    printf 'changed swap\n'
    for device in $devices; do
        case $device in
            /dev/zram*) warn "swap on $device will be back after a reboot: remove what sets it up" ;;
        esac
    done
}

load_modules
apply_settings
if [ "$SWAP" != on ]; then turn_swap_off; fi

# shellcheck shell=sh
# Sets the address pools of a MetalLB that runs: its webhook judges them, so this waits until that is
# up.

act() {
    need kubectl
    secret_dir
    set_pools
}

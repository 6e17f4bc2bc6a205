# shellcheck shell=sh
# What each control plane runs every minute, whether or not anybody applies anything: certificates
# of kubelets live for a year, and are asked for anew some months before.

main() {
    need kubectl openssl
    run_dir
    secret_dir
    approve_kubelets
}

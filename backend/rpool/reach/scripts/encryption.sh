# shellcheck shell=sh
# Prints this control plane's EncryptionConfiguration, for one that is to join.

main() {
    if [ -e "$API_SERVER/encryption.yaml" ]; then cat "$API_SERVER/encryption.yaml"; fi
}

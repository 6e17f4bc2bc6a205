# shellcheck shell=sh
# Moves our claim to another phase. A member's has the pin of the CA that it joined: by that anybody
# can tell whether two servers are of one cluster.

act() {
    pin=
    if [ "$PHASE" = member ] && [ -e "$KUBERNETES/pki/ca.crt" ]; then pin=sha256:$(ca_pin); fi
    pinned="s/^\( \"ca_pin\": *\)\"\"/\1\"$pin\"/"
    new=$(mktemp "$RPOOL_DIR/.new.XXXXXX")
    sed "s/^\( \"phase\": *\)\"[^\"]*\"/\1\"$PHASE\"/; $pinned" "$CLAIM" >"$new"
    replace_durably "$CLAIM" "$new"
}

# The digest of the CA's public key (SPKI, DER), in hexadecimal.
ca_pin() {
    need openssl
    key=$(openssl x509 -in "$KUBERNETES/pki/ca.crt" -noout -pubkey)
    printf '%s\n' "$key" | openssl pkey -pubin -outform der | sha256sum | cut -d ' ' -f 1
}

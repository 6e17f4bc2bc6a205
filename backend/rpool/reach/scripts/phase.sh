# shellcheck shell=sh
# Moves our claim to another phase. A member's has the pin of the CA that it joined: by that anybody
# can tell whether two servers are of one cluster. What failed before it was one is over.
#
# That it is leaving is advice to others. A full disk, which takes no new claim, is a reason to leave:
# the reset that is next makes room.

act() {
    if replace_phase; then return 0; fi
    rm -f "$CLAIM.new" || true # of a read-only disk nothing goes
    if [ "$PHASE" != leaving ]; then die 1 "the claim cannot be written, and is as it was"; fi
    say "the claim cannot be written: its phase stays $(claim_value phase)"
}

# With no `set -e`, since its end is asked for: each command that may fail says so.
replace_phase() {
    pin=
    if [ "$PHASE" = member ] && [ -e "$KUBERNETES/pki/ca.crt" ]; then
        pin=$(ca_pin) && pin=sha256:$pin || return 1
    fi
    if [ "$PHASE" = member ]; then rm -f "$FAILURES" || return 1; fi
    pinned="s/^\( \"ca_pin\": *\)\"\"/\1\"$pin\"/"
    text=$(sed "s/^\( \"phase\": *\)\"[^\"]*\"/\1\"$PHASE\"/; $pinned" "$CLAIM") || return 1
    write_durably "$CLAIM" "$text"
}

# The digest of the CA's public key (SPKI, DER), in hexadecimal.
ca_pin() {
    need openssl
    key=$(openssl x509 -in "$KUBERNETES/pki/ca.crt" -noout -pubkey)
    printf '%s\n' "$key" | openssl pkey -pubin -outform der | sha256sum | cut -d ' ' -f 1
}

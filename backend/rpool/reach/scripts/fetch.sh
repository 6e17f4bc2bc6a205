# shellcheck shell=sh
# Upstream manifests: fetched by the server (the person at Terraform may have no way to the mirror),
# used only when the digest is the one we know.

# fetch FILE, from $MANIFEST_URL
fetch() {
    need curl sha256sum
    if ! curl -fsSL --retry 3 --retry-connrefused --connect-timeout 10 --max-time 120 \
        -o "$1" "$MANIFEST_URL"; then
        die "$FETCH" "cannot fetch $MANIFEST_URL"
    fi
    found=$(sha256sum "$1")
    if [ "${found%% *}" != "$MANIFEST_SHA256" ]; then
        die "$FETCH" "$MANIFEST_URL is not the file we know: its SHA-256 is ${found%% *}, expected $MANIFEST_SHA256"
    fi
}

apply_fetched() {
    keep_trying on_cluster apply --server-side --force-conflicts --field-manager=rpool -f "$1"
}

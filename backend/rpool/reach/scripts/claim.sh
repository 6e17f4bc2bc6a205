# shellcheck shell=sh
# Publishes our claim: written and fsynced under another name first, then given its own by a hard
# link, which fails when there is one. A claim of the same ownership is simply ours.

main() {
    if read_claim; then refuse_others; fi # without a wait
    lock_server 30
    lock_claim
    if read_claim; then
        refuse_others
        enter_session "$CLAIM_UID" "$SESSION"
    else
        refuse_dirty
        enter_session "$CLAIM_UID" "$SESSION"
        publish
    fi
}

refuse_dirty() {
    found=$(traces)
    if [ -n "$found" ]; then
        printf '%s\n' "$found"
        die "$DIRTY" "nobody claims this server, but it has traces of Kubernetes"
    fi
}

publish() {
    mkdir -p "$RPOOL_DIR"
    rm -f "$RPOOL_DIR"/.new.*
    new=$(mktemp "$RPOOL_DIR/.new.XXXXXX")
    write_file "$new" "$CLAIM_TEXT"
    sync "$new"
    ln "$new" "$CLAIM"
    rm -f "$new"
    : >>"$JOURNAL"
    sync "$RPOOL_DIR"
    sync "${RPOOL_DIR%/*}"
}

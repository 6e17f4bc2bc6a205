# shellcheck shell=sh
# Publishes our claim: written and fsynced under another name first, then given its own by a hard
# link, which fails when there is one. A claim of the same ownership is simply ours; one that is of
# $OVER_UID and $OVER_EPOCH is replaced.

main() {
    if read_claim && ! is_over; then refuse_others; fi # without a wait
    lock_server 30
    lock_claim
    if read_claim && is_over; then
        enter_session "$CLAIM_UID" "$SESSION"
        take_over
    elif read_claim; then
        refuse_others
        enter_session "$CLAIM_UID" "$SESSION"
    else
        refuse_dirty
        enter_session "$CLAIM_UID" "$SESSION"
        publish
    fi
}

# is_over: the claim is the one that is to be taken over.
is_over() {
    [ -n "$OVER_UID" ] && [ "$(claim_value uid)" = "$OVER_UID" ] &&
        [ "$(claim_value epoch)" = "$OVER_EPOCH" ] &&
        [ "$(claim_value server)" = "$SERVER_NAME" ] &&
        [ "$(claim_value format)" = "$CLAIM_FORMAT" ]
}

take_over() {
    new=$(mktemp "$RPOOL_DIR/.new.XXXXXX")
    write_file "$new" "$CLAIM_TEXT"
    replace_durably "$CLAIM" "$new"
}

refuse_dirty() {
    found=$(traces)
    if [ -n "$found" ]; then
        printf '%s\n' "$found"
        die "$DIRTY" "nobody claims this server, but it has traces of Kubernetes"
    fi
}

# As long as this claim is here, it is compared with what was before: a claim that is taken again, or
# over, makes no list. Without one, what came is unknown; one of an earlier claim would tell wrong.
note_footholds() {
    rm -f "$FOOTHOLDS"
    new=$(mktemp "$RPOOL_DIR/.new.XXXXXX")
    if list_footholds >"$new"; then
        replace_durably "$FOOTHOLDS" "$new"
    fi
    rm -f "$new"
}

publish() {
    mkdir -p "$RPOOL_DIR"
    rm -f "$RPOOL_DIR"/.new.*
    note_footholds
    new=$(mktemp "$RPOOL_DIR/.new.XXXXXX")
    write_file "$new" "$CLAIM_TEXT"
    sync "$new"
    ln "$new" "$CLAIM"
    rm -f "$new"
    : >>"$JOURNAL"
    sync "$RPOOL_DIR"
    sync "${RPOOL_DIR%/*}"
}

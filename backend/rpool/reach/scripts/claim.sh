# shellcheck shell=sh
# Publishes our claim: written and fsynced under another name first, then given its own by a hard
# link, which fails when there is one. A claim of the same ownership is simply ours; one that is of
# $OVER_UID and $OVER_EPOCH is replaced. Where that one is gone, nothing is claimed: ours says how far
# the server was under it, and a server that was installed anew since is not.
#
# With its first claim a server takes on a domain of trust, and keeps it until it is installed anew.

main() {
    if read_claim && ! is_over; then refuse_others; fi # without a wait
    lock_server 30
    lock_claim
    if read_claim && is_over; then
        refuse_other_domain
        enter_session "$CLAIM_UID" "$SESSION"
        take_over
    elif read_claim; then
        refuse_others
        enter_session "$CLAIM_UID" "$SESSION"
        finish
    else
        refuse_gone
        refuse_dirty
        refuse_aside
        refuse_other_domain
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

refuse_gone() {
    if [ -n "$OVER_UID" ]; then
        die "$UNCLAIMED" "the claim to be taken over is no longer here"
    fi
}

refuse_other_domain() {
    if mark_there && [ "$(cat "$MARK" 2>/dev/null)" != "$MARK_TEXT" ]; then
        cat "$MARK" 2>/dev/null || true
        die "$DOMAIN" "this server has served in another domain of trust"
    fi
}

# Before the claim: what is claimed is marked, wherever this is cut off.
mark_domain() {
    if mark_there; then return 0; fi
    write_durably "$MARK" "$MARK_TEXT"
}

take_over() {
    mark_domain
    write_durably "$CLAIM" "$CLAIM_TEXT"
    finish
}

refuse_dirty() {
    found=$(traces)
    if [ -n "$found" ]; then
        printf '%s\n' "$found"
        die "$DIRTY" "nobody claims this server, but it has traces of Kubernetes"
    fi
}

# A line that we cannot read counts, too.
refuse_aside() {
    held=$(grep -sv '^{"format": 1, .*, "aside": false}$' "$FAILURES") || return 0
    printf '%s\n' "$held" | tail -n 1
    die "$ASIDE" "this server is quarantined"
}

# As long as this claim is here, it is compared with what was before: a claim that is taken again, or
# over, makes no list. Without one, what came is unknown; one of an earlier claim would tell wrong.
note_footholds() {
    rm -f "$FOOTHOLDS"
    if list_footholds >"$FOOTHOLDS.new"; then
        replace_durably "$FOOTHOLDS" "$FOOTHOLDS.new"
    fi
    rm -f "$FOOTHOLDS.new"
}

publish() {
    mkdir -p "$RPOOL_DIR"
    mark_domain
    note_footholds
    write_file "$CLAIM.new" "$CLAIM_TEXT"
    sync "$CLAIM.new"
    ln "$CLAIM.new" "$CLAIM"
    finish
}

# What comes after the claim has its name: one that was cut off before is not on the disk yet.
finish() {
    rm -f "$CLAIM.new"
    : >>"$JOURNAL"
    sync "$RPOOL_DIR"
    sync "${RPOOL_DIR%/*}"
}

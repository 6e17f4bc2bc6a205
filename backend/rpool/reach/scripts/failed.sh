# shellcheck shell=sh
# Notes what failed on this server, a line each, the last ones of them; with no $NOTE_TEXT all is
# forgotten. It may be under our claim or under none.

MOST_FAILURES=20

main() {
    lock_claim
    if read_claim; then
        refuse_unreadable
        refuse_other_owner
    fi
    enter_session "$CLAIM_UID" "$SESSION"
    if [ -n "$NOTE_TEXT" ]; then note; else rm -f "$FAILURES" "$FAILURES.new"; fi
    if claim_there; then return 0; fi
    if [ -d "$RPOOL_DIR" ]; then rmdir --ignore-fail-on-non-empty "$RPOOL_DIR"; fi
    rm -f "$CLAIM_LOCK" # from here on another one may be at work
    rmdir --ignore-fail-on-non-empty "$RUN_DIR" 2>/dev/null || true
}

note() {
    mkdir -p "$RPOOL_DIR"
    if grep -qsxF -e "$NOTE_TEXT" "$FAILURES"; then return 0; fi
    before=$(tail -n "$((MOST_FAILURES - 1))" "$FAILURES" 2>/dev/null) || before=
    write_durably "$FAILURES" "${before:+$before
}$NOTE_TEXT"
}

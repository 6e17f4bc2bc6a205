# shellcheck shell=sh
# The session lock of a cluster on this server: held by this very process as long as it is fed. Each
# byte on standard input is answered by one; 30 seconds of silence, or the end of the connection,
# end the process, and the kernel frees the lock. Nothing has to be cleaned up after a crash.
#
# That it is held is told by the number of the cluster's latest session here and an `h`: `12h`.
#
# Sent as an argument, since standard input is the heartbeat; there is no secret in it.

main() {
    need flock timeout
    if read_claim; then refuse_foreign; fi
    file=$RUN_DIR/session-$POOL_UID.lock
    if ! take_lock "$file" 7 0; then
        say "$(cat "$file" 2>/dev/null)" # not to standard output, which gives the lock
        die "$HELD" "another operation is working on this cluster"
    fi
    : >"$file"
    printf '%s\n' "$HOLDER" >"$file"
    printf '%sh' "$(number_found)"
    # Neither child may keep the lock when this process is killed.
    while beat=$(timeout "$SILENCE_SECONDS" dd bs=1 count=1 2>/dev/null 7>&-) && [ -n "$beat" ]; do
        printf 'a' 7>&-
    done
    : >"$file"
    # The operation has let this server go; perhaps it is another cluster's by now. Numbers stay.
    if ! read_claim; then
        rm -f "$file"
        rmdir --ignore-fail-on-non-empty "$RUN_DIR" 2>/dev/null || true
    elif [ "$(claim_value uid)" != "$POOL_UID" ]; then
        rm -f "$file"
    fi
}

refuse_foreign() {
    refuse_unreadable
    if [ "$(claim_value uid)" != "$POOL_UID" ]; then
        show_claim
        die "$FOREIGN" "another cluster's claim is here"
    fi
}

# The claim has its session's number, too, which outlives a boot.
number_found() {
    found=$(latest_session "$POOL_UID") claimed=
    if read_claim && [ "$(claim_value uid)" = "$POOL_UID" ]; then
        claimed=$(claim_value session)
    fi
    case $claimed in '' | *[!0-9]* | ??????????*) claimed=0 ;; esac
    if [ "$claimed" -gt "$found" ]; then found=$claimed; fi
    printf '%s\n' "$found"
}

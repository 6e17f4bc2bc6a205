# shellcheck shell=sh
# A look (probe.sh) under a session: first it waits for what works here, and leaves the session's
# number. So what is seen then is changed by no earlier session of this cluster: what that had begun is
# over, and what it sends from now on is refused by the guard.
#
# Needs no claim, and leaves nothing but the number where there is none.

main() {
    # shellcheck disable=SC2153  # the caller's
    fence "$POOL_UID" "$SESSION"
    look
}

# fence UID SESSION. Nothing of ours works under another cluster's claim, so that its work is not waited
# for: no claim changes hands while a script of ours has the server.
fence() {
    lock_claim
    if ! anothers "$1"; then
        unlock_claim
        lock_server "$PATIENCE_SECONDS"
        lock_claim
    fi
    enter_session "$1" "$2"
    if ! claim_there; then rm -f "$SERVER_LOCK" "$CLAIM_LOCK"; fi
    unlock_claim
    unlock_server
}

# anothers UID: the claim here can be read, and is not that cluster's.
anothers() {
    read_claim && [ "$(claim_value format)" = "$CLAIM_FORMAT" ] && [ "$(claim_value uid)" != "$1" ]
}

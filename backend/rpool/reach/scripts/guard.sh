# shellcheck shell=sh
# The prelude of every action that changes a server: it takes a lock, checks that the claim still
# has the uid and the epoch that the caller expects and that no later session of the cluster has been
# here, and only then calls `act`, with the lock held until the script ends. A check in one call and
# the act in the next would be a race.
#
# $GUARD says how: `alone` (init, reset: nothing else may work here), `together` (changes that go
# through the API of this server: several at once are fine, none during a reset), `briefly` (the
# claim and the journal, which must be writable while an action works here for minutes), or
# `in_turn` (the claim, once nothing works here).

# A file in a directory of our own: in /run/lock any user could take it first.
SERVER_LOCK=$RUN_DIR/server.lock # held while an action works, for minutes perhaps; says which
CLAIM_LOCK=$RUN_DIR/claim.lock   # held while the claim changes or the journal grows, never long
CLAIM_FORMAT=1                   # what we know of a claim is of this format alone

# take_lock FILE FD SECONDS [-s]. A holder may remove the file (a reset does), so a lock counts only
# if the file that is locked is still the one that others would find.
take_lock() {
    tries=0
    while :; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then : >>"$1"; fi # says why, and ends us
        # Both fail when the directory has just gone again; `command`, since a shell would end then.
        run_dir 2>/dev/null || continue
        eval "command exec $2>>\"\$1\"" 2>/dev/null || continue
        flock ${4:+"$4"} -w "$3" "$2" || return 1
        # shellcheck disable=SC3013  # dash, bash and busybox have -ef
        if [ "$1" -ef "/proc/$$/fd/$2" ]; then return 0; fi
    done
}

# lock_server SECONDS [-s]. Leaves word of what works here ($DOING) and since when, for those that
# wait for it (working.sh); of several that work together, of the last to begin.
lock_server() {
    take_lock "$SERVER_LOCK" 9 "$@" || die "$BUSY" "another action has been working here for $1 s"
    if [ -n "${DOING:-}" ]; then
        write_file "$SERVER_LOCK" "$(uptime_seconds) $DOING" || true # a full disk hinders nothing
    fi
}

unlock_server() { exec 9>&-; }

lock_claim() {
    take_lock "$CLAIM_LOCK" 8 30 || die "$BUSY" "the claim has been locked for 30 s"
}

unlock_claim() { exec 8>&-; }

# read_claim: the claim's text is in $claim_found, nothing if it cannot be read; fails when there is
# none. It may go at any time while it is not locked.
read_claim() {
    claim_found=$(cat "$CLAIM" 2>/dev/null) && return 0
    claim_found=
    claim_there
}

# claim_value KEY: from $claim_found, which has one key a line behind a single space, as it was
# written (see render.py): a key of something in it stands further in.
claim_value() {
    printf '%s\n' "$claim_found" |
        sed -n "s/^ \"$1\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p"
}

check_claim() {
    if ! read_claim; then
        if [ "$GUARD" = alone ]; then forget_rest; fi # of a reset that was cut off at its very end
        die "$UNCLAIMED" "no cluster has claimed this server"
    fi
    refuse_others
}

# To standard output when it is not as expected: the caller says whose it is. On a line of its own,
# so that nothing in it can be taken for the answer that gives a lock (lock.sh).
show_claim() { printf '\n%s\n' "$claim_found"; }

refuse_unreadable() {
    if [ "$(claim_value format)" != "$CLAIM_FORMAT" ]; then
        show_claim
        die "$FORMAT" "the claim here cannot be read by this version of rpool"
    fi
}

refuse_others() {
    refuse_unreadable
    refuse_other_owner
    if [ "$(claim_value epoch)" != "$CLAIM_EPOCH" ]; then
        show_claim
        die "$STALE" "the claim here has another epoch"
    fi
}

refuse_other_owner() {
    if [ "$(claim_value uid)" != "$CLAIM_UID" ]; then
        show_claim
        die "$FOREIGN" "another cluster's claim is here"
    fi
    if [ "$(claim_value server)" != "$SERVER_NAME" ]; then
        show_claim
        die "$MISPLACED" "the claim here is another server's"
    fi
}

# sessions_file UID: the number of the latest session of that cluster that has been here. It outlives
# the claim, since a command of a dead session may come late; but not the boot, as its script.
sessions_file() { printf '%s\n' "$RUN_DIR/session-$1.number"; }

# latest_session UID: 0 if there was none.
latest_session() {
    number=$(sed -n '1s/^\([0-9]\{1,9\}\)$/\1/p' "$(sessions_file "$1")" 2>/dev/null) || number=
    printf '%s\n' "${number:-0}"
}

# enter_session UID SESSION: from now on no earlier one acts here. Needs the claim's lock, so that
# of two at once the later one's number stays.
enter_session() {
    if [ "$2" -eq 0 ]; then return 0; fi
    latest=$(latest_session "$1")
    if [ "$latest" -gt "$2" ]; then
        printf '%s\n' "$latest"
        die "$LATER" "session $latest of this cluster has been here, and this is session $2"
    fi
    if [ "$latest" -lt "$2" ]; then
        file=$(sessions_file "$1")
        write_file "$file.new" "$2"
        mv -f "$file.new" "$file"
    fi
}

# write_durably FILE TEXT: FILE.new is written first; one that was cut off here goes, as it may be
# another name of FILE (claim.sh). Whoever writes FILE has the lock that all have who do.
write_durably() {
    rm -f "$1.new" || return 1
    write_file "$1.new" "$2" || return 1
    replace_durably "$1" "$1.new"
}

# replace_durably FILE NEW: NEW takes FILE's place, and both facts survive a power cut. What a full
# disk has not taken may show only as it is synced.
replace_durably() {
    sync "$2" || return 1
    mv -f "$2" "$1" || return 1
    sync "${1%/*}"
}

# The last thing that a reset does (it holds the server's lock): all of ours goes, the claim last.
# But the lock of a session that goes on, which the operation that does this may hold, the numbers of
# sessions, and the mark of the domain that was served in.
give_up_claim() {
    lock_claim
    rm -f "$JOURNAL" "$JOINED" "$KUBEADM_ENDED" "$RPOOL_DIR"/*.new
    sync "$RPOOL_DIR"
    rm -f "$CLAIM"
    sync "$RPOOL_DIR"
    forget_rest
}

# What is of no use without a claim. Not before it goes: a reset that is cut off before can be done
# again, and tell again.
forget_rest() {
    rm -f "$FOOTHOLDS"
    if [ -d "$RPOOL_DIR" ]; then rmdir --ignore-fail-on-non-empty "$RPOOL_DIR"; fi
    find "$RUN_DIR" -mindepth 1 -maxdepth 1 ! -name 'session-*.lock' ! -name 'session-*.number' \
        -exec rm -rf {} +
    rmdir --ignore-fail-on-non-empty "$RUN_DIR"
}

main() {
    if read_claim; then refuse_others; fi # without a wait
    patience=$((TIMEOUT_SECONDS > 10 ? TIMEOUT_SECONDS - 5 : 5))
    case $GUARD in
        alone | in_turn) lock_server "$patience" ;;
        together) lock_server "$patience" -s ;;
    esac
    lock_claim
    check_claim
    enter_session "$CLAIM_UID" "$SESSION"
    case $GUARD in alone | together) unlock_claim ;; esac
    act
}

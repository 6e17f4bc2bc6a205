# shellcheck shell=sh
# Says what has this server to itself, for whoever waits for that (fence.sh): the seconds since the
# boot now, those at which it began, and its words; nothing where nothing has.

main() {
    command exec 9<"$SERVER_LOCK" || return 0
    if flock -n 9; then return 0; fi
    printf '%s %s\n' "$(uptime_seconds)" "$(head -n 1 <&9)"
}

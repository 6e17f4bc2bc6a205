# shellcheck shell=sh
# Takes a member out of etcd: exactly the one that was looked at. A server that has left and come
# back has the name of its former member, so a name alone is not enough.

act() {
    need crictl
    secret_dir
    etcdctl 10 member list >"$SECRETS/members"
    # Ids and names are strings: awk would take 12e4 for a number.
    found=$(awk -F ', ' -v id="$MEMBER_ID" -v name="$MEMBER" \
        '$1 "" == id "" || $3 "" == name "" { print $1, $3 }' "$SECRETS/members")
    case $found in
        '') ;; # it is out
        # One that never started has no name.
        "$MEMBER_ID $MEMBER" | "$MEMBER_ID ") quietly etcdctl 30 member remove "$MEMBER_ID" ;;
        *) die 1 "etcd has another member than $MEMBER_ID of $MEMBER, which was to go: $found" ;;
    esac
}

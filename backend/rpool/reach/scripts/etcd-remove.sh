# shellcheck shell=sh
# Takes a member out of etcd: exactly the one that was looked at. A server that has left and come
# back has the name of its former member, so a name alone is not enough.
#
# The rest is asked here once more: a member that has died since is in none of the looks before, and
# etcd itself minds only whom it has not heard of for some seconds.

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
        "$MEMBER_ID $MEMBER" | "$MEMBER_ID ")
            refuse_without_quorum
            quietly etcdctl 30 member remove "$MEMBER_ID"
            ;;
        *) die 1 "etcd has another member than $MEMBER_ID of $MEMBER, which was to go: $found" ;;
    esac
}

# A learner does not vote. One that never started has no address, and is not well.
refuse_without_quorum() {
    if [ "$(voters '==' | wc -l)" -eq 0 ]; then return 0; fi
    all=$(voters '!=' | wc -l)
    ENDPOINTS=$(voters '!=' | awk -F ', ' '$5 != "" { print $5 }' | paste -s -d , -)
    well=0
    if [ -n "$ENDPOINTS" ]; then
        well=$(etcdctl 3 endpoint health 2>/dev/null | grep -c ' is healthy') || true
    fi
    ENDPOINTS=
    if [ "$well" -le $((all / 2)) ]; then
        die 1 "without $MEMBER etcd would have no quorum: $well of $all others are healthy"
    fi
}

# voters ==|!=: those with the id of the one that goes, or all others.
voters() {
    awk -F ', ' -v id="$MEMBER_ID" "\$1 \"\" $1 id \"\" && \$6 == \"false\"" "$SECRETS/members"
}

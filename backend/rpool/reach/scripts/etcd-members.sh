# shellcheck shell=sh
# Looks at etcd through its member on this control plane; prints `members<TAB>JSON` and
# `health<TAB>JSON`, both as etcdctl has them.

main() {
    need crictl
    members=$(etcdctl 10 member list -w json)
    # With a member that is not well it fails, and has told of each all the same.
    health=$(etcdctl 3 endpoint health --cluster -w json) || true
    printf 'members\t%s\nhealth\t%s\n' "$members" "$health"
}

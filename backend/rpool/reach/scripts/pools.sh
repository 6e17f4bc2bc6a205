# shellcheck shell=sh
# MetalLB's address pools, exactly ours. Those that are no longer wanted go first, since a new one
# may use their addresses.

set_pools() {
    write_file "$SECRETS/pools.yaml" "$POOLS"
    keep_trying remove_unwanted
    if [ -n "$POOL_NAMES" ]; then
        keep_trying on_cluster apply --server-side --force-conflicts --field-manager=rpool \
            -f "$SECRETS/pools.yaml"
    fi
}

remove_unwanted() {
    kinds=ipaddresspools.metallb.io
    if [ -z "$POOL_NAMES" ]; then kinds=l2advertisements.metallb.io,$kinds; fi
    found=$(on_cluster -n metallb-system get "$kinds" -o name \
        -l app.kubernetes.io/managed-by=rpool) || return 1
    for object in $found; do
        case " $POOL_NAMES " in
            *" ${object##*/} "*) ;;
            *) on_cluster -n metallb-system delete "$object" || return 1 ;;
        esac
    done
}

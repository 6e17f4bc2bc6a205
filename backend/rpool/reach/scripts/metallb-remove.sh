# shellcheck shell=sh
# Takes out what metallb.sh and metallb-pools.sh have put in. The webhook goes first: it has a say
# in deletions, too, and refuses them all while its pod is gone. Our pools go while the controller
# may still be there to see it; those of others go with the kinds that the manifest defines.

act() {
    need kubectl
    secret_dir
    fetch "$SECRETS/metallb.yaml"
    keep_trying on_cluster delete --ignore-not-found \
        validatingwebhookconfiguration metallb-webhook-configuration
    keep_trying remove_pools
    # Waited for in slices that end before a request does (see on_cluster).
    keep_trying on_cluster delete --ignore-not-found --timeout=20s -f "$SECRETS/metallb.yaml"
}

# A kind that the cluster does not know can't be deleted from, with --ignore-not-found or without.
remove_pools() {
    kinds=$(on_cluster get --ignore-not-found -o name customresourcedefinitions \
        l2advertisements.metallb.io ipaddresspools.metallb.io) || return 1
    for kind in $kinds; do
        on_cluster -n metallb-system delete "${kind##*/}" --ignore-not-found --timeout=20s \
            -l app.kubernetes.io/managed-by=rpool || return 1
    done
}

# shellcheck shell=sh
# Starts what the files that were put before this configure, and fetches images ahead of kubeadm.
# Parameters: IMAGES (all that a control plane needs), MORE_IMAGES (that every server needs).

start_services() {
    if [ -e "$PREPARED/restart-containerd" ] || ! systemctl --quiet is-active containerd; then
        systemctl restart containerd || {
            journalctl --no-pager --lines=20 --unit=containerd >&2 || true
            die "containerd does not start"
        }
        rm -f "$PREPARED/restart-containerd"
    fi
    systemctl --quiet enable containerd kubelet
}

# The images that were here before the first of ours came: a reset leaves them.
list_images() {
    if [ -e "$PREPARED/images" ]; then return 0; fi
    mkdir -p "$PREPARED"
    if timeout 10 ctr --namespace k8s.io images list --quiet >"$PREPARED/images.new"; then
        sync "$PREPARED/images.new"
        mv "$PREPARED/images.new" "$PREPARED/images"
    else
        warn "containerd does not list its images: those of this cluster will stay after a reset"
    fi
}

# Servers join one after the other; those that wait can have their images meanwhile. Whatever goes
# wrong here, kubeadm tries again and tells.
fetch_images() {
    wanted=$IMAGES
    if grep -q '"role": *"worker"' /var/lib/rpool/claim 2>/dev/null; then
        wanted=$(printf '%s' "$IMAGES" | tr ' ' '\n' | grep -e /kube-proxy: -e /pause:)
    fi
    # shellcheck disable=SC2016,SC2086  # expanded by the shell that systemd starts
    systemd-run --quiet --collect --no-block --unit=rpool-images \
        sh -c 'for image; do crictl pull "$image"; done' images $wanted $MORE_IMAGES || true
}

start_services
list_images
fetch_images

# shellcheck shell=sh
# Takes back what preparation has written, from the list that it kept (ansible/roles/server/files).

# The list that preparation kept, backwards: what was there before comes back.
undo_preparation() {
    if [ ! -d "$PREPARED" ]; then return 0; fi
    remove_images
    if [ -e "$PREPARED/files" ]; then
        sort -r "$PREPARED/files" | while read -r path; do undo "$path"; done
    fi
    undo_fstab
    if [ -e "$PREPARED/held" ]; then release_packages; fi
    attempt systemctl try-restart containerd.service
    rm -rf "$PREPARED"
}

# Something else may be using dpkg just now.
release_packages() {
    for pause in 2 4 8 0; do
        # shellcheck disable=SC2046  # packages, one a word
        if apt-mark unhold $(cat "$PREPARED/held") >>"$SECRETS/attempts" 2>&1; then return 0; fi
        sleep "$pause"
    done
}

# undo PATH: what was there before is there again, or nothing.
undo() {
    if [ -e "$PREPARED/kept$1" ] || [ -L "$PREPARED/kept$1" ]; then
        cp -a "$PREPARED/kept$1" "$1.rpool-new" || no_room "$1"
        put_back "$1"
    elif [ "${1%/}" = "$1" ]; then
        rm -f "$1" "$1.rpool-new"
    else
        rmdir --ignore-fail-on-non-empty "$1" 2>/dev/null || true
    fi
}

# put_back PATH: with what is beside it; a link is no content, and leads nowhere perhaps.
put_back() {
    if [ -L "$1.rpool-new" ]; then
        mv -fT "$1.rpool-new" "$1"
        sync "${1%/*}"
    else
        replace_durably "$1" "$1.rpool-new"
    fi
}

# The lines of swap that preparation took out, in what /etc/fstab may only lead to.
undo_fstab() {
    fstab=$(readlink -f /etc/fstab) || return 0
    rm -f "$fstab.rpool-new"
    if grep -qs '^#rpool# ' "$fstab"; then
        cp -a "$fstab" "$fstab.rpool-new" || no_room "$fstab"
        sed 's/^#rpool# //' "$fstab" >"$fstab.rpool-new" || no_room "$fstab"
        put_back "$fstab"
    fi
}

no_room() { die 1 "$1 cannot be put back: make room on its disk, and reset this server again"; }

# Those that came since preparation listed what there was; a site without a way out may have put
# its images here itself. Without a list all stay: they harm nobody.
remove_images() {
    if [ ! -e "$PREPARED/images" ] || [ ! -S /run/containerd/containerd.sock ]; then return 0; fi
    containerd_says images list --quiet | { grep -vxF -f "$PREPARED/images" || true; } \
        >"$SECRETS/images"
    attempt xargs -r -a "$SECRETS/images" ctr --namespace k8s.io images remove
}

# shellcheck shell=sh
# What is other on this server than its packages have it, and than it was at the claim.

# What Kubernetes runs on, and the programs that the preparation installs.
RUNS_ON='kubeadm kubectl kubelet cri-tools containerd containerd.io runc
ca-certificates conntrack curl ethtool iproute2 iptables kmod nftables openssl procps socat'
# Not kubernetes-cni: a CNI of the site's own may bring other plugins of the same names. Those are
# told by `news`, since /opt/cni/bin is among the places.
PREPARED_PACKAGES="$RUNS_ON
kubernetes-cni gpg"

# verified PACKAGE...: files that are not as these packages have brought them, as `verb path`. What
# is configuration is its owner's, and of what is missing only programs count: a reset has removed
# empty folders like /etc/kubernetes, and an image may leave documents out.
verified() {
    { LC_ALL=C timeout 120 dpkg --verify "$@" 2>&1 || [ $? -lt 124 ] || echo 'not in time'; } | awk '
        /^dpkg: warning/ || /^ / { next }
        match($0, /^[^ ]+ +(c )?\//) {
            path = substr($0, RSTART + RLENGTH - 1)
            if ($2 == "c" || ($1 == "missing" && path !~ "^(/usr)?/(s?bin|lib)/")) next
            print ($1 == "missing" ? "missing " : "changed ") path
            next
        }
        { print "cannot verify: " $0 }'
}

# altered_packages: `package NAME: changed PATH` for each file of what Kubernetes runs on. Nothing
# but an attack or a patch by hand changes these: the next cluster would run it.
altered_packages() {
    # shellcheck disable=SC2086  # packages, one a word
    installed $RUNS_ON | while read -r package; do
        verified "$package" | sed "s|^|package $package: |"
    done
}

# news: what came or was changed since the claim, `new WHAT` or `changed WHAT`, but for what a
# package has brought that was here, or is the preparation's. Or `unknown: why`.
news() {
    if [ ! -e "$FOOTHOLDS" ]; then
        printf 'unknown: no list was made when the server was claimed\n'
    elif [ "$(head -n 1 "$FOOTHOLDS")" != "$FOOTHOLDS_FORMAT" ]; then
        printf 'unknown: the list that was made when the server was claimed is of another version\n'
    elif ! list_footholds >"$SECRETS/now"; then
        printf 'unknown: the files cannot be listed now\n'
    else
        awk '
            { what = $0; sub(/^[^ ]* +/, "", what) }
            NR == FNR { known[$0]; there[what]; next }
            $1 == "package" || $0 in known || what in told { next }
            { told[what]; print (what in there ? "changed " : "new ") what }
        ' "$FOOTHOLDS" "$SECRETS/now" >"$SECRETS/news"
        without_packages_own
    fi
}

# Links count as what they lead to, so that an enabled unit of a package is that package's.
without_packages_own() {
    sed -n 's/^[a-z]* \//\//p' "$SECRETS/news" | while read -r path; do
        printf '%s\t%s\n' "$path" "$(readlink -f -- "$path")"
    done >"$SECRETS/leads"
    # Where /lib is /usr/lib, dpkg may know either name.
    cut -f 2 "$SECRETS/leads" | sed -n 'p; s|^/usr/|/|p' | tr '\n' '\000' |
        xargs -0 -r dpkg-query --search 2>/dev/null >"$SECRETS/owners" || true
    sed 's/[:,].*//' "$SECRETS/owners" | sort -u >"$SECRETS/packages"
    LC_ALL=C timeout 120 xargs -r -a "$SECRETS/packages" dpkg --verify 2>/dev/null |
        sed -n 's|^[^ /]* *\(c \)\{0,1\}/|/|p' >"$SECRETS/other"
    {
        sed -n 's/^package //p' "$FOOTHOLDS"
        printf '%s\n' "$PREPARED_PACKAGES" | tr ' ' '\n'
    } >"$SECRETS/known"
    awk '
        function usr(path) { sub("^/(lib|bin|sbin)/", "/usr&", path); return path }
        FILENAME ~ /known$/ { known[$1]; next }
        FILENAME ~ /other$/ { other[usr($0)]; next }
        FILENAME ~ /owners$/ {
            at = index($0, ": ")
            split(substr($0, 1, at - 1), names, "[:,]")
            if (names[1] in known) shipped[usr(substr($0, at + 2))]
            next
        }
        FILENAME ~ /leads$/ {
            split($0, ends, "\t")
            if (usr(ends[2]) in shipped && !(usr(ends[2]) in other)) own[ends[1]]
            next
        }
        { what = $0; sub(/^[a-z]* /, "", what); if (!(what in own)) print }
    ' "$SECRETS/known" "$SECRETS/other" "$SECRETS/owners" "$SECRETS/leads" "$SECRETS/news" | LC_ALL=C sort
}

# shellcheck shell=sh
# What the role's scripts share: how they write a file, and how they say no.
#
# A task sends its script whole: assignments of its parameters, this file, then its own. Nothing
# else is needed on a server, not even Python: one such task costs a tenth of what a module does.

set -eu

# The list of what preparation wrote, kept on the server itself: `files` has a path a line, noted
# before it is written (a directory ends in a slash); `kept` has what was there before, and
# `images` the names of the container images that were. A reset undoes exactly this list, whichever
# version of the role has written it.
PREPARED=/var/lib/rpool/prepared
# In a file that has it, nothing of anybody else's can be lost.
MARK='Written by rpool'

warn() { printf 'warning: %s\n' "$*" >&2; }

# The last line of what a task prints to its standard error becomes the error's summary.
die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The server is not what it should be: trying again won't help (rpool.reach.ansible knows the code).
refuse() {
    printf '%s\n' "$*" >&2
    exit 3
}

# note PATH: on the list, for good, before anything happens to it.
note() {
    mkdir -p "$PREPARED/kept"
    if ! grep -qxF "$1" "$PREPARED/files" 2>/dev/null; then
        printf '%s\n' "$1" >>"$PREPARED/files"
        sync "$PREPARED/files" "$PREPARED"
    fi
}

make_directory() {
    if [ -d "$1" ]; then return 0; fi
    make_directory "${1%/*}"
    note "$1/"
    mkdir -m 755 "$1"
}

# replace_durably PATH NEW: NEW takes the place of PATH, and both facts survive a power cut.
replace_durably() {
    if [ ! -L "$2" ]; then sync "$2"; fi # a link is no content, and leads nowhere perhaps
    mv -fT "$2" "$1"
    sync "${1%/*}"
}

# keep PATH: a copy of what is there, unless there is one already or it is our own. Of a link the link.
keep() {
    if [ -e "$PREPARED/kept$1" ] || [ -L "$PREPARED/kept$1" ]; then return 0; fi
    if [ ! -L "$1" ] && { [ ! -e "$1" ] || grep -q "$MARK" "$1"; }; then return 0; fi
    mkdir -p "$PREPARED/kept${1%/*}"
    cp -a "$1" "$PREPARED/kept$1.new"
    replace_durably "$PREPARED/kept$1" "$PREPARED/kept$1.new"
}

# put PATH TEXT [SERVICE]: the file has this text, and others may read it. Says so when that is a
# change. SERVICE has to read it then, and a mark says so until it was restarted (see start.sh):
# this may be cut off before, and next time the file is no change any more.
put() {
    if [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; then return 0; fi
    keep "$1"
    make_directory "${1%/*}"
    note "$1"
    if [ -n "${3-}" ]; then
        : >"$PREPARED/restart-$3"
        sync "$PREPARED/restart-$3" "$PREPARED"
    fi
    printf '%s\n' "$2" >"$1.rpool-new"
    chmod 644 "$1.rpool-new"
    replace_durably "$1" "$1.rpool-new"
    printf 'changed %s\n' "$1"
}

# edit PATH SCRIPT: somebody else's file, changed by `sed -E`. There is a copy of it as it was first,
# and what is a link stays one.
edit() {
    edited=$(readlink -f "$1")
    keep "$edited"
    cp -a "$edited" "$edited.rpool-new"
    sed -E "$2" "$edited" >"$edited.rpool-new"
    replace_durably "$edited" "$edited.rpool-new"
    printf 'changed %s\n' "$1"
}

# shellcheck shell=sh disable=SC2154
# Whatever is asked for is the one manifest that there is.

while [ $# -gt 0 ]; do
    case $1 in -o | --output) cp "$world/manifest" "$2" ;; esac
    shift
done

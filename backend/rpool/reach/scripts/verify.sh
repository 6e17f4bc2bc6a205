# shellcheck shell=sh
# Says what a former server of a cluster still has, and changes nothing: the check at the end of a
# reset, for operators and tests. Exit code UNCLEAN when there is something.

main() {
    left=$(leftovers)
    if [ -z "$left" ]; then return 0; fi
    printf '%s\n' "$left" | sort -u
    die "$UNCLEAN" "this server is not clean"
}

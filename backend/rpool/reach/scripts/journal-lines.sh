# shellcheck shell=sh
# Prints the last $MOST lines of the cluster's journal, if this server keeps one.

main() {
    if [ -f "$JOURNAL" ]; then tail -n "$MOST" "$JOURNAL"; fi
}

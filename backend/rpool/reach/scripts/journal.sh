# shellcheck shell=sh
# Appends to the cluster's journal.

act() { printf '%s\n' "$LINES_TEXT" >>"$JOURNAL"; }

# shellcheck shell=sh
# Appends to the pool's journal.

act() { printf '%s\n' "$LINES_TEXT" >>"$JOURNAL"; }

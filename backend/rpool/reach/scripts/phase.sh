# shellcheck shell=sh
# Moves our claim to another phase.

act() {
    new=$(mktemp "$RPOOL_DIR/.new.XXXXXX")
    sed "s/^\( \"phase\": *\)\"[^\"]*\"/\1\"$PHASE\"/" "$CLAIM" >"$new"
    replace_durably "$CLAIM" "$new"
}

# shellcheck shell=sh disable=SC2154
# Addresses are lines of $world/addresses: INTERFACE ADDRESS/LENGTH.

case "$*" in
    *'addr show'*) awk '{ print "2: " $1 "    inet " $2 " scope global " $1 }' "$world/addresses" ;;
    'addr del '*)
        grep -vxF "$5 $3" "$world/addresses" >"$world/addresses.new"
        mv "$world/addresses.new" "$world/addresses"
        ;;
esac

# shellcheck shell=sh disable=SC2154
# apt-get, apt-mark, apt-cache, dpkg-query and gpg by their names: $world/packages has NAME VERSION a
# line, $world/held has names.

case "${0##*/} $*" in
    'apt-get '*install*)
        for word; do
            case $word in
                -* | install | *::*) continue ;;
                *=*) line="${word%%=*} ${word#*=}" ;;
                *) line="$word 1.36.3-1.1" ;;
            esac
            grep -q "^${line%% *} " "$world/packages" || echo "$line" >>"$world/packages"
        done
        ;;
    'apt-mark hold '*)
        shift
        for name; do grep -qx "$name" "$world/held" || echo "$name" >>"$world/held"; done
        ;;
    'apt-mark unhold '*)
        shift
        for name; do
            grep -vx "$name" "$world/held" >"$world/held.new"
            mv "$world/held.new" "$world/held"
        done
        ;;
    'apt-cache madison '*) echo " $2 | 1.36.3-1.1 | mirror" ;;
    'dpkg-query '*Package*) awk '{ print "ii  " $1 }' "$world/packages" ;;
    'dpkg-query --search'*) exit 1 ;;
    'dpkg-query '*)
        for name; do :; done
        found=$(awk -v name="$name" '$1 == name { print $2 }' "$world/packages")
        if [ -z "$found" ]; then exit 1; fi
        if grep -qx "$name" "$world/held"; then echo "hi  $found"; else echo "ii  $found"; fi
        ;;
    'gpg '*--list-keys*) printf 'pub:\nfpr:::::::::%s:\n' "$(cat "$world/fingerprint")" ;;
    'gpg '*--export*) echo 'the key' ;;
    'dpkg -S'*) exit 1 ;;
esac

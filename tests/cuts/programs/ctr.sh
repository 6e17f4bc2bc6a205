# shellcheck shell=sh disable=SC2154
# without FILE WORD...: the lines of FILE but these.
without() {
    file=$1
    shift
    for word; do
        grep -vxF "$word" "$file" >"$file.new"
        mv "$file.new" "$file"
    done
}

case " $* " in
    *' containers list '*) cat "$world/containers" ;;
    *' containers delete '*) shift 4 && without "$world/containers" "$@" ;;
    *' images list '*) cat "$world/images" ;;
    *' images remove '*) shift 4 && without "$world/images" "$@" ;;
esac

# shellcheck shell=sh
# Whether this server's kubelet could reach its cluster's API now; prints `answers` or `silent`. What
# is asked for everybody may ask for.

main() {
    need curl
    api=
    if [ -e "$KUBERNETES/kubelet.conf" ]; then
        api=$(sed -n 's/^ *server: *//p' "$KUBERNETES/kubelet.conf")
    fi
    if [ -n "$api" ] && curl -sk --max-time 10 -o /dev/null "$api/livez"; then
        echo answers
    else
        echo silent
    fi
}

# shellcheck shell=sh
# Whether anything on this server's network answers for $ADDRESS; prints `answers` or `silent`.
# The kernel itself is made to ask (ARP, or neighbour discovery for IPv6), so no tool is needed that
# a bare server lacks.

main() {
    need ip
    if [ -n "$(interface_of "$ADDRESS")" ]; then
        echo answers
        return 0
    fi
    interface=$(interface_of "$NODE_ADDRESS")
    if [ -z "$interface" ]; then die 1 "no interface here has the address $NODE_ADDRESS"; fi
    ip neigh del "$ADDRESS" dev "$interface" 2>/dev/null || true
    ip neigh replace "$ADDRESS" dev "$interface" use
    ask
    ip neigh del "$ADDRESS" dev "$interface" 2>/dev/null || true
}

# The kernel asks three times, a second apart, and then the entry turns FAILED. A neighbour answers
# within milliseconds, so two questions without an answer are enough.
ask() {
    for _ in 1 2 3 4 5 6 7; do
        case "$(ip neigh show "$ADDRESS" dev "$interface")" in
            *lladdr*) echo answers && return 0 ;;
            *FAILED*) echo silent && return 0 ;;
        esac
        sleep 0.25
    done
    echo silent
}

# shellcheck shell=sh disable=SC2154
# Units as files below $world/units: NAME.enabled, NAME.active; and what containerd was started with.

now='' verb='' units=''
for word; do
    case $word in
        --now) now=yes ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else units="$units ${word%.service}"; fi ;;
    esac
done

start() {
    : >"$world/units/$1.active"
    if [ "$1" = containerd ]; then cp /etc/containerd/config.toml "$world/units/containerd-read" 2>/dev/null || rm -f "$world/units/containerd-read"; fi
}
wanted=/etc/systemd/system/timers.target.wants

for unit in $units; do
    case $verb in
        enable)
            : >"$world/units/$unit.enabled"
            case $unit in *.timer) mkdir -p "$wanted" && ln -sf "../$unit" "$wanted/$unit" ;; esac
            if [ -n "$now" ]; then start "$unit"; fi
            ;;
        disable)
            rm -f "$world/units/$unit.enabled" "$wanted/$unit"
            if [ -n "$now" ]; then rm -f "$world/units/$unit.active"; fi
            ;;
        start | restart) start "$unit" ;;
        try-restart) if [ -e "$world/units/$unit.active" ]; then start "$unit"; fi ;;
        stop) rm -f "$world/units/$unit.active" ;;
        is-active) [ -e "$world/units/$unit.active" ] || exit 3 ;;
    esac
done

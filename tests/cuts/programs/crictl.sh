# shellcheck shell=sh disable=SC2154
# A static pod runs as long as its manifest is there; etcd's members are lines of $world/etcd: NAME ID.

etcd=/etc/kubernetes/manifests/etcd.yaml
if grep -qs -e --force-new-cluster "$etcd"; then sed -i '/^r1u04 /!d' "$world/etcd"; fi

case " $* " in
    *' member list '*) sed 's/^\([^ ]*\) \(.*\)/\2, started, \1, https:\/\/\1:2380, https:\/\/\1:2379, false/' "$world/etcd" ;;
    *' endpoint health '*)
        for word; do
            case $word in
                --endpoints=*) printf '%s\n' "${word#*=}" | tr , '\n' | sed 's/$/ is healthy: took = 2ms/' ;;
            esac
        done
        ;;
    *' member remove '*)
        for id; do :; done
        sed -i "/ $id\$/d" "$world/etcd"
        ;;
    *' ps '*pod.name=etcd-*) if [ -e "$etcd" ]; then echo etcd; fi ;;
    *pod.name=*)
        pod=$(printf '%s' "$*" | sed 's/.*pod\.name=//; s/-r1u04.*//')
        if [ -e "/etc/kubernetes/manifests/$pod.yaml" ]; then echo "$pod"; fi
        ;;
    *' pods '*) cat "$world/containers" ;;
    *' rmp '*) : >"$world/containers" ;;
esac

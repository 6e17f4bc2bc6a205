# shellcheck shell=sh
# What all scripts share: places, exit codes, and how a script says no.
#
# A script is sent whole to `sh -s` by standard input: assignments (made by rpool.reach.script),
# then files that hold functions alone, and a call of `main` as the very last line. So a transfer
# that is cut anywhere runs nothing, and no value is ever seen in a process list.
# shellcheck disable=SC2034  # each script uses some of these

set -eu
umask 077

RPOOL_DIR=/var/lib/rpool              # survives a reboot: whose the server is
CLAIM=$RPOOL_DIR/claim                # JSON, one key a line
KUBEADM_ENDED=$RPOOL_DIR/kubeadm-ended # the role, once kubeadm has done its work here
JOINED=$RPOOL_DIR/joined              # the role, once all that comes after it is there, too
JOURNAL=$RPOOL_DIR/journal.jsonl
MARK=$RPOOL_DIR/trust                # the domain of trust it serves in; no reset removes it
FAILURES=$RPOOL_DIR/failures         # what failed here since it was last a member; outlives resets
APPROVER=$RPOOL_DIR/approver.sh
APPROVER_UNIT=/etc/systemd/system/rpool-approver
APPROVER_LINK=/etc/systemd/system/timers.target.wants/rpool-approver.timer
FOOTHOLDS=$RPOOL_DIR/footholds       # what let somebody in, or stay, when it was claimed
RUN_DIR=/run/rpool                    # forgotten at a reboot: locks, secrets, caches
KUBERNETES=/etc/kubernetes
VIP_MANIFEST=$KUBERNETES/manifests/kube-vip.yaml
VIP_KUBECONFIG=$KUBERNETES/kube-vip.conf
API_SERVER=$KUBERNETES/api-server     # files that its flags name; see rpool.reach.api_server

# rpool.reach.verdict knows these; anything else is an ordinary failure.
FOREIGN=81 STALE=82 UNCLAIMED=83 DIRTY=84 BUSY=85 HELD=86 UNCLEAN=87 MISSING=88 FETCH=89
OVERTAKEN=90 WAS_MEMBER=91 FORMAT=92 MISPLACED=93 LATER=94 DOMAIN=95 ALTERED=96 ASIDE=97
UNDRAINED=98

say() { printf '%s\n' "$*" >&2; }

# die CODE MESSAGE
die() {
    code=$1
    shift
    say "$*"
    exit "$code"
}

need() {
    for tool; do
        command -v "$tool" >/dev/null 2>&1 || die "$MISSING" "$tool is not installed here"
    done
}

# claim_there: also one that nobody can read, or a link that leads nowhere.
claim_there() { [ -e "$CLAIM" ] || [ -L "$CLAIM" ]; }

mark_there() { [ -e "$MARK" ] || [ -L "$MARK" ]; }

run_dir() { mkdir -p "$RUN_DIR" && chmod 700 "$RUN_DIR"; }

# Makes $SECRETS, a directory in memory that is gone when the script ends, however it ends: one
# that a killed script left is removed by the next. `timeout` sends its signal twice, to us and to
# our group, and the second must not cut short what the first made us do.
secret_dir() {
    for old in "$RUN_DIR"/secret.*; do
        owner=${old#"$RUN_DIR/secret."}
        if [ ! -e "/proc/${owner%%.*}" ]; then rm -rf "$old"; fi
    done
    SECRETS=$(mktemp -d "$RUN_DIR/secret.$$.XXXXXX")
    trap 'rm -rf "$SECRETS"' EXIT
    trap 'trap "" HUP INT TERM; exit 143' HUP INT TERM
}

# write_file PATH TEXT: no argv, since printf is the shell's own.
write_file() { printf '%s\n' "$2" >"$1"; }

# quietly COMMAND...: its output goes to a file, so that a lost connection can't break its pipe and
# end it halfway; the end of it is shown when it fails. Needs secret_dir (it may hold a token).
quietly() {
    "$@" >"$SECRETS/output" 2>&1 && return 0
    code=$?
    tail -n 40 "$SECRETS/output" >&2
    return "$code"
}

uptime_seconds() { cut -d . -f 1 /proc/uptime; }

# keep_trying COMMAND...: until it succeeds; a little before the caller's deadline it gives up, so
# that the last error is seen.
keep_trying() {
    end=$(($(uptime_seconds) + TIMEOUT_SECONDS - 5))
    until quietly "$@" 2>"$SECRETS/last"; do
        if [ "$(uptime_seconds)" -ge "$end" ]; then
            cat "$SECRETS/last" >&2
            exit 124
        fi
        sleep 1
    done
}

# The API of this very server, so that no virtual IP or load balancer is needed to work on it.
on_cluster() {
    kubectl --kubeconfig="$KUBERNETES/admin.conf" --server="https://$NODE_HOST:6443" \
        --cache-dir="$RUN_DIR/kubectl" --request-timeout=30s "$@"
}

# The virtual IP as kube-vip's kubeconfig has it: that is still there when the manifest is gone.
# Without kube-vip the endpoint is the site's, and may well be an address that this server keeps.
held_vip() {
    if [ ! -e "$VIP_KUBECONFIG" ]; then return 0; fi
    sed -n 's|^ *server: https://\(.*\):[0-9]*$|\1|p' "$VIP_KUBECONFIG" | tr -d '[]'
}

# static_pod COMMAND NAME OPTION...: what crictl's `ps` or `pods` lists of this server's static pod.
static_pod() {
    listing=$1 pod=$2-$NODE_NAME
    shift 2
    crictl --timeout 30s "$listing" --quiet --label "io.kubernetes.pod.name=$pod" \
        --label io.kubernetes.pod.namespace=kube-system "$@"
}

# interface_of ADDRESS: the interface that has it, or nothing.
interface_of() {
    ip -o addr show | awk -v wanted="$1" '{ split($4, a, "/"); if (a[1] == wanted) { print $2; exit } }'
}

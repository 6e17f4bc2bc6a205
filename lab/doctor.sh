#!/bin/sh
# Says in the first second what is missing on this machine, all of it at once.
python=${1:-python3}
missing=0

need() {
	printf 'missing: %s\n         %s\n' "$1" "$2" >&2
	missing=1
}

[ "$(id -u)" -eq 0 ] || need "root" "the lab makes network namespaces, mounts and cgroups"
command -v apt-get >/dev/null || need "apt-get" "the lab runs on Debian and installs what it needs"
command -v "$python" >/dev/null || need "$python" "Python 3.11 or newer: apt-get install python3"
command -v go >/dev/null || need "go" "Kubernetes is built from Go modules: Go 1.26 or newer"
if command -v "$python" >/dev/null; then
	"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
		need "Python 3.11" "$python is $("$python" -V 2>&1)"
fi
[ "$missing" -eq 0 ] || exit 1

# What the checks and tests call beside Python.
packages=
command -v make >/dev/null || packages="$packages make"
command -v shellcheck >/dev/null || packages="$packages shellcheck"
command -v gpg >/dev/null || packages="$packages gpg gpg-agent"
[ -x /usr/sbin/sshd ] || packages="$packages openssh-server"
[ -n "$packages" ] || exit 0
echo "setup: installing$packages by apt"
# shellcheck disable=SC2086 # one word a package
apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1 || {
	apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

# shellcheck shell=sh
# What lets somebody in as root here, or runs as root without being asked: units, keys, cron and the
# like. A claim lists them before a container of its cluster can run here; the reset compares
# (compare.sh). It is against leftovers and carelessness: who has root can forge the list.
#
# The first line is the list's format. Then comes `package NAME` for all that is installed, then
# `TOKEN WHAT`: a path, or words, behind one word that changes with it.

FOOTHOLDS_FORMAT='format 1'
# /usr/local since programs are looked for there first: kubeadm, and what these scripts call.
FOOTHOLD_PLACES='
/etc/systemd/system /etc/systemd/user /etc/systemd/system-generators /run/systemd/system
/usr/local/lib/systemd /usr/lib/systemd/system /usr/lib/systemd/system-generators
/etc/init.d /etc/rc.local /etc/default /etc/udev/rules.d /etc/modprobe.d
/etc/crontab /etc/anacrontab /etc/cron.* /var/spool/cron
/etc/ssh /etc/pam.d /etc/sudoers /etc/sudoers.d /etc/update-motd.d
/etc/profile /etc/profile.d /etc/bash.bashrc /etc/environment
/root/.profile /root/.bashrc /root/.bash_profile /root/.bash_login
/etc/ld.so.preload /etc/ld.so.conf /etc/ld.so.conf.d
/etc/tmpfiles.d /etc/modules-load.d /etc/polkit-1 /etc/initramfs-tools
/usr/local/share/ca-certificates /etc/ca-certificates.conf /etc/apt /etc/network /etc/networkd-dispatcher /etc/NetworkManager/dispatcher.d
/usr/local/bin /usr/local/sbin /opt/cni/bin'
LOOK_SECONDS=20

# list_footholds: fails when that cannot be told in time, as with a home on a server that is dead.
list_footholds() {
    found=$(list_files && list_setuid) || return 1
    printf '%s\n' "$FOOTHOLDS_FORMAT"
    installed '*' | sed 's/^/package /'
    list_accounts
    printf '%s\n' "$found" | sort -u
}

# installed PATTERN...: the packages of these names that are installed.
installed() {
    # shellcheck disable=SC2016  # dpkg's own variables
    dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null |
        awk '$1 ~ /^.i/ { print $NF }'
}

# Who has root's number, whose password lets in, and who may use sudo.
list_accounts() {
    awk -F : '$3 == 0 { print "0 account " $1 " with the rights of root" }' /etc/passwd
    awk -F : '$2 !~ /^[!*]/ { print $1 ":" $2 }' /etc/shadow | sha256sum |
        sed 's| *-$| the passwords in /etc/shadow|'
    awk -F : '$1 ~ /^(sudo|wheel|admin|root)$/ { print "," $4 " the members of group " $1 }' \
        /etc/group
}

foothold_places() {
    # shellcheck disable=SC2086  # paths, one a word
    printf '%s\n' $FOOTHOLD_PLACES
}

# Users' own: files alone, since a folder or a link of theirs could lead anywhere.
users_places() {
    awk -F : '{ split("authorized_keys authorized_keys2 rc environment", files, " ")
        for (i in files) print $6 "/.ssh/" files[i] }' /etc/passwd
}

# What each is, or leads to, and its content; of a big one, a program, when it was last changed. A
# name with a line break could pass for a line of this list.
list_files() {
    # shellcheck disable=SC2016  # of the script that it is for
    look='break="
"
        find -H "$@" -xdev -maxdepth "$0" ! -path "*$break*" \( -type f -printf "%m:%U:%G %p\n" \
            -o -type l -printf "%l %p\n" \)
        find -H "$@" -xdev -maxdepth "$0" ! -path "*$break*" -type f -size -1025k \
            -exec sha256sum {} +
        find -H "$@" -xdev -maxdepth "$0" ! -path "*$break*" -type f -size +1024k \
            -printf "%s:%C@ %p\n"'
    foothold_places | within_time "$look" 100 && users_places | within_time "$look" 0
}

list_setuid() {
    printf '%s\n' /usr/bin /usr/sbin /usr/local |
        within_time 'find -H "$@" -xdev -type f -perm /6000 -exec sha256sum {} +'
}

# within_time SCRIPT [ZERO]: run with the lines of standard input as its arguments, and ZERO as its
# $0. What is not there, or cannot be read, is left out. 123 is how xargs says that of a command.
within_time() {
    tr '\n' '\000' | timeout -k 2 "$LOOK_SECONDS" xargs -0 sh -c "$1" "${2:-sh}" 2>/dev/null ||
        [ $? -le 123 ]
}

# shellcheck shell=sh
# Runs one command of Ansible's. Under the guard, like every action: so a play that goes on after
# its cluster has lost the server cannot touch it.

act() {
    umask 022 # what Ansible writes is for the system, not for us
    # By a file descriptor: what is in a command line every local user can read.
    printf '%s' "$COMMAND_STDIN" | base64 -d | sh /dev/fd/3 3<<END || code=$?
$COMMAND
END
    # 81 and above, 124 and 137 are what the guard and `timeout` say of themselves.
    case ${code:=0} in 8[1-9] | 9[0-9] | 124 | 137) code=1 ;; esac
    exit "$code"
}

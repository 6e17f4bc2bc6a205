# shellcheck shell=sh
# Refuses a server that is not what the fleet says, before anything is changed on it.
# Parameters: CORES and MEMORY_GIB as the fleet declares them.

check_system() {
    # shellcheck source=/dev/null
    . /etc/os-release
    case " $ID ${ID_LIKE-} " in
        *" debian "* | *" ubuntu "*) ;;
        *) refuse "it runs $PRETTY_NAME, and only Debian and Ubuntu can be prepared" ;;
    esac
    if [ ! -d /run/systemd/system ]; then refuse "it is not run by systemd"; fi
}

# All cores, and nine tenths of the memory: firmware and kernel keep some of it, and nobody else
# should. The same rule is in decide/preflight.py, for before a server is claimed.
check_size() {
    real_cores=$(grep -c '^processor' /proc/cpuinfo)
    if [ "$real_cores" -lt "$CORES" ]; then
        refuse "it has $real_cores cores, and the fleet says $CORES"
    fi
    memory_mib=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
    if [ $((memory_mib * 10)) -lt $((MEMORY_GIB * 1024 * 9)) ]; then
        refuse "it has $memory_mib MiB of memory, and the fleet says $MEMORY_GIB GiB"
    fi
}

check_system
check_size

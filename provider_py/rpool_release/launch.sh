#!/bin/sh
# Starts the Python of this archive with the C library that it brings, so the host's is no matter.
# The name by which it is called decides what runs: python3 a plain Python, rpool the command line,
# and what Terraform calls the provider. None heeds PYTHON* variables or the current folder's modules,
# nor writes .pyc: a file more, and Terraform would take the provider for another one.
p=$0
case $p in */*) ;; *) p=$(command -v -- "$p") ;; esac
while [ -L "$p" ]; do
  l=$(readlink "$p")
  case $l in /*) p=$l ;; *) p=${p%/*}/$l ;; esac
done
case $p in /*) ;; *) p=$PWD/$p ;; esac
d=${p%/*}
unset LD_PRELOAD LD_LIBRARY_PATH
case ${p##*/} in
  python3)
    d=${d%/bin}
    export LOCPATH="$d/lib/locale" # Ansible wants C.UTF-8
    # It is a list, and the folder of a registry with a port has a colon in its name.
    case $d in *:*) exec 9<"$LOCPATH" && LOCPATH=/proc/self/fd/9 ;; esac
    ;;
  rpool)
    d=${d%/bin}
    set -- -m rpool "$@"
    ;;
  *) set -- -m rpool_provider "$@" ;;
esac
# $ORIGIN is for the loader: the folder of the program. It is put in after the list was split.
# shellcheck disable=SC2016
exec "$d/lib/ld.so" --inhibit-cache --library-path '$ORIGIN' --argv0 "$d/bin/python3" \
  "$d/lib/python3.13.elf" -I -B -X utf8 "$@"

"""The command line. Each command is a module beside this one, loaded when it is called."""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Sequence

from rpool.cli import kubeconfig, release, simulate
from rpool.errors import RpoolError, SpecError

_FAILED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit status: 0, 1 when it failed, 2 for bad usage."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold what we know of a site
    arguments = _parser().parse_args(argv)
    try:
        for line in arguments.act(arguments):
            print(line)
    except RpoolError as error:
        print(f"rpool: {_whole(error)}", file=sys.stderr)
        return _FAILED
    return 0


def _whole(error: RpoolError) -> str:
    """An error with what is to be done about it."""
    problems = error.problems if isinstance(error, SpecError) else (error,)
    return "\n".join(f"{its.summary}\n{its.detail}".rstrip() for its in problems)


def _parser() -> argparse.ArgumentParser:
    about = "Kubernetes clusters out of the servers you own."
    parser = argparse.ArgumentParser(prog="rpool", description=about)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    kubeconfig.add_to(commands)
    release.add_to(commands)
    simulate.add_to(commands)
    return parser

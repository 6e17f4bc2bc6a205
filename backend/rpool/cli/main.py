"""The command line. Each command is a module beside this one; it imports what it needs when it
runs, so that `--help` and completion are quick.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from collections.abc import Iterator, Sequence

from rpool.cli import completion, explain, journal, kubeconfig, release, scan, show, simulate, watch
from rpool.cli import list as list_
from rpool.cli.version import PrintVersion
from rpool.errors import RpoolError, SpecError

_FAILED = 1
_INTERRUPTED = 130
_COMMANDS = (
    completion,
    explain,
    journal,
    kubeconfig,
    list_,
    release,
    scan,
    show,
    simulate,
    watch,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit status: 0, 1 when it failed, 2 for bad usage."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold all of a site
    command_line = parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may come next
        import argcomplete

        argcomplete.autocomplete(command_line)
    arguments = command_line.parse_args(argv)
    try:
        for line in arguments.act(arguments):
            print(line, flush=True)
    except RpoolError as error:
        for line in _error_lines(error):
            print(line, file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # the reader has enough: rpool list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def parser() -> argparse.ArgumentParser:
    about = "Kubernetes clusters from servers you own."
    command_line = argparse.ArgumentParser(prog="rpool", description=about)
    command_line.add_argument(
        "--version", action=PrintVersion, nargs=0, help="print the version and exit"
    )
    command_line.set_defaults(act=lambda _: [command_line.format_help().rstrip()])
    commands = command_line.add_subparsers(metavar="COMMAND")
    for command in _COMMANDS:
        command.add_to(commands)
    return command_line


def _error_lines(error: RpoolError) -> Iterator[str]:
    """The lines of an error, as the provider shows it: each problem with its detail."""
    if not isinstance(error, SpecError):
        yield f"rpool: {error}"
        return
    for problem in error.problems:
        yield f"rpool: {problem.summary}" + (f"\n{problem.detail}" if problem.detail else "")

"""`rpool completion`: the script with which a shell completes commands, options and servers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from rpool.cli.options import SITE
from rpool.errors import RpoolError

_SHELLS = ("bash", "zsh", "fish")


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = 'Print a shell completion script: eval "$(rpool completion bash)" in ~/.bashrc.'
    parser = commands.add_parser(
        "completion", help="print a shell completion script", description=about
    )
    parser.add_argument("shell", choices=_SHELLS)
    parser.set_defaults(act=_completion)


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add the argument SERVER, which is completed from the site's fleet."""
    server = parser.add_argument("server", metavar="SERVER", help="its name in the fleet")
    server.completer = _servers  # type: ignore[attr-defined]  # argcomplete looks for it there


def _completion(arguments: argparse.Namespace) -> Iterator[str]:
    from argcomplete.shell_integration import shellcode

    yield shellcode(["rpool"], shell=arguments.shell)


def _servers(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Names of servers; none when the site cannot be read: an error has no place in a prompt."""
    from rpool.cli.site_file import site_of

    arguments = vars(parsed_args)
    path = arguments["site"] if "site" in arguments else arguments["file"].with_name(SITE.name)
    try:
        return [name for name in site_of(path).config.fleet.servers if name.startswith(prefix)]
    except RpoolError:
        return []

"""`rpool scan`: adds servers, by address or from an Ansible inventory, to a fleet file."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpool import plain_yaml
from rpool.cli.options import add_json, add_site, as_json
from rpool.errors import Problem, Refused, SpecError, one_line

if TYPE_CHECKING:
    from rpool.decide.scanned import Host
    from rpool.flow.scan import Scanned
    from rpool.model.site import Ssh
    from rpool.reach.host_keys import Presented

_SERVER = re.compile(r"(?:(?P<name>[^=@]+)=)?(?P<address>[^:@=]+)(?::(?P<port>[0-9]{1,5}))?")
_HEAD = "# The servers of a site. Zones are what fails together; see docs/guides/command.md.\n"


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = (
        "Ask servers for their cores, memory and host keys, and add them to a fleet file. "
        "Existing entries stay as they are; differences are reported. Host keys that neither "
        "the fleet nor known_hosts has are shown for you to confirm."
    )
    parser = commands.add_parser("scan", help="add servers to a fleet file", description=about)
    parser.add_argument(
        "servers",
        nargs="*",
        metavar="SERVER",
        help="ADDRESS or NAME=ADDRESS, optionally with :PORT",
    )
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="an Ansible inventory")
    parser.add_argument(
        "--fleet",
        type=Path,
        default=Path("fleet.yaml"),
        metavar="FILE",
        help="file to add them to (default: %(default)s)",
    )
    parser.add_argument("--user", help="user to log in as (default: the site's, or root)")
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="private key of that user (default: the site's)"
    )
    parser.add_argument(
        "--known-hosts",
        type=Path,
        default=Path("~/.ssh/known_hosts"),
        metavar="FILE",
        help="host keys that you know already (default: %(default)s)",
    )
    add_site(parser)
    add_json(parser)
    parser.set_defaults(act=scanned)


def scanned(
    arguments: argparse.Namespace,
    accept: Callable[[Mapping[str, Presented]], bool] | None = None,
    check: Callable[[Mapping[str, Any]], None] | None = None,
) -> Iterator[str]:
    """Scan, write the entries, and yield what to print. A test passes its own answer to whether
    host keys are right (`accept`), and its own check of the fleet (`check`).
    """
    from rpool.flow.scan import Ways, scan
    from rpool.reach.host_keys import KnownHosts
    from rpool.worlds import world_of

    hosts = _hosts(arguments)
    text = _text(arguments.fleet)
    fleet = _parsed(text, arguments.fleet)
    known_hosts = KnownHosts(arguments.known_hosts.expanduser())
    result = scan(hosts, fleet, Ways(_ssh(arguments), known_hosts, accept or _accept, world_of))
    (check or _check)(fleet | result.entries)
    if result.entries:
        _write(arguments.fleet, text, fleet, result.entries)
    yield from [_document(result)] if arguments.json else _lines(result, arguments.fleet)
    if result.failed:
        raise _not_scanned(result)


def _hosts(arguments: argparse.Namespace) -> list[Host]:
    from rpool.decide.scanned import Host
    from rpool.reach.inventory import read_file

    hosts = read_file(arguments.inventory) if arguments.inventory else []
    for text in arguments.servers:
        if not (parts := _SERVER.fullmatch(text)):
            raise _wrong(
                f"{text!r:.60} is not the address of a server",
                "10.0.1.4, r1u04=10.0.1.4, 10.0.1.4:2222",
            )
        hosts.append(Host(parts["name"] or "", parts["address"], int(parts["port"] or 22)))
    if not hosts:
        raise _wrong("there is no server to scan", "Give addresses, or --inventory FILE.")
    return hosts


def _ssh(arguments: argparse.Namespace) -> Ssh:
    """How to log in, by the command's options, or else by the site."""
    from rpool.cli.site_file import ssh_of
    from rpool.config.keys import check_private_key
    from rpool.model.secret import Secret
    from rpool.model.site import Ssh

    settings = ssh_of(arguments.site) if arguments.site.exists() else {}
    if arguments.key is not None:
        try:
            settings["private_key"] = arguments.key.expanduser().read_text()
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or "it is not text"
            raise _wrong(f"--key: {arguments.key} cannot be read: {why}") from error
    if not isinstance(settings.get("private_key"), str):
        raise _wrong("there is no key to log in with", "Give --key FILE, or ssh in site.yaml.")
    try:
        key = check_private_key(settings["private_key"])
    except ValueError as error:
        raise _wrong(str(error)) from None
    return Ssh(Secret(key), arguments.user or str(settings.get("user") or "root"))


def _accept(keys: Mapping[str, Presented]) -> bool:
    """Whether the user says that these host keys are right; False without a terminal."""
    if not sys.stdin.isatty():
        return False
    width = max(map(len, keys))
    for name, key in keys.items():
        print(f"{name:{width}}  {key.text.split()[0]}  {key.fingerprint}", file=sys.stderr)
    print(
        "These host keys are not known yet. Compare each with the server's own, on its console: "
        "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        file=sys.stderr,
    )
    print("Are all of them right? (yes/no) ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"


def _text(path: Path) -> str:
    """The text of the fleet's file; "" where there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise _wrong(f"{path} cannot be read: {error}") from error


def _parsed(text: str, path: Path) -> dict[str, Any]:
    import yaml

    try:
        fleet = plain_yaml.load(text, aliases=True) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _wrong(f"{path} {plain_yaml.why_none(text, error)}") from error
    if not isinstance(fleet, dict) or not all(isinstance(entry, dict) for entry in fleet.values()):
        raise _wrong(f"{path} is not a fleet: a mapping of servers by name")
    return fleet


def _check(fleet: Mapping[str, Any]) -> None:
    """Raise SpecError with all that the provider would refuse."""
    from rpool.api import parse_site

    if fleet:
        parse_site({"simulate": {}, "fleet": fleet})


def _write(path: Path, text: str, fleet: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
    """Add entries at the end of the file. Its content stays, with its comments."""
    import yaml

    more = yaml.safe_dump(dict(entries), sort_keys=False, width=1000)
    whole = f"{text.rstrip()}\n{more}" if text.strip() else f"{_HEAD}{more}"
    try:
        is_right = yaml.safe_load(whole) == {**fleet, **entries}
    except yaml.YAMLError:
        is_right = False
    if not is_right:
        raise Refused(f"nothing can be added at the end of {path}", f"Add it by hand:\n{more}")
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(whole)
        part.replace(path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", f"To add:\n{more}") from error


def _lines(result: Scanned, path: Path) -> Iterator[str]:
    from rpool.cli.table import table

    if result.entries:
        rows = [
            (name, *(str(entry[key]) for key in ("address", "cores", "memory", "zone")))
            for name, entry in result.entries.items()
        ]
        yield from table(("SERVER", "ADDRESS", "CORES", "GIB", "ZONE"), rows)
        yield ""
    yield from map(one_line, result.notes)
    count = len(result.entries)
    yield f"Added to {path}: {count} server{'' if count == 1 else 's'}."


def _document(result: Scanned) -> str:
    failed = {key: error.summary for key, error in result.failed.items()}
    return as_json({"added": result.entries, "notes": result.notes, "failed": failed})


def _not_scanned(result: Scanned) -> Refused:
    """One error for all failed servers: each advice once, below the servers that it is for."""
    reasons: dict[str, list[str]] = {}
    for error in result.failed.values():
        reasons.setdefault(error.detail, []).append(error.summary)
    count, lines = (
        len(result.failed),
        [line for reason in reasons.items() for line in (*reason[1], reason[0])],
    )
    what = "1 server was not scanned" if count == 1 else f"{count} servers were not scanned"
    return Refused(what, "\n".join(filter(None, lines)))


def _wrong(summary: str, detail: str = "") -> SpecError:
    return SpecError([Problem((), summary, detail)])

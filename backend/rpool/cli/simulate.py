"""`rpool simulate`: makes things happen to the servers of a simulated site."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpool.cli.completion import add_server
from rpool.cli.options import add_json, as_json
from rpool.errors import Refused
from rpool.model.duration import seconds
from rpool.simulate import FILE_NAME

if TYPE_CHECKING:
    from rpool.model.claim import Claim
    from rpool.model.server import ServerName
    from rpool.simulate.machine import Machine
    from rpool.simulate.store import Machines, Store

_NAMES_SHOWN = 12


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`; each verb yields what to print."""
    about = (
        'Make things happen to the servers of a simulated site (provider "rpool" { simulate { } }).'
    )
    brief = "make things happen to simulated servers"
    parser = commands.add_parser("simulate", help=brief, description=about)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    lose = verbs.add_parser("lose", help="power a server off, as when its hardware dies")
    lose.set_defaults(act=lambda arguments: _switch(arguments, powered=False))
    lose.add_argument(
        "--ago",
        type=_duration,
        default=0,
        metavar="TIME",
        help="as if that had happened so long ago, such as 10m",
    )
    restore = verbs.add_parser("restore", help="power a server on again; its disk is as it was")
    restore.set_defaults(act=lambda arguments: _switch(arguments, powered=True))
    reinstall = verbs.add_parser("reinstall", help="reinstall a server: its disk is empty then")
    reinstall.set_defaults(act=_reinstall)
    block = verbs.add_parser("block", help="block ports of a server by a firewall")
    block.set_defaults(act=_block)
    for verb in (lose, restore, reinstall, block):
        add_server(verb)
    block.add_argument(
        "ports",
        metavar="PORT",
        nargs="*",
        help="such as tcp/6443; without any, all are opened again",
    )
    for verb in (lose, restore, reinstall, block):
        verb.add_argument(
            "--file",
            type=Path,
            default=Path(FILE_NAME),
            help="the state of the servers (default: %(default)s)",
        )
        add_json(verb)


def _duration(text: str) -> int:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _switch(arguments: argparse.Namespace, *, powered: bool) -> Iterator[str]:
    name: ServerName = arguments.server
    with closing(_store(arguments.file)) as store, store.alone():
        machines = _load(store)
        machine = _machine(machines, name)
        was_powered, claim_before = machine.powered, machine.claim
        if powered:
            machine.give_power()
        else:
            machine.lose_power(arguments.ago)
        store.save(machines)
    if arguments.json:
        is_earlier = not powered and bool(arguments.ago)
        yield _facts(machine, claim_before, changed=was_powered is not powered or is_earlier)
    elif powered:
        yield f"{name} has power{' already' if was_powered else ' again'}{_holder(machine)}."
    elif was_powered or arguments.ago:
        yield f"{name} is lost: it has no power and does not answer{_holder(machine)}."
        if machine.claim and not arguments.ago:
            yield "A plan replaces it after its cluster's repair.grace; with --ago 10m, at once."
        yield f"To undo this: rpool simulate restore {name}"
    else:
        yield f"{name} is already lost{_holder(machine)}."


def _reinstall(arguments: argparse.Namespace) -> Iterator[str]:
    name: ServerName = arguments.server
    with closing(_store(arguments.file)) as store, store.alone():
        machines = _load(store)
        machine = _machine(machines, name)
        claim_before = machine.claim
        machine.reinstall()
        store.save(machines)
    if arguments.json:
        yield _facts(machine, claim_before, changed=True)
        return
    yield f"{name} is reinstalled: its disk is empty."
    if claim_before:
        yield f"Cluster {claim_before.pool} has lost it thereby, and does not know yet."


def _block(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.model.inspection import Port

    try:
        ports = tuple(str(Port.read(text)) for text in arguments.ports)
    except ValueError as error:
        raise Refused(str(error), "Ports are such as tcp/6443 and udp/8472.") from None
    with closing(_store(arguments.file)) as store, store.alone():
        machines = _load(store)
        machine = _machine(machines, arguments.server)
        blocked_before, machine.blocked = machine.blocked, ports
        store.save(machines)
    if arguments.json:
        yield _facts(machine, machine.claim, changed=blocked_before != ports)
    elif ports:
        yield f"{arguments.server} blocks {', '.join(ports)}."
        yield f"To undo this: rpool simulate block {arguments.server}"
    else:
        yield f"{arguments.server} blocks no port."


def _facts(machine: Machine, claim_before: Claim | None, *, changed: bool) -> str:
    """A server as it is now, and the cluster it had before; `changed`: whether it changed."""
    return as_json(
        {
            "server": machine.server.name,
            "powered": machine.powered,
            "blocked": list(machine.blocked),
            "changed": changed,
            "cluster": claim_before.pool if claim_before else None,
            "cluster_id": claim_before.uid if claim_before else None,
        }
    )


def _holder(machine: Machine) -> str:
    return f"; cluster {machine.claim.pool} has a claim on it" if machine.claim else ""


def _store(file: Path) -> Store:
    """The store of a simulated site. Without one no file is created; raises Refused."""
    from rpool.simulate.store import Store

    if not file.is_file():
        raise _no_simulated_site(file)
    return Store(file)


def _load(store: Store) -> Machines:
    machines = store.load()
    if machines is None:
        raise _no_simulated_site(store.path)
    return machines


def _no_simulated_site(file: Path) -> Refused:
    return Refused(
        f"there is no simulated site in {file}",
        "The first terraform apply with simulate set in the provider block creates the file, in "
        "Terraform's working directory. Run rpool there, or set --file.",
    )


def _machine(machines: Machines, name: ServerName) -> Machine:
    if name in machines:
        return machines[name]
    close = difflib.get_close_matches(name, machines, n=1)
    known = sorted(machines)
    more = f" and {len(known) - _NAMES_SHOWN} more" if len(known) > _NAMES_SHOWN else ""
    raise Refused(
        f"there is no server {name}{f'; did you mean {close[0]}?' if close else ''}",
        f"The servers are {', '.join(known[:_NAMES_SHOWN])}{more} (rpool list).",
    )

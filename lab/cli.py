"""The command line: `python -m lab ...`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence

from lab import demo, settings
from lab.cache import default_cache
from lab.command import LabError
from lab.host import require_root
from lab.packages import everything
from lab.site import bring_up, layout, machines
from lab.site.layout import Lab
from lab.terraform import every, terraform
from lab.versions import DEFAULT_KUBERNETES, release_of

DEFAULT_SERVERS = 6
BAD_USE = 2
FAILED = 1
POWER = {
    "kill": (machines.kill, "cut a server's power, as a failed supply does"),
    "power-on": (machines.power_on, "switch a server on; it keeps its disk"),
    "freeze": (machines.freeze, "make a server hang"),
    "thaw": (machines.thaw, "let a frozen server go on"),
    "cut": (machines.cut, "pull a server's network cable"),
    "restore": (machines.restore, "plug it in again"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit status."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        require_root()
        status: int = arguments.act(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("lab: interrupted; `python -m lab down` cleans up", file=sys.stderr)
        return 128 + signal.SIGINT
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="a data centre on one machine"
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(
        name: str, act: Callable[[argparse.Namespace], int], about: str
    ) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=about, description=about)
        added.set_defaults(act=act)
        added.add_argument("--name", default="lab", help="which lab (default: lab)")
        return added

    def with_version(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--kubernetes", default=DEFAULT_KUBERNETES, metavar="VERSION")
        return added

    with_version(verb("packages", _packages, "build packages, images and the servers' Debian"))
    up = with_version(verb("up", _up, "build what is missing and start the servers"))
    up.add_argument("--servers", type=int, default=DEFAULT_SERVERS, metavar="N")
    verb("down", _down, "stop the servers and remove all that the lab made")
    verb("status", _status, "say what each server is doing")
    verb("fleet", _fleet, "print the fleet as YAML")
    with_version(verb("demo", _demo, "a cluster by terraform apply, and an application on it"))
    verb("demo-down", _demo_down, "take the demo away")
    for name in ("demo", "demo-down"):
        verbs.choices[name].set_defaults(name="demo")
    verb("site", _site, "print key, mirrors and free addresses as JSON")
    ssh = verb("ssh", _ssh, "log in to a server as root, or run a command there")
    ssh.add_argument("server")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    desk = verb("run", _run, "run a command at the operator's desk")
    desk.add_argument("command", nargs=argparse.REMAINDER)
    binary = verb("terraform", _terraform, "print the path of terraform, built if there is none")
    binary.add_argument("--every", action="store_true", help="one of each version that is tested")
    for name, (_, about) in POWER.items():
        verb(name, _power, about).add_argument("server")
        verbs.choices[name].set_defaults(power=name)
    return parser


def _lab(arguments: argparse.Namespace) -> Lab:
    return layout.find(arguments.name)


def _packages(arguments: argparse.Namespace) -> int:
    everything.ensure(default_cache(), release_of(arguments.kubernetes))
    return 0


def _up(arguments: argparse.Namespace) -> int:
    bring_up.up(default_cache(), arguments.name, arguments.servers, arguments.kubernetes)
    return 0


def _down(arguments: argparse.Namespace) -> int:
    bring_up.down(default_cache(), arguments.name)
    return 0


def _status(arguments: argparse.Namespace) -> int:
    for row in bring_up.status(_lab(arguments)):
        print("{:8} {:14} {:18} {}".format(*row))
    return 0


def _fleet(arguments: argparse.Namespace) -> int:
    print(settings.fleet(_lab(arguments)), end="")
    return 0


def _site(arguments: argparse.Namespace) -> int:
    print(json.dumps(settings.site(_lab(arguments)), indent=2))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    return demo.demo(default_cache(), arguments.name, arguments.kubernetes)


def _demo_down(arguments: argparse.Namespace) -> int:
    return demo.demo_down(default_cache(), arguments.name)


def _run(arguments: argparse.Namespace) -> int:
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        print("lab: run needs a command: python -m lab run -- terraform plan", file=sys.stderr)
        return BAD_USE
    return _at_desk(_lab(arguments), command)


def _ssh(arguments: argparse.Namespace) -> int:
    lab = _lab(arguments)
    return _at_desk(lab, machines.ssh(lab, arguments.server, *arguments.command))


def _at_desk(lab: Lab, command: list[str]) -> int:
    """Become the command, in the desk's network; folder, environment and status stay."""
    words = ["nsenter", f"--net=/run/netns/{lab.desk}", "--", *command]
    sys.stdout.flush()
    os.execvp(words[0], words)  # noqa: S606  # becoming the command keeps its terminal and status


def _terraform(arguments: argparse.Namespace) -> int:
    cache = default_cache()
    print(*(every(cache) if arguments.every else [terraform(cache)]), sep="\n")
    return 0


def _power(arguments: argparse.Namespace) -> int:
    lab = _lab(arguments)
    act = POWER[arguments.power][0]
    act(lab, lab.server(arguments.server))
    return 0

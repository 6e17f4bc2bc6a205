"""Servers in a network of their own, for scripts that look at each other: network namespaces behind
one switch. Nothing of them outlives a test.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from worlds.samples import NODE

from rpool.model.inspection import Inspected, Trial
from rpool.model.server import Server
from rpool.reach import inspecting


def run(*command: str, **more: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@dataclass(frozen=True)
class Network:
    """`names` are the servers; the first has 10.9.0.1, the next 10.9.0.2."""

    prefix: str
    names: tuple[str, ...]

    def server(self, name: str) -> Server:
        return replace(NODE, name=name, address=f"10.9.0.{self.names.index(name) + 1}")

    def on(self, name: str, command: str) -> str:
        """Run a line of sh on a server."""
        return run("ip", "netns", "exec", f"{self.prefix}{name}", "sh", "-ec", command)

    def on_switch(self, command: str) -> str:
        return self.on("switch", command)

    @contextmanager
    def running(self, name: str, code: str) -> Iterator[None]:
        """Runs Python on a server meanwhile; it is ready once it has printed a line."""
        command = ["ip", "netns", "exec", f"{self.prefix}{name}", "python3", "-c", code]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield
        finally:
            process.kill()
            process.communicate()

    def inspect(self, trials: Mapping[str, Trial]) -> dict[str, Inspected]:
        """Inspects all servers at once, as the engine does."""
        addresses = {name: self.server(name).address for name in self.names}

        def one(name: str) -> Inspected:
            script = inspecting.script(self.server(name), addresses, trials[name])
            space = f"{self.prefix}{name}"
            printed = run("ip", "netns", "exec", space, "sh", "-s", input=script)
            return inspecting.inspected(name, trials[name], printed.encode())

        with ThreadPoolExecutor(len(trials)) as pool:
            return dict(zip(trials, pool.map(one, trials), strict=True))


@contextmanager
def network(*names: str) -> Iterator[Network]:
    if os.geteuid() != 0:
        pytest.skip("needs root, for servers in network namespaces of their own")
    made = Network(f"rpool{os.getpid()}-", names)
    spaces = [f"{made.prefix}{name}" for name in (*names, "switch")]
    try:
        for space in spaces:
            run("ip", "netns", "add", space)
        made.on_switch("ip link add br0 type bridge\nip link set br0 up")
        for name in names:
            _connect(made, name)
        yield made
    finally:
        for space in spaces:
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


def _connect(made: Network, name: str) -> None:
    made.on_switch(
        f"ip link add to-{name} type veth peer name eth0 netns {made.prefix}{name}\n"
        f"ip link set to-{name} master br0 up"
    )
    address = made.server(name).address
    made.on(name, f"ip link set lo up\nip addr add {address}/24 dev eth0\nip link set eth0 up")

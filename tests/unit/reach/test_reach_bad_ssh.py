"""A machine that answers with nonsense at a server's address is in the way of no other server."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.samples import NODE, site
from worlds.sshd import new_key

from rpool.errors import CommandFailed, Unreachable
from rpool.flow.look import probe_all
from rpool.reach.ssh import Completed
from rpool.reach.world import RealWorld

ALGORITHMS = (
    b"curve25519-sha256@libssh.org",
    b"ssh-ed25519",
    *[b"aes128-ctr"] * 2,
    *[b"hmac-sha2-256"] * 2,
    *[b"none"] * 2,
    *[b""] * 2,
)


def text(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def packet(payload: bytes) -> bytes:
    padding = 16 - (len(payload) + 5) % 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def proposal(*algorithms: bytes) -> bytes:
    return packet(b"\x14" + bytes(16) + b"".join(map(text, algorithms)) + bytes(5))


SAYS = {
    "algorithms that are no text": [proposal(b"\xff\xfe", *ALGORITHMS[1:])],
    "a proposal that is cut": [packet(b"\x14" + bytes(16) + b"\0\0\0\x05")],
    "a host key that is none": [
        proposal(*ALGORITHMS),
        packet(b"\x1f" + text(b"xx") + text(bytes(32)) + text(b"signature")),
    ],
    "half of a reply": [proposal(*ALGORITHMS), packet(b"\x1f")],
    "an empty packet": [struct.pack(">IB", 12, 11) + bytes(11)],
    "a goodbye that is no text": [packet(b"\x01" + struct.pack(">I", 2) + text(b"\xff\xff"))],
}


@pytest.fixture(params=SAYS)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    link, _ = listening.accept()
                    link.sendall(b"SSH-2.0-x\r\n")
                    link.recv(1000)
                    for message in SAYS[request.param]:
                        link.sendall(message)
                    while link.recv(1000):
                        pass
                    link.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def test_a_machine_that_speaks_broken_ssh_is_out_of_reach(port: int, tmp_path: Path) -> None:
    key = new_key(tmp_path / "key")
    server = replace(
        NODE, address="127.0.0.1", port=port, host_key=key.with_suffix(".pub").read_text().strip()
    )
    with closing(RealWorld(site(server, key.read_text(), "root"))) as world:
        probed, lost = probe_all(world, [server.name])
    assert probed == {}
    assert isinstance(lost[server.name], Unreachable)


class Ending(RealWorld):
    """Whatever is run there ends with this code, as a guard of ours would end it."""

    code = 0

    def _run(self, server: str, script: str, timeout_seconds: float) -> Completed:
        return Completed(self.code, b"", b"")


@pytest.mark.parametrize("code", [1, 81, 85, 90, 300])
def test_a_look_has_no_code_by_which_a_server_could_refuse_all(code: int, tmp_path: Path) -> None:
    key = new_key(tmp_path / "key")
    host_key = key.with_suffix(".pub").read_text().strip()
    server = replace(NODE, address="127.0.0.1", host_key=host_key)
    with closing(Ending(site(server, key.read_text(), "root"))) as world:
        world.code = code
        with pytest.raises(CommandFailed, match=server.name):
            world.probe(server.name)

"""What pods request, through a real sshd with a kubectl that answers; nothing of it is believed."""

from __future__ import annotations

import pytest
from worlds.sshd import TestServer

from rpool.errors import CommandFailed
from rpool.model.seen import Requested
from rpool.reach import shown
from rpool.reach.world import RealWorld


def test_what_the_pods_of_a_node_request_is_summed(server: TestServer, world: RealWorld) -> None:
    server.marker("kubectl", r"printf 'r1u04\t100m 1\t64Mi 1Gi\nr1u04\t\t\nr1u05\t250m\t512Mi\n'")
    assert world.requested("r1u04") == {
        "r1u04": Requested(1.1, 1.0625, 2),
        "r1u05": Requested(0.25, 0.5, 1),
    }
    assert "status.phase!=Succeeded,status.phase!=Failed" in server.calls
    assert "{.spec.nodeName}{'\\t'}" in server.calls


@pytest.mark.parametrize(
    "printed",
    [b"r1u04", b"r1u04\tx\t1Gi", b"r1u04\t1\t" + b"9" * 400, b"\xff\t1\t1", b"r1u04\t1\t1\t1"],
)
def test_what_cannot_be_read_is_no_answer(printed: bytes) -> None:
    with pytest.raises(CommandFailed, match="r1u04 reports of its pods cannot be read"):
        shown.requested("r1u04", printed)


def test_the_name_of_a_node_steers_no_terminal() -> None:
    (name,) = shown.requested("r1u04", b"\x1b[2J" + b"x" * 1000 + b"\t1\t1")
    assert "\x1b" not in name
    assert len(name) == 253

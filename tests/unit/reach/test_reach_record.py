"""What kubectl is told when the record is written, and what follows from its answers, by a real
shell and sshd. That only the record that was seen is replaced is in `tests/contract`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from worlds.samples import OURS, RECORD
from worlds.sshd import TestServer

from reach.conftest import claim
from rpool.errors import CommandFailed, Refused
from rpool.model import action as act
from rpool.model.record import Record
from rpool.reach import documents
from rpool.reach.world import RealWorld

SEEN = replace(RECORD, change="00c0ffee", generation=2)


@pytest.fixture
def answer(server: TestServer) -> Path:
    """What the API server says to a write; empty when it agrees. What was written is `written`."""
    file = server.root / "answer"
    file.write_text("")
    server.marker(
        "kubectl",
        f"""case "$*" in
        *' get configmap '*) cat {server.root}/there 2>/dev/null || true ;;
        *' --raw '*)
            if [ -s {file} ]; then cat {file} >&2; exit 1; fi
            for last; do :; done
            cp "$last" {server.root}/written ;;
        esac""",
    )
    return file


def there(server: TestServer, record: Record) -> None:
    annotations = json.loads(documents.record(record))["metadata"]["annotations"]
    (server.root / "there").write_text(f"4711\n{annotations['rpool/change']}")


def write(world: RealWorld, server: TestServer) -> dict[str, Any]:
    claim(world)
    world.carry_out(act.WriteRecord("r1u04", OURS, RECORD, SEEN.change), 60)
    written: dict[str, Any] = json.loads((server.root / "written").read_text())
    assert documents.read_record(written["data"]["record"]) == RECORD
    assert "THE ONE" not in (server.root / "written").read_text()
    return written


@pytest.mark.usefixtures("answer")
def test_the_first_is_created(world: RealWorld, server: TestServer) -> None:
    written = write(world, server)
    assert "resourceVersion" not in written["metadata"]
    assert "create --raw /api/v1/namespaces/kube-system/configmaps -f" in server.calls


@pytest.mark.usefixtures("answer")
@pytest.mark.parametrize("change", [SEEN.change, RECORD.change])
def test_the_one_that_was_seen_or_is_ours_is_replaced(
    world: RealWorld, server: TestServer, change: str
) -> None:
    there(server, replace(SEEN, change=change))
    assert write(world, server)["metadata"]["resourceVersion"] == "4711"


@pytest.mark.usefixtures("answer")
def test_one_whose_change_nobody_knows_is_left(world: RealWorld, server: TestServer) -> None:
    """Its annotation was taken away: it may be any operation's."""
    (server.root / "there").write_text("4711\n")
    with pytest.raises(Refused, match="another operation works on the cluster"):
        write(world, server)
    assert "--raw" not in server.calls


@pytest.mark.usefixtures("answer")
def test_whose_it_is_is_told_where_it_is_left(world: RealWorld, server: TestServer) -> None:
    there(server, replace(SEEN, change="5ca1ab1e"))
    with pytest.raises(Refused, match="another operation works on the cluster") as caught:
        write(world, server)
    assert "change 5ca1ab1e, not 00c0ffee" in caught.value.detail
    assert "--raw" not in server.calls


@pytest.mark.parametrize("kind", ["Conflict", "AlreadyExists"])
@pytest.mark.parametrize("is_first", [True, False])
def test_one_that_is_faster_after_our_look_is_left_too(
    world: RealWorld, server: TestServer, answer: Path, kind: str, is_first: bool
) -> None:
    if not is_first:
        there(server, SEEN)
    answer.write_text(f"Error from server ({kind}): no\n")
    with pytest.raises(Refused, match="another operation works on the cluster"):
        write(world, server)


def test_an_api_that_is_busy_is_another_error(
    world: RealWorld, server: TestServer, answer: Path
) -> None:
    answer.write_text("Error from server (Timeout): etcd is slow\n")
    with pytest.raises(CommandFailed) as caught:
        write(world, server)
    assert "etcd is slow" in caught.value.detail

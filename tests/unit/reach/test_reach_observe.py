"""What a look asks of an API, and what it tells: observe.sh through a real sshd, with a kubectl
that answers.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.samples import OURS, RECORD
from worlds.sshd import TestServer

from reach.conftest import claim
from rpool.certificates import ca_pin, new_authority
from rpool.errors import CommandFailed, Refused
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.record import Record
from rpool.model.seen import ClusterSeen
from rpool.reach import documents, kubeadm
from rpool.reach.world import RealWorld

UNDER_WAY = RECORD
SETTLED = replace(RECORD, wanted=None)
NODE = "r1u04\t{}\t\tTrue\t4\t8Gi\t\n"
QUESTIONS = ("nodes", "configmap", "secrets", "deployment")


@pytest.fixture
def api(server: TestServer) -> Path:
    """A folder of answers, one file for each question; kubectl fails where there is no file."""
    folder = server.root / "api"
    folder.mkdir()
    cases = " ".join(
        f"*' get {question} '*) cat {folder}/{question} || exit 1 ;;" for question in QUESTIONS
    )
    server.marker("kubectl", f"case $* in {cases} esac")
    server.certify()
    for question in QUESTIONS:
        (folder / question).write_text("")
    (folder / "nodes").write_text(NODE)
    return folder


def seen(world: RealWorld, api: Path, record: Record) -> ClusterSeen:
    text = json.loads(documents.record(record))["data"]["record"]
    (api / "configmap").write_text(text)
    return world.observe("r1u04")


def asked(server: TestServer) -> str:
    return " ".join(line.split(" get ")[1].split()[0] for line in server.calls.splitlines())


def test_all_that_an_api_tells_is_told(world: RealWorld, api: Path) -> None:
    (api / "deployment").write_text("kubectl rpool")
    ours = base64.b64encode(kubeadm.DESCRIPTION.encode()).decode()
    (api / "secrets").write_text(f"bootstrap-token-a {ours}\n")
    cluster = seen(world, api, UNDER_WAY)
    assert list(cluster.nodes) == ["r1u04"]
    assert cluster.record == UNDER_WAY
    assert ca_pin(cluster.ca_certificate)
    assert cluster.metallb
    assert cluster.open_to_joiners
    assert abs(cluster.clock_seconds - time.time()) < 30


def test_tokens_of_others_leave_nothing_open(world: RealWorld, api: Path) -> None:
    theirs = base64.b64encode(b"somebody's").decode()
    (api / "secrets").write_text(f"bootstrap-token-a {theirs}\nbootstrap-token-b\n")
    assert not seen(world, api, SETTLED).open_to_joiners


def test_of_a_settled_cluster_nobody_asks_for_metallb(
    world: RealWorld, server: TestServer, api: Path
) -> None:
    (api / "deployment").unlink()
    assert not seen(world, api, SETTLED).metallb
    assert "deployment" not in asked(server)


@pytest.mark.parametrize("record", [UNDER_WAY, None])
def test_of_any_other_it_is_asked(
    world: RealWorld, server: TestServer, api: Path, record: Record | None
) -> None:
    (api / "deployment").write_text("rpool")
    cluster = world.observe("r1u04") if record is None else seen(world, api, record)
    assert cluster.record == record
    assert cluster.metallb


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_look_that_fails_in_part_tells_nothing(
    world: RealWorld, api: Path, question: str
) -> None:
    """No Nodes, no record or no token would be taken for the truth."""
    (api / "configmap").write_text(json.loads(documents.record(UNDER_WAY))["data"]["record"])
    (api / question).unlink()
    with pytest.raises(CommandFailed, match="looking at the cluster failed on r1u04"):
        world.observe("r1u04")


def test_the_three_are_asked_at_once(world: RealWorld, server: TestServer, api: Path) -> None:
    """Each waits for the two others: one after the other would never end."""
    others = f"until [ $(wc -l <{server.root}/calls) -ge 3 ]; do sleep 0.05; done"
    marker = server.root / "bin" / "kubectl"
    text = marker.read_text()
    marker.write_text(text.replace("case $* in", f"{others}\ncase $* in"))
    assert seen(world, api, SETTLED).record == SETTLED


def test_a_look_leaves_nothing(world: RealWorld, server: TestServer, api: Path) -> None:
    seen(world, api, UNDER_WAY)
    assert not list(server.path("/run/rpool").glob("secret.*"))


def test_who_has_not_the_key_of_its_ca_is_no_control_plane(
    world: RealWorld, server: TestServer, api: Path
) -> None:
    key = server.path("/etc/kubernetes/pki/ca.key")
    own = key.read_text()
    _, others = new_authority()
    key.write_text(others)
    with pytest.raises(Refused, match="r1u04 does not prove that it has the key of the CA"):
        seen(world, api, SETTLED)
    key.unlink()
    with pytest.raises(Refused, match="r1u04 does not prove that it has the key of the CA"):
        seen(world, api, SETTLED)
    key.write_text(own)
    assert seen(world, api, SETTLED).record == SETTLED


def test_a_proof_is_good_once(world: RealWorld, server: TestServer, api: Path) -> None:
    """What a control plane has signed before is no proof: another one may have heard it."""
    server.marker("openssl", f'tee {server.root}/asked | command -p openssl "$@"')
    seen(world, api, SETTLED)
    first = (server.root / "asked").read_bytes()
    seen(world, api, SETTLED)
    assert first.startswith(b"rpool r1u04 ")
    assert (server.root / "asked").read_bytes() != first


def test_a_member_s_claim_has_the_pin_of_the_ca_that_it_joined(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    certificate = server.certify()
    world.carry_out(act.SetPhase("r1u04", OURS, Phase.MEMBER), 60)
    as_member = world.probe("r1u04").claim
    assert as_member is not None and as_member.ca_pin == ca_pin(certificate)
    server.certify()
    world.carry_out(act.SetPhase("r1u04", OURS, Phase.MEMBER), 60)
    assert world.probe("r1u04").claim == as_member

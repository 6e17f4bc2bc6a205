"""How a cluster signs a certificate: sign.sh through a real sshd, with a kubectl that answers."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.samples import NODE
from worlds.sshd import TestServer, new_key

from rpool.certificates import new_request
from rpool.errors import CommandFailed, Unreachable
from rpool.flow.access import entrance
from rpool.model.record import Member
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Role
from rpool.model.site import SiteConfig, Ssh
from rpool.model.view import Condition, PoolView
from rpool.reach.world import RealWorld

UID = "0badf00d-0000-4000-8000-000000000001"
SIGNED = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode()


@pytest.fixture
def api(server: TestServer) -> Path:
    """A folder with what is told of the request (`csr`), and what was sent to the API."""
    folder = server.root / "api"
    folder.mkdir()
    server.marker(
        "kubectl",
        f"""for word; do case $word in /run/*.json) file=$word ;; esac; done
case $* in
*' create '*) cp "$file" {folder}/created; echo '{UID} 77' ;;
*' replace --raw '*) cp "$file" {folder}/approved ;;
*' get csr '*) cat {folder}/csr ;;
*) exit 1 ;;
esac""",
    )
    told(folder, "Approved asked for", SIGNED)
    return folder


def told(api: Path, conditions: str, certificate: str = "") -> None:
    """Makes the API tell this of the request from now on."""
    (api / "csr").write_text(f"{certificate}\n{conditions}")


def sign(world: RealWorld) -> str:
    return world.sign("r1u04", new_request("ann", ["team-a"])[0], 3600)


def sent(api: Path, what: str) -> dict[str, object]:
    document: dict[str, object] = json.loads((api / what).read_text())
    return document


def test_the_cluster_is_asked_for_a_client_certificate_that_ends_soon(
    world: RealWorld, api: Path
) -> None:
    assert sign(world) == "-----BEGIN CERTIFICATE-----\n"
    spec = sent(api, "created")["spec"]
    assert isinstance(spec, dict)
    assert base64.b64decode(spec.pop("request")).startswith(b"-----BEGIN CERTIFICATE REQUEST")
    assert spec == {
        "signerName": "kubernetes.io/kube-apiserver-client",
        "expirationSeconds": 3600,
        "usages": ["client auth"],
    }


def test_what_is_approved_is_the_very_request_that_was_made(
    world: RealWorld, server: TestServer, api: Path
) -> None:
    """The approval has its uid and version: an API refuses it for a request put in its place."""
    sign(world)
    created, approved = sent(api, "created"), sent(api, "approved")
    metadata, original = approved["metadata"], created["metadata"]
    assert isinstance(metadata, dict) and isinstance(original, dict)
    assert metadata == original | {"uid": UID, "resourceVersion": "77"}
    assert approved["spec"] == created["spec"]
    (call,) = [line for line in server.calls.splitlines() if " replace --raw " in line]
    assert f"/certificatesigningrequests/{metadata['name']}/approval" in call


def test_neither_request_nor_certificate_is_in_a_command_line(
    world: RealWorld, server: TestServer, api: Path
) -> None:
    sign(world)
    spec = sent(api, "created")["spec"]
    assert isinstance(spec, dict)
    assert server.calls
    assert spec["request"] not in server.calls
    assert SIGNED not in server.calls


def test_nothing_of_it_stays_on_the_server(world: RealWorld, server: TestServer, api: Path) -> None:
    before = server.snapshot()
    sign(world)
    assert server.snapshot() == before
    assert list(server.path("/run/rpool").glob("secret*")) == []


@pytest.mark.parametrize("said", ["Denied no such luck", "Approved Failed its usages are wrong"])
def test_why_it_was_not_signed_is_told(world: RealWorld, api: Path, said: str) -> None:
    told(api, said)
    with pytest.raises(CommandFailed) as caught:
        sign(world)
    assert f"the cluster has not signed it: {said}" in caught.value.detail


def test_a_cluster_that_takes_too_long_is_out_of_reach(server: TestServer, api: Path) -> None:
    told(api, "Approved asked for")
    began = time.monotonic()
    with (
        closing(RealWorld(server.site(), sign_seconds=1)) as world,
        pytest.raises(Unreachable) as caught,
    ):
        sign(world)
    assert time.monotonic() - began < 10
    assert "does kube-controller-manager run?" in caught.value.detail


@pytest.mark.parametrize("text", ["?", "\x1b[2J", base64.b64encode(b"\x1b[2J").decode()])
def test_what_is_no_certificate_is_a_failure_of_the_server(
    world: RealWorld, api: Path, text: str
) -> None:
    told(api, "Approved asked for", text)
    with pytest.raises(CommandFailed, match="the certificate that r1u04 gives cannot be read"):
        sign(world)


def test_a_request_that_the_api_refuses_is_told(world: RealWorld, server: TestServer) -> None:
    server.marker("kubectl", "echo 'Forbidden: no system:masters' >&2; exit 1")
    with pytest.raises(CommandFailed) as caught:
        sign(world)
    assert "Forbidden: no system:masters" in caught.value.detail


@pytest.fixture
def mute(tmp_path: Path) -> Iterator[SiteConfig]:
    """A site of twenty servers that take a connection, and then say nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        port = listener.getsockname()[1]
        names = [f"r1u{number:02}" for number in range(20)]
        fleet = Fleet({n: replace(NODE, name=n, address="127.0.0.1", port=port) for n in names})
        key = new_key(tmp_path / "key").read_text()
        yield SiteConfig(fleet, Ssh(Secret(key)))


@pytest.mark.parametrize("is_known", [True, False])
def test_where_no_server_says_a_word_that_is_told_within_ten_seconds(
    mute: SiteConfig, is_known: bool
) -> None:
    members = {
        name: Member(Role.CONTROL_PLANE, server.address, server.zone, 16, 64)
        for name, server in list(mute.fleet.servers.items())[:3]
    }
    values = ("batch", "1.36.3", 16, 64, Condition.SETTLED, "10.0.1.200:6443", None, "")
    known = PoolView("0badcafe", *values, members) if is_known else None
    with closing(RealWorld(mute)) as world:
        began = time.monotonic()
        with pytest.raises(Unreachable, match=r'cluster "?0badcafe'):
            entrance("0badcafe", known, mute.fleet, world)
        assert time.monotonic() - began < 10.5

"""The way into a cluster: who is let in as whom, and what is believed of what comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from worlds.fault import Answer, Fault, Look, Observe, Probe, Sign
from worlds.stage import made

from rpool.api import parse_identity
from rpool.certificates import check_issued, new_authority, new_request, organizations, sign_request
from rpool.errors import CommandFailed, RpoolError, SpecError, Unreachable
from rpool.flow.access import credential, entrance
from rpool.model.access import Identity

ANN = Identity("ann", ("team-a",), 3600)


def test_a_cluster_signs_for_a_user_who_has_the_key() -> None:
    stage, view = made()
    door = stage.site.entrance("batch")
    assert (door.uid, door.name, door.host) == (view.uid, "batch", f"https://{view.endpoint}")
    assert door.ca_certificate == view.ca_certificate
    before = time.time()
    issued = stage.site.credential(door, ANN)
    assert before + 3590 < issued.ends_seconds < time.time() + 3610
    key = issued.key.reveal()
    assert key.startswith("-----BEGIN PRIVATE KEY-----")
    assert key not in repr(issued)


def test_nothing_that_a_server_is_sent_has_the_key_and_no_server_is_changed() -> None:
    stage, _ = made()
    sent: list[str] = []
    sign = stage.world.sign

    class Watched:
        def sign(self, through: str, request: str, seconds: int) -> str:
            sent.append(request)
            return sign(through, request, seconds)

    door = stage.site.entrance("batch")
    credential(door, ANN, Watched())  # type: ignore[arg-type]
    (request,) = sent
    assert request.startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert organizations(request) == ["team-a"]
    assert stage.acted == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda _: "nothing", "it is no certificate"),
        (lambda _: new_authority()[0], "it is for another key"),
    ],
)
def test_what_a_false_server_gives_is_not_handed_on(
    answer: Callable[[str], str], says: str
) -> None:
    stage, _ = made()
    door = stage.site.entrance("batch")
    with stage.faults(Fault(Sign, Answer(answer))), pytest.raises(CommandFailed, match=says):
        stage.site.credential(door, ANN)


def test_a_certificate_is_for_the_identity_that_was_asked_for_and_of_the_clusters_ca() -> None:
    ca = new_authority()
    request, key = new_request("ann", ["team-a"])
    assert check_issued(sign_request(request, ca, 60), request, ca[0]) > time.time()
    with pytest.raises(ValueError, match="another CA than the cluster's has signed it"):
        check_issued(sign_request(request, new_authority(), 60), request, ca[0])
    other = _same_key(key, "root")
    with pytest.raises(ValueError, match="for another user or other groups"):
        check_issued(sign_request(other, ca, 60), request, ca[0])


def _same_key(key: str, user: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    private = load_pem_private_key(key.encode(), None)
    assert isinstance(private, EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, user)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(private, SHA256()).public_bytes(Encoding.PEM).decode()


def test_a_modelled_cluster_signs_no_more_than_a_real_one() -> None:
    stage, view = made()
    through = view.control_planes[0]
    with pytest.raises(CommandFailed, match="system:masters"):
        stage.world.sign(through, new_request("ann", ["system:masters"])[0], 3600)
    with pytest.raises(CommandFailed, match="expirationSeconds"):
        stage.world.sign(through, new_request("ann", [])[0], 599)


# -- which server is asked, and how long ----------------------------------------------------------


def test_what_this_process_has_seen_is_not_looked_for_again() -> None:
    stage, view = made()
    with stage.faults(Fault(Probe, lambda _: None, sure=False)) as (probes,):
        assert stage.site.entrance(view.uid).through == view.control_planes[0]
    assert probes == []


def test_a_control_plane_that_serves_is_found_beside_a_dead_one() -> None:
    stage, view = made()
    stage.machine(view.control_planes[0]).lose_power()
    stage.open()
    door = stage.site.entrance(view.uid)
    assert door.through in view.control_planes[1:]
    stage.site.credential(door, ANN)


@pytest.mark.parametrize(
    ("is_known", "silent"), [(True, Observe), (False, Observe), (False, Probe)]
)
def test_where_nothing_answers_the_error_comes_in_time(is_known: bool, silent: type[Look]) -> None:
    stage, view = made()
    over = threading.Event()
    arguments = (view if is_known else None, stage.site.config.fleet, stage.faulty)
    with stage.faults(Fault(silent, lambda _: over.wait(30))):
        began = time.monotonic()
        with pytest.raises(Unreachable, match=f'cluster "?{view.uid}'):
            entrance(view.uid, *arguments, patience_seconds=1.0)
        assert time.monotonic() - began < 3
        over.set()


@pytest.mark.parametrize("is_known", [True, False])
def test_a_cluster_without_its_api_lets_nobody_in(is_known: bool) -> None:
    stage, view = made()
    for name in view.control_planes[:2]:
        stage.machine(name).lose_power()
    if not is_known:
        stage.open()
    with pytest.raises(RpoolError, match="its API"):
        stage.site.entrance(view.uid)


def test_a_cluster_that_is_nowhere_is_an_error_that_names_the_others() -> None:
    stage, _ = made()
    with pytest.raises(SpecError) as caught:
        stage.site.entrance("bach")
    assert "batch (" in caught.value.problems[0].detail


# -- as whom ---------------------------------------------------------------------------------------


def test_who_says_nothing_is_an_admin_by_a_group_that_can_be_unbound() -> None:
    identity = parse_identity({}, owner="ann@desk")
    assert identity == Identity("rpool-ann@desk", ("kubeadm:cluster-admins",), 3600)


def test_any_owner_makes_a_user_of_64_characters_at_most() -> None:
    identity = parse_identity({}, owner="a strange owner, " + 100 * "x")
    assert identity is not None
    assert identity.user.startswith("rpool-a-strange-owner-xxx")
    assert len(identity.user) == 64


def test_no_groups_are_none() -> None:
    identity = parse_identity({"user": "ann", "groups": [], "ttl": "24h"})
    assert identity == Identity("ann", (), 86400)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"user": "system:admin"}, "user: system:admin is reserved for Kubernetes"),
        ({"user": ""}, "user: .* is not a name"),
        ({"user": "a b"}, "user: .* is not a name"),
        ({"user": "a" * 65}, "user: .* is not a name"),
        ({"user": "ann\n"}, "user: .* is not a name"),
        ({"groups": ["a", "system:masters"]}, "groups.1: .*whose rights cannot be revoked"),
        ({"groups": ["system:nodes"]}, "groups.0: system:nodes is reserved for Kubernetes"),
        ({"ttl": "9m"}, "ttl: 9m is not between 10m and 24h"),
        ({"ttl": "25h"}, "ttl: 25h is not between 10m and 24h"),
        ({"ttl": "soon"}, "ttl: .* is not a duration"),
    ],
)
def test_what_nobody_may_ask_for(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_identity(asked)


def test_what_is_unknown_is_checked_later() -> None:
    assert parse_identity({"user": "ann"}, [("ttl",)]) is None
    with pytest.raises(SpecError):
        parse_identity({"user": "system:x"}, [("ttl",)])

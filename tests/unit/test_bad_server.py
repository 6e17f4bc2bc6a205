"""One server that answers nonsense, or lies, is in the way of no other."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from worlds.stage import SPEC, Stage

from rpool.api import Site
from rpool.decide.preflight import findings, odd_ones
from rpool.errors import CommandFailed, DoesNotFit, Refused
from rpool.flow.look import probe_all
from rpool.model.claim import Fence
from rpool.model.failure import Failure
from rpool.model.observed import Sighting
from rpool.model.pool import ControlPlane, Endpoint, Kubeadm
from rpool.model.record import Record
from rpool.model.seen import ClockSeen, Probed
from rpool.model.world import World
from rpool.reach import documents, sightings

DEEP = b"[" * 100_000
PICKED = "r2u01"  # a small server, which a create takes for a control plane


class Lying:
    """The stage's world, in which `answer` alters what one server's probe says."""

    def __init__(self, stage: Stage, name: str, answer: Callable[[Probed], Probed]) -> None:
        self._inner, self._name, self._answer = stage.world, name, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def probe(self, server: str, fence: Fence | None = None) -> Probed:
        probed = self._inner.probe(server, fence)
        return self._answer(probed) if server == self._name else probed


def lying(stage: Stage, name: str, answer: Callable[[Probed], Probed]) -> Site:
    world = cast(World, Lying(stage, name, answer))
    return Site(stage.site.config, connect=lambda _: world)


def deep(probed: Probed) -> Probed:
    return sightings.probed(probed.server, DEEP)


def test_a_spare_that_prints_deep_json_is_in_the_way_of_no_other_cluster() -> None:
    stage = Stage(9)
    view = stage.site.create_pool(SPEC, stage.attempt())
    bad = next(name for name, machine in stage.world.machines.items() if machine.claim is None)
    site = lying(stage, bad, deep)
    assert site.read_pool(view).view is not None
    assert lying(stage, bad, deep).find_pool("batch").record.uid == view.uid
    surveyed = lying(stage, bad, deep).survey().servers
    assert surveyed[bad].probed is None
    assert bad in (surveyed[bad].why_no_spare or "")
    assert [name for name, server in surveyed.items() if server.probed is None] == [bad]


@pytest.mark.parametrize("control_planes", [1, 3])
def test_a_create_passes_over_a_spare_that_prints_deep_json(control_planes: int) -> None:
    stage = Stage(7)
    endpoint = Endpoint(vip="10.0.1.200")
    spec = replace(SPEC, control_plane=ControlPlane(control_planes, endpoint))
    view = lying(stage, PICKED, deep).create_pool(spec, stage.attempt())
    assert PICKED not in view.servers


def test_when_spares_that_are_needed_answer_nonsense_they_are_named_with_what_they_did() -> None:
    stage = Stage(5)
    with pytest.raises(DoesNotFit) as caught:
        lying(stage, PICKED, deep).create_pool(SPEC, stage.attempt())
    assert f"the probe of {PICKED} printed what cannot be read" in caught.value.problems[0].detail


LIES: dict[str, tuple[Callable[[Probed], Probed], str]] = {
    "machine id": (
        lambda probed: replace(probed, machine_id="machine-r1u00"),
        "the same machine_id",
    ),
    "clock ahead": (
        lambda probed: replace(probed, clock_seconds=probed.clock_seconds + 60),
        "its clock is",
    ),
    "clock behind": (lambda probed: replace(probed, clock_seconds=0), "its clock is"),
}


@pytest.mark.parametrize(("lie", "why"), LIES.values(), ids=LIES)
def test_a_create_passes_over_a_spare_that_copies_another_or_whose_clock_is_off(
    lie: Callable[[Probed], Probed], why: str
) -> None:
    stage = Stage(7)
    view = lying(stage, PICKED, lie).create_pool(SPEC, stage.attempt())
    assert PICKED not in view.servers
    stage = Stage(5)
    with pytest.raises(DoesNotFit) as caught:
        lying(stage, PICKED, lie).create_pool(SPEC, stage.attempt())
    assert why in caught.value.problems[0].detail


def test_servers_with_one_hostname_go_together() -> None:
    """Their Nodes have the names of the fleet."""
    stage = Stage(7)
    site = lying(stage, PICKED, lambda probed: replace(probed, hostname="r1u00"))
    assert PICKED in site.create_pool(SPEC, stage.attempt()).servers


def probed(name: str, **more: Any) -> Probed:
    blank = Probed(name, name, f"id-{name}", "", 8, 16384, None, (), False, False, (), (), 0.0)
    return replace(blank, **more)


def sighted(clocks: Mapping[str, ClockSeen], **more: Any) -> dict[str, Sighting]:
    return {name: Sighting(probed(name, **more), clock) for name, clock in clocks.items()}


def test_members_that_clash_among_themselves_stay_an_error() -> None:
    clocks = {"a": ClockSeen(0.0), "b": ClockSeen(9.0), "c": ClockSeen(0.1)}
    alike = sighted(clocks, machine_id="one")
    assert odd_ones(alike, {"a", "b"}).keys() == {"c"}
    problems = findings(SPEC, {name: alike[name] for name in "ab"}, {"a", "b"})
    assert any("a and b have the same machine_id" in text for text in problems)
    assert any("the clocks of a and b are 9.0 s apart" in text for text in problems)


def test_of_two_clocks_that_differ_the_one_that_is_not_ours_is_off() -> None:
    for off in "ab":
        clocks = {name: ClockSeen(40.0 if name == off else 0.2) for name in "ab"}
        assert odd_ones(sighted(clocks)).keys() == {off}


def test_what_goes_together_has_no_odd_one() -> None:
    assert odd_ones(sighted({name: ClockSeen(n * 0.9) for n, name in enumerate("abc")})) == {}
    assert odd_ones({}) == {}


class Slow:
    """Servers that read their clock at once, and answer late. Time is the test's own."""

    def __init__(self, *seconds: float, off: float = 0.0, looks: float = 0.0) -> None:
        self.time = 1e9
        self._seconds = list(seconds)
        self._off = off
        self._looks = looks  # seconds that each probe says it took

    def now(self) -> float:
        return self.time

    def probe(self, server: str, fence: Fence | None = None) -> Probed:
        read = self.time + self._off
        self.time += self._seconds.pop(0) + self._looks
        return probed(server, clock_seconds=read, took_seconds=self._looks)


def clock(slow: Slow) -> ClockSeen:
    answered, unanswered = probe_all(cast(World, slow), ["r1u04"], slow.now)
    assert not unanswered
    return answered["r1u04"].clock


@pytest.mark.parametrize("seconds", [(5.0, 0.1), (5.0, 5.0), (30.0, 30.0), (0.1,)])
def test_a_slow_server_has_no_wrong_clock(seconds: tuple[float, ...]) -> None:
    clocks = {"slow": clock(Slow(*seconds)), "quick": clock(Slow(0.0))}
    assert findings(SPEC, sighted(clocks)) == []
    assert odd_ones(sighted(clocks)) == {}


def test_a_wrong_clock_is_found_also_when_the_first_look_was_slow() -> None:
    clocks = {"slow": clock(Slow(20.0, 0.1, off=3.0)), "quick": clock(Slow(0.0))}
    assert odd_ones(sighted(clocks)).keys() == {"slow"}


@pytest.mark.parametrize("off", [0.0, 3.0])
def test_a_server_that_looks_slowly_tells_its_clock_the_first_time(off: float) -> None:
    clock_seen = clock(Slow(0.2, off=off, looks=30.0))
    assert clock_seen.offset_seconds == pytest.approx(off - 0.1)
    assert clock_seen.error_seconds == pytest.approx(0.1)


@pytest.mark.parametrize("ended", [1.0, -1e300, 1e300])
def test_a_server_that_lies_about_how_long_it_looked_has_no_clock_of_less_than_no_error(
    ended: float,
) -> None:
    parsed = sightings.probed("r1u04", json.dumps(PROBE | {"ended_seconds": ended}).encode())
    assert parsed.took_seconds >= 0.0
    slow = Slow(0.2)
    world = SimpleNamespace(probe=lambda *_: slow.probe("") and parsed)
    answered, _ = probe_all(cast(World, world), ["r1u04"], slow.now)
    assert answered["r1u04"].clock.error_seconds >= 0.0


PROBE: dict[str, Any] = {
    "failures": [],
    "unwritable": [],
    "clock_seconds": 1.5,
    "ended_seconds": 1.75,
    "hostname": ["r1u04"],
    "machine_id": ["1"],
    "product_uuid": [],
    "cores": ["8"],
    "memory_mib": ["16000"],
    "claim": [],
    "claim_there": [],
    "served": [],
    "traces": [],
    "joined": [],
    "kubeadm_ended": [],
    "addresses": ["10.0.1.4"],
    "routes": ["10.0.1.0/24", "10.9.9.9"],
    "certificates": [],
}
CLAIM = {
    "format": 1,
    "uid": "0badcafe",
    "pool": "x" * 5000,
    "owner": "y" * 5000,
    "role": "worker",
    "phase": "member",
    "epoch": 1,
    "since": "z" * 5000,
    "server": "u" * 5000,
    "machine_id": "m" * 5000,
    "session": 7,
    "group": "g" * 5000,
    "request": "r" * 5000,
}


def test_no_text_of_a_probe_is_long() -> None:
    long = "x" * 5000
    claim = json.dumps(CLAIM, indent=1).splitlines()
    answer = PROBE | {name: [long] for name in ("hostname", "machine_id", "product_uuid", "traces")}
    line = {"format": 1, "at": long, "step": "", "cluster": "", "why": long, "aside": False}
    answer["failures"] = [json.dumps(line)]
    parsed = sightings.probed(
        "r1u04", json.dumps(answer | {"claim": claim, "claim_there": ["yes"]}).encode()
    )
    assert parsed.claim is not None
    texts = [parsed.hostname, parsed.machine_id, parsed.product_uuid, *parsed.traces]
    texts += [parsed.failures[0].why, parsed.failures[0].at]
    texts += [parsed.claim.pool, parsed.claim.owner, parsed.claim.since]
    texts += [parsed.claim.server, parsed.claim.machine_id, parsed.claim.group]
    assert {len(text) for text in texts} == {200}


def test_no_text_of_a_probe_steers_a_terminal() -> None:
    """It goes into the state, too, which Terraform prints."""
    evil = "\x1b]52;c;eA==\x07"
    claim = json.dumps(
        CLAIM | {"owner": evil, "pool": evil, "server": evil, "group": evil}
    ).splitlines()
    answer = PROBE | {name: [evil] for name in ("hostname", "machine_id", "traces", "addresses")}
    failure = Failure(evil, evil, evil, evil).as_line()
    answer |= {"failures": [failure, evil]}
    parsed = sightings.probed(
        "r1u04", json.dumps(answer | {"claim": claim, "claim_there": ["yes"]}).encode()
    )
    node = json.dumps({"a": evil})
    printed = f"node\tr1u04\t{node}\t\tTrue\t1\t1Ki\t\n".encode()
    assert "\x1b" not in f"{parsed!r}{sightings.cluster('r1u04', printed)!r}".replace(
        "\\x1b", "\x1b"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"clock_seconds": float("nan")},
        {"ended_seconds": float("nan")},
        {"clock_seconds": "1e999"},
        {"cores": ["-1"]},
        pytest.param({"cores": ["9" * 4000]}, id="endless cores"),
        {"memory_mib": ["1e3"]},
        {"traces": [{"a": 1}]},
        {"traces": "abc"},
        {"traces": {"a": 1}},
        {"hostname": [["x"]]},
        {"routes": ["default"]},
        {"routes": ["1.2.3.4/99"]},
        {"addresses": [7]},
        {"claim": [7]},
        {"served": [7]},
        {"failures": [7]},
    ],
    ids=str,
)
def test_a_probe_that_makes_no_sense_is_a_failure_of_its_server(wrong: dict[str, Any]) -> None:
    assert sightings.probed("r1u04", json.dumps(PROBE).encode()).cores == 8
    with pytest.raises(CommandFailed, match="the probe of r1u04") as caught:
        sightings.probed("r1u04", json.dumps(PROBE | wrong).encode())
    assert len(caught.value.detail) < 300


def test_a_claim_in_deep_json_is_one_that_cannot_be_read() -> None:
    parsed = sightings.probed(
        "r1u04", json.dumps(PROBE | {"claim": [DEEP.decode()], "claim_there": ["yes"]}).encode()
    )
    assert parsed.claim is None
    assert not parsed.is_spare


HOSTILE = {
    "deep": DEEP,
    "no text": b"\xff\xfe",
    "deep labels": b"node\tx\t" + b'{"a":' * 100_000 + b"\t\tTrue\t1\t1Ki\t\n",
    "deep record": b"record\t" + DEEP,
    "labels that are a list": b"node\tx\t[1]\t\tTrue\t1\t1Ki\t\n",
    "taints that are a number": b"node\tx\t{}\t\tTrue\t1\t1Ki\t7\n",
    "an endless size": b"node\tx\t{}\t\tTrue\t" + b"9" * 400 + b"\t1Ki\t\n",
    "deep health": b"health\t" + DEEP + b"\nmembers\t{}\n",
    "no certificate": b"ca\t//79\n",
}


def recorded(**more: Any) -> bytes:
    spec = replace(SPEC, **more)
    record = Record("0badcafe", "", 1, 0, spec, None, {})
    text: str = json.loads(documents.record(record))["data"]["record"]
    return f"record\t{text}\n".encode()


@pytest.mark.parametrize(
    "printed",
    [
        recorded(name="b\x1b[2J"),
        recorded(kubeadm=Kubeadm("a: 1\n#\x1b]52;c;eA==\x07\n")),
        recorded(name="b\ud800"),
        recorded(cores=10**400),
        b"ca\t" + base64.b64encode(b"-----BEGIN CERTIFICATE-----\n\x1b[2J\n"),
    ],
    ids=["a name", "a kubelet's text", "half a character", "a size", "a certificate"],
)
def test_what_a_state_cannot_hold_is_no_record(printed: bytes) -> None:
    """An administrator of a cluster can write it; Terraform prints lines of a state as they are."""
    assert sightings.cluster("r1u04", recorded(kubeadm=Kubeadm("a: 1\n#\tb\n"))).record
    with pytest.raises(CommandFailed, match="what r1u04 reports of its cluster cannot be read"):
        sightings.cluster("r1u04", printed)


@pytest.mark.parametrize("printed", HOSTILE.values(), ids=HOSTILE)
def test_what_a_control_plane_prints_is_data_or_a_failure_that_names_it(printed: bytes) -> None:
    for read in (sightings.cluster, sightings.etcd_members):
        try:
            read("r1u04", printed)
        except CommandFailed as error:
            assert "r1u04" in error.summary
            assert len(error.detail) < 300
    assert sightings.packages(printed).versions == frozenset()


def test_a_refusal_stays_one_where_a_server_is_not_the_declared_one() -> None:
    def refuse(probed: Probed) -> Probed:
        raise Refused(f"{probed.server} does not have the host key that the fleet declares")

    stage = Stage(7)
    with pytest.raises(Refused, match="host key"):
        lying(stage, PICKED, refuse).create_pool(SPEC, stage.attempt())

"""What a read finds for the next plan: spares are asked once, and a silent one holds up nobody."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from worlds.fault import Fault, Probe
from worlds.stage import SPEC, Stage

from rpool.flow import offers as made_by
from rpool.flow.offers import Offers

STAGE = Stage()
FLEET = STAGE.world.fleet


def asked(probes: list[Probe]) -> Counter[str]:
    return Counter(probe.server for probe in probes)


def test_pools_that_are_read_at_once_ask_each_server_once() -> None:
    gate = threading.Event()
    offers = Offers(FLEET, STAGE.faulty)
    slow = Fault(Probe, lambda _: gate.wait(20))
    with STAGE.faults(slow) as (probes,), ThreadPoolExecutor(2) as both:
        readers = [both.submit(offers.make, uid, SPEC, ()) for uid in ("aaaaaaaa", "bbbbbbbb")]
        gate.set()
        first, second = (reader.result() for reader in readers)
    assert asked(probes) == Counter(FLEET.servers.keys())
    assert first.verified == second.verified == FLEET.servers.keys()
    assert not first.given & second.given
    assert first.taken == second.taken == {}


def test_a_silent_server_is_left_out_until_it_has_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(made_by, "PATIENCE_SECONDS", 0.2)
    answers = threading.Event()
    offers = Offers(FLEET, STAGE.faulty)
    with STAGE.faults(Fault(Probe, lambda _: answers.wait(20), servers="r1u00")) as (probes,):
        assert "no answer within" in offers.make("aaaaaaaa", SPEC, ()).taken["r1u00"]
        answers.set()
        monkeypatch.setattr(made_by, "PATIENCE_SECONDS", 60)
        offer = offers.make("bbbbbbbb", SPEC, ())
    assert offer.taken == {}
    assert "r1u00" in offer.verified
    assert asked(probes)["r1u00"] == 1


def test_a_slow_server_is_waited_for_while_others_still_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time that patience begins anew, one more of them answers."""
    answers = {name: threading.Event() for name in FLEET.servers}
    next_ones = iter(answers.values())

    def one_more(silent: set[Future[str | None]], seconds: float, until: str) -> object:
        assert seconds == made_by.PATIENCE_SECONDS
        next(next_ones).set()
        return wait(silent, 60, until)

    monkeypatch.setattr(made_by, "wait", one_more)
    with STAGE.faults(Fault(Probe, lambda probe: answers[probe.server].wait(20))):
        offer = Offers(FLEET, STAGE.faulty).make("aaaaaaaa", SPEC, ())
    assert offer.verified == FLEET.servers.keys()

"""What a read finds for the next plan: servers are asked once, and a silent one delays no read."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

import pytest
from worlds.fault import Fault, Probe
from worlds.stage import FOREIGN, Stage

from rpool.errors import Unreachable
from rpool.flow import offers as made_by
from rpool.flow.offers import MOST, Answer, Offers
from rpool.model.server import Fleet

STAGE = Stage()
FLEET = STAGE.world.fleet


def asked(probes: list[Probe]) -> Counter[str]:
    return Counter(probe.server for probe in probes)


def test_pools_that_are_read_at_once_ask_each_server_once() -> None:
    gate = threading.Event()
    offers = Offers(FLEET, STAGE.faulty)
    slow = Fault(Probe, lambda _: gate.wait(20))
    with STAGE.faults(slow) as (probes,), ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(offers.make, uid, ()) for uid in ("aaaaaaaa", "bbbbbbbb")]
        gate.set()
        first, second = (reader.result() for reader in readers)
    assert asked(probes) == Counter(FLEET.servers.keys())
    assert first.verified == second.verified == FLEET.servers.keys()
    assert first.taken == second.taken == {}


def test_a_silent_server_is_left_out_until_it_has_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(made_by, "PATIENCE_SECONDS", 0.2)
    answers = threading.Event()
    offers = Offers(FLEET, STAGE.faulty)
    with STAGE.faults(Fault(Probe, lambda _: answers.wait(20), servers="r1u00")) as (probes,):
        assert "no answer within" in offers.make("aaaaaaaa", ()).taken["r1u00"]
        answers.set()
        deadline, offer = time.monotonic() + 20, offers.make("bbbbbbbb", ())
        while offer.taken and time.monotonic() < deadline:
            time.sleep(0.01)
            offer = offers.make("bbbbbbbb", ())
    assert offer.taken == {}
    assert "r1u00" in offer.verified
    assert asked(probes)["r1u00"] == 1


def test_a_slow_server_is_waited_for_while_others_still_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time the wait starts again, one more of them answers."""
    answers = {name: threading.Event() for name in FLEET.servers}
    next_ones = iter(answers.values())

    def one_more(silent: set[Future[Answer]], seconds: float, until: str) -> object:
        assert seconds == made_by.PATIENCE_SECONDS
        next(next_ones).set()
        return wait(silent, 60, until)

    monkeypatch.setattr(made_by, "wait", one_more)
    with STAGE.faults(Fault(Probe, lambda probe: answers[probe.server].wait(20))):
        offer = Offers(FLEET, STAGE.faulty).make("aaaaaaaa", ())
    assert offer.verified == FLEET.servers.keys()


def test_clusters_that_were_read_or_whose_claims_were_seen_share_the_spares() -> None:
    """The first to be read knows of the other by its claim on r1u00."""
    stage = Stage(7)
    stage.world.machines["r1u00"].claim = FOREIGN
    stage.world.machines["r2u01"].claim = replace(FOREIGN, uid="aaaaaaaa")
    offers = Offers(stage.world.fleet, stage.faulty)
    with stage.faults(Fault(Probe, lambda _: None)) as (probes,):
        mine, theirs = offers.make("aaaaaaaa", ("r2u01",)), offers.make(FOREIGN.uid, ("r1u00",))
    assert mine.given and theirs.given
    assert not mine.given & theirs.given
    spares = stage.world.fleet.servers.keys() - {"r1u00", "r2u01"}
    assert mine.given | theirs.given == mine.verified == theirs.verified == spares
    assert (list(mine.taken), list(theirs.taken)) == (["r1u00"], ["r2u01"]), "its own is not taken"
    assert asked(probes) == Counter({*spares, "r1u00"}), "no member of a cluster that is read"


def test_what_was_found_taken_stays_taken_until_it_is_seen_to_be_free() -> None:
    """Also where it is not among the servers that are probed anyway: r1u00 is reserved."""
    fleet = Fleet({**FLEET.servers, "r1u00": replace(FLEET.servers["r1u00"], reserved=True)})
    known = {"r1u00": "claimed by batch", "r2u01": "claimed by batch", "gone": "claimed by batch"}
    with STAGE.faults(Fault(Probe, Unreachable("is silent"))):
        offer = Offers(fleet, STAGE.faulty).make("aaaaaaaa", (), known)
    assert offer.taken == dict.fromkeys(FLEET.servers, "is silent")
    offer = Offers(fleet, STAGE.faulty).make("aaaaaaaa", (), offer.taken)
    assert offer.taken == {}


def test_of_a_large_fleet_a_fair_sample_is_looked_at_and_what_was_taken_stays_so() -> None:
    stage = Stage(1000)
    known = dict.fromkeys(stage.world.fleet.servers, "claimed by batch")
    with stage.faults(Fault(Probe, lambda _: None)) as (probes,):
        offer = Offers(stage.world.fleet, stage.faulty).make("aaaaaaaa", (), known)
    probed = asked(probes)
    assert MOST <= probed.total() <= MOST + made_by.AGAIN
    assert offer.taken.keys() == known.keys() - probed.keys()
    sizes = {stage.world.fleet.servers[name].cores for name in offer.verified}
    assert sizes == {4, 8}, "three servers of a thousand have 4 cores"


def test_servers_of_a_cluster_that_this_process_reads_are_taken_without_a_look() -> None:
    """Also before that read has ended."""
    offers = Offers(FLEET, STAGE.faulty)
    with STAGE.faults(Fault(Probe, lambda _: None)) as (probes,):
        offers.begin("bbbbbbbb", "other", ("r1u00",))
        offer = offers.make("aaaaaaaa", ("r2u01",), {"r1u00": "claimed by other"})
    assert offer.taken == {"r1u00": "in cluster other (uid bbbbbbbb)"}
    assert "r1u00" not in offer.verified | offer.given
    assert "r1u00" not in asked(probes)

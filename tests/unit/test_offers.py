"""What a read finds for the next plan: spares are asked once, and a silent one holds up nobody."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from stage import SPEC, servers

from rpool.flow import offers as made_by
from rpool.flow.offers import Offers
from rpool.model.seen import Probed
from rpool.model.server import ServerName
from rpool.simulate.world import SimulatedWorld

FLEET = servers(7)


class SlowWorld(SimulatedWorld):
    """Counts who was probed; whoever is in `silent` answers when its event is set."""

    def __init__(self) -> None:
        super().__init__(FLEET)
        self.asked: Counter[ServerName] = Counter()
        self.silent: dict[ServerName, threading.Event] = {}

    def probe(self, server: ServerName) -> Probed:
        self.asked[server] += 1
        if server in self.silent:
            self.silent[server].wait()
        return super().probe(server)


@pytest.fixture
def world() -> SlowWorld:
    return SlowWorld()


def test_pools_that_are_read_at_once_ask_each_server_once(world: SlowWorld) -> None:
    gate = threading.Event()
    world.silent = dict.fromkeys(FLEET.servers, gate)
    offers = Offers(FLEET, world)
    with ThreadPoolExecutor(2) as both:
        readers = [both.submit(offers.make, uid, SPEC, ()) for uid in ("aaaaaaaa", "bbbbbbbb")]
        gate.set()
        first, second = (reader.result() for reader in readers)
    assert world.asked == Counter(FLEET.servers.keys())
    assert first.verified == second.verified == FLEET.servers.keys()
    assert not first.given & second.given
    assert first.taken == second.taken == {}


def test_a_silent_server_is_left_out_until_it_has_answered(
    world: SlowWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made_by, "PATIENCE_SECONDS", 0.2)
    world.silent["r1u00"] = threading.Event()
    offers = Offers(FLEET, world)
    assert "no answer within" in offers.make("aaaaaaaa", SPEC, ()).taken["r1u00"]
    world.silent["r1u00"].set()
    monkeypatch.setattr(made_by, "PATIENCE_SECONDS", 60)
    offer = offers.make("bbbbbbbb", SPEC, ())
    assert offer.taken == {}
    assert "r1u00" in offer.verified
    assert world.asked["r1u00"] == 1


def test_a_slow_server_is_waited_for_while_others_still_answer(
    world: SlowWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time that patience begins anew, one more of them answers."""
    world.silent = {name: threading.Event() for name in FLEET.servers}
    next_ones = iter(world.silent.values())

    def one_more(silent: set[Future[str | None]], seconds: float, until: str) -> object:
        assert seconds == made_by.PATIENCE_SECONDS
        next(next_ones).set()
        return wait(silent, 60, until)

    monkeypatch.setattr(made_by, "wait", one_more)
    offer = Offers(FLEET, world).make("aaaaaaaa", SPEC, ())
    assert offer.verified == FLEET.servers.keys()

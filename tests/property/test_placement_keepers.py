"""What placement promises about the servers that stay when a cluster gets smaller."""

from __future__ import annotations

from random import Random

from generated import NONE, fleets, labels, least, outlasts, request, requests, waste
from hypothesis import given
from hypothesis import strategies as st

from rpool.decide.placement import keepers
from rpool.model.pool import PoolSpec, Tolerance
from rpool.model.server import Server

TOLERANCES = [NONE, Tolerance(servers=1), Tolerance(servers=2), Tolerance(zones=1)]
CERTAIN = st.integers(0, 3)


@given(fleets(12), requests(tolerate=TOLERANCES), CERTAIN)
def test_those_who_stay_are_members_and_hold_the_request(
    fleet: list[Server], spec: PoolSpec, certain: int
) -> None:
    sure, members = fleet[:certain], fleet[certain:]
    stay = keepers(spec, members, sure, "tie")
    assert {s.name for s in stay} <= {s.name for s in members}
    if outlasts(spec, fleet):
        assert outlasts(spec, [*sure, *stay])
    else:
        assert stay == members


@given(fleets(12), requests(), CERTAIN)
def test_those_who_stay_waste_the_least_that_brute_force_finds(
    fleet: list[Server], spec: PoolSpec, certain: int
) -> None:
    sure, members = fleet[:certain], fleet[certain:]
    best = least(spec, sure, members)
    if best is not None:
        stay = keepers(spec, members, sure, "tie")
        assert (waste(stay, fleet), labels(stay)) == best


@given(fleets(), requests(tolerate=TOLERANCES), CERTAIN)
def test_nobody_stays_who_could_go_by_themselves(
    fleet: list[Server], spec: PoolSpec, certain: int
) -> None:
    sure, members = fleet[:certain], fleet[certain:]
    stay = keepers(spec, members, sure, "tie")
    if outlasts(spec, [*sure, *stay]):
        for one in stay:
            assert not outlasts(spec, [*sure, *(s for s in stay if s is not one)])


@given(fleets(), requests(tolerate=TOLERANCES), st.randoms(use_true_random=False))
def test_the_order_of_the_members_does_not_matter(
    members: list[Server], spec: PoolSpec, random: Random
) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)
    one, other = keepers(spec, members, [], "tie"), keepers(spec, shuffled, [], "tie")
    assert {s.name for s in one} == {s.name for s in other}


def test_the_server_with_a_label_nobody_asked_for_goes_first() -> None:
    plain = [Server(f"p{i}", f"10.0.0.{i}", 8, 16, "rack1", "k") for i in range(2)]
    gpu = Server("gpu", "10.0.0.9", 8, 16, "rack1", "k", labels={"accelerator": "h100"})
    assert {s.name for s in keepers(request(16, 32), [gpu, *plain], [], "tie")} == {"p0", "p1"}


def test_among_like_servers_the_zones_stay_even() -> None:
    members = [Server(f"s{i}", f"10.0.0.{i}", 8, 16, f"rack{i % 2}", "k") for i in range(6)]
    stay = keepers(request(32, 64), members, [], "tie")
    assert sorted(s.zone for s in stay) == ["rack0", "rack0", "rack1", "rack1"]

"""Which servers stay, join and leave: planning a change is a pure function; this is its table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.stage import SPEC, servers

from rpool.decide.target import Current, Offer, Size, Target, target
from rpool.errors import DoesNotFit
from rpool.model.pool import PoolSpec, Selector, Tolerance
from rpool.model.server import Fleet, Role, Server

FLEET = servers(12)
"""r1u00, r2u01, r3u02 have 4/8 (control planes), the others 8/16."""

CONTROL_PLANES = ("r1u00", "r2u01", "r3u02")
WORKERS = ("r1u03", "r2u04")
SPARES = frozenset(FLEET.servers) - {*CONTROL_PLANES, *WORKERS}


BIGGER = replace(SPEC, cores=24, memory_gib=48)


def current(spec: PoolSpec = SPEC, *more: str, leaving: tuple[str, ...] = ()) -> Current:
    roles = dict.fromkeys(CONTROL_PLANES, Role.CONTROL_PLANE)
    roles |= dict.fromkeys([*WORKERS, *more], Role.WORKER)
    return Current("0badcafe", Size.of(spec), roles, leaving=frozenset(leaving))


def marked(name: str, mark: str, fleet: Fleet = FLEET) -> Fleet:
    return Fleet({**fleet.servers, name: replace(fleet.servers[name], **{mark: True})})  # type: ignore[arg-type]


def planned(wanted: PoolSpec, fleet: Fleet = FLEET, offer: Offer | None = None) -> Target:
    return target(wanted, current(), fleet, offer or Offer())


def test_without_a_change_nobody_comes_or_goes() -> None:
    result = planned(SPEC)
    assert (result.joining, result.leaving) == (frozenset(), frozenset())
    assert result.roles == current().roles


def test_growth_adds_and_moves_nobody_out() -> None:
    result = planned(replace(SPEC, cores=24, memory_gib=48))
    assert len(result.joining) == 1
    assert not result.leaving


def test_shrinking_lets_the_needless_go() -> None:
    result = target(replace(SPEC, cores=8, memory_gib=16), current(), FLEET, Offer())
    assert not result.joining
    assert len(result.leaving) == 1
    assert result.leaving < set(WORKERS)


def test_what_is_more_than_needed_stays_while_nothing_was_lowered() -> None:
    result = target(SPEC, current(SPEC, "r3u05"), FLEET, Offer())
    assert not result.leaving


def test_a_mixed_change_adds_for_the_one_and_lets_go_for_the_other() -> None:
    servers = {name: FLEET.servers[name] for name in (*CONTROL_PLANES, *WORKERS)}
    servers["big"] = Server("big", "10.0.1.99", 8, 64, "rack1", "k")
    fleet = Fleet(servers)
    result = target(replace(SPEC, cores=8, memory_gib=64), current(), fleet, Offer())
    assert result.joining == {"big"}
    assert result.leaving == set(WORKERS)


def test_of_servers_that_are_alike_a_verified_one_comes_first_and_before_it_a_given_one() -> None:
    for name in sorted(SPARES):
        offer = Offer(frozenset({name}))
        assert planned(BIGGER, offer=offer).joining == {name}
        offer = Offer(SPARES, frozenset({name}))
        assert planned(BIGGER, offer=offer).joining == {name}
    # A wasteful server is not taken just because it is verified.
    big = Server("big", "10.0.1.99", 64, 256, "rack1", "k")
    fleet = Fleet({**FLEET.servers, "big": big})
    offer = Offer(frozenset({"big"}))
    assert "big" not in target(BIGGER, current(), fleet, offer).joining


def test_what_is_taken_is_never_picked() -> None:
    *taken, first, second = sorted(SPARES)
    offer = Offer(taken=dict.fromkeys(taken, "claimed"))
    two = replace(SPEC, cores=32, memory_gib=64)
    assert planned(two, offer=offer).joining == {first, second}
    with pytest.raises(DoesNotFit) as caught:
        planned(replace(SPEC, cores=40, memory_gib=64), offer=offer)
    (problem,) = caught.value.problems
    assert "Missing: 8 cores" in problem.detail
    assert f"{taken[0]}: claimed" in problem.detail


def test_one_at_which_something_failed_is_taken_only_where_no_other_does() -> None:
    """Even where the other one is a waste, or not verified."""
    small = FLEET.servers["r1u06"]
    big = Server("big", "10.0.1.99", 64, 256, "rack1", "k")
    fleet = Fleet({n: s for n, s in FLEET.servers.items() if n not in SPARES} | {"r1u06": small})
    offer = Offer(frozenset({"r1u06"}), frozenset({"r1u06"}), doubtful=frozenset({"r1u06"}))
    assert target(BIGGER, current(), fleet, offer).joining == {"r1u06"}
    fleet = Fleet({**fleet.servers, "big": big})
    assert target(BIGGER, current(), fleet, offer).joining == {"big"}


def test_one_that_failed_to_join_gives_its_place_to_another_but_not_to_one_that_failed() -> None:
    wanted = replace(SPEC, cores=24, memory_gib=48)
    joining = replace(current(SPEC, "r3u05"), joining=frozenset({"r3u05"}))
    failed = replace(joining, failed=frozenset({"r3u05"}))
    assert target(wanted, joining, FLEET, Offer()).leaving == set()
    assert target(wanted, failed, FLEET, Offer()).leaving == {"r3u05"}
    assert target(wanted, failed, FLEET, Offer(doubtful=SPARES)).leaving == set()


@pytest.mark.parametrize("mark", ["retire", "lost"])
@pytest.mark.parametrize("name", ["r1u03", "r1u00"])
def test_a_marked_server_leaves_and_another_takes_its_role(mark: str, name: str) -> None:
    result = target(SPEC, current(), marked(name, mark), Offer())
    assert result.leaving == {name}
    (replacement,) = result.joining
    assert result.roles[replacement] is current().roles[name]


def test_a_selector_sends_away_who_does_not_match() -> None:
    wanted = replace(SPEC, selector=Selector(frozenset({"rack1", "rack2"})))
    result = planned(wanted)
    assert result.leaving == {"r3u02"}
    assert all(FLEET.servers[name].zone != "rack3" for name in result.joining)
    assert len(result.joining) == 1


@pytest.mark.parametrize(("count", "joining", "leaving"), [(5, 2, 0), (3, 0, 0), (1, 0, 2)])
def test_more_and_fewer_control_planes(count: int, joining: int, leaving: int) -> None:
    control_plane = replace(SPEC.control_plane, servers=count)
    result = planned(replace(SPEC, control_plane=control_plane))
    assert (len(result.joining), len(result.leaving)) == (joining, leaving)
    assert list(result.roles.values()).count(Role.CONTROL_PLANE) == count


def test_tolerance_adds_and_its_end_lets_go() -> None:
    safe = replace(SPEC, tolerate=Tolerance(servers=1))
    grown = planned(safe)
    assert len(grown.joining) == 1
    present = Current("0badcafe", Size.of(safe), grown.roles)
    assert len(target(SPEC, present, FLEET, Offer()).leaving) == 1


def test_who_is_on_the_way_out_does_not_come_back() -> None:
    half_out = current(leaving=("r1u03",))
    result = target(SPEC, half_out, FLEET, Offer())
    assert result.leaving == {"r1u03"}
    assert len(result.joining) == 1


def test_a_member_that_is_reserved_now_stays() -> None:
    result = target(SPEC, current(), marked("r1u03", "reserved"), Offer())
    assert not result.leaving


def test_what_does_not_fit_is_counted() -> None:
    fleet = marked("r3u05", "retire", marked("r1u06", "reserved"))
    with pytest.raises(DoesNotFit) as caught:
        planned(replace(SPEC, cores=400), fleet)
    (problem,) = caught.value.problems
    assert "400 cores" in problem.summary
    assert "Reserved: r1u06." in problem.detail
    assert "Retiring: r3u05." in problem.detail
    assert "It keeps: control plane r1u00 4/8, " in problem.detail
    free = len(SPARES) - 2
    assert f"Missing: {400 - 16 - 8 * free} cores" in problem.detail

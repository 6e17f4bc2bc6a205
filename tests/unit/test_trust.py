"""A server never changes its domain of trust but by being installed anew (page 21)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from following import Desk, with_cluster
from worlds.fault import Fault
from worlds.stage import BIGGER, ONE, SPEC, Stage, killed

from rpool.errors import CommandFailed, DoesNotFit, SpecError
from rpool.model import action as act
from rpool.model.pool import Endpoint, PoolSpec
from rpool.model.server import Fleet
from rpool_provider.resources import cluster_state
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.cluster_schema import CLUSTER

A, B = "team-a", "team-b"
IN_A = replace(SPEC, trust=A)


def second(trust: str = "", name: str = "other", last: int = 201) -> PoolSpec:
    """Another cluster, with addresses of its own."""
    endpoint = Endpoint(vip=f"10.0.1.{last}")
    planes = replace(ONE.control_plane, endpoint=endpoint)
    return replace(ONE, name=name, control_plane=planes, metallb_pools={}, trust=trust)


def new_desk(spec: PoolSpec = IN_A, count: int = 12, of: int = 8) -> Desk:
    """The first `of` servers are team-a's, the others in no domain."""
    new = Desk(Stage(count), spec)
    new.mark(*list(new.stage.world.machines)[:of], trust=A)
    return new


def trusts(desk: Desk, name: str = "batch") -> set[str]:
    fleet = desk.stage.site.config.fleet.servers
    return {fleet[server].trust for server in desk.view(name).servers}


def planned(desk: Desk, spec: PoolSpec) -> str:
    """The warnings of a plan of the cluster."""
    desk.stage.open()
    read = Cluster().read(desk.state.clusters[spec.name].held, desk.stage.site).held
    config = dict.fromkeys(attribute.name for attribute in CLUSTER.root.attributes)
    config |= cluster_state.configuration(spec)
    plan = Cluster().plan(read, config, desk.stage.site)
    return "\n".join(diagnostic.detail for diagnostic in plan.diagnostics)


# -- which servers -------------------------------------------------------------------------------


def test_a_cluster_has_servers_of_its_domain_alone() -> None:
    desk = new_desk()
    desk.write(IN_A, second())
    desk.succeeds()
    assert (trusts(desk), trusts(desk, "other")) == ({A}, {""})
    for name, view in ((A, desk.view()), ("", desk.view("other"))):
        assert {desk.stage.machine(server).served for server in view.servers} == {name}


def test_it_grows_within_its_domain_and_what_is_left_out_is_told() -> None:
    desk = new_desk(of=5)
    desk.succeeds()
    desk.write(replace(BIGGER, trust=A))
    error = desk.refused()
    assert "does not fit" in error
    assert "Free: no server." in error
    assert "In the common domain, not in domain team-a: r1u06, r1u09" in error
    desk.mark("r3u05", trust=A)
    desk.succeeds()
    assert "r3u05" in desk.view().servers


def test_a_domain_without_a_server_is_a_mistake_in_the_configuration() -> None:
    error = new_desk(replace(SPEC, trust="team-z")).refused()
    assert "no server of the fleet is in domain team-z" in error
    assert "The fleet has servers in the common domain, domain team-a" in error


def test_the_offer_of_a_read_has_servers_of_every_domain() -> None:
    """However many servers of one kind another domain has."""
    desk = new_desk(count=90, of=6)
    desk.succeeds()
    desk.stage.open()
    offer = desk.stage.site.read_pool(desk.view()).offer
    fleet = desk.stage.site.config.fleet.servers
    assert {fleet[name].trust for name in offer.verified} == {A, ""}


# -- a server that changes its domain --------------------------------------------------------------


def test_a_member_whose_domain_was_changed_leaves_and_serves_again_once_installed_anew() -> None:
    desk = new_desk()
    desk.succeeds()
    moved = desk.workers()[0]
    desk.mark(moved, trust=B)
    assert f"Leaving: {moved} (the fleet has it in domain team-b)." in planned(desk, IN_A)
    desk.succeeds()
    assert moved not in desk.view().servers
    machine = desk.stage.machine(moved)
    assert (machine.claim, machine.served) == (None, A)

    desk.mark("r2u10", "r3u11", trust=B)
    desk.write(IN_A, second(B))
    error = desk.refused()
    assert f"{moved}: it served in domain team-a: reinstall it before it serves in" in error
    machine.reinstall()
    desk.succeeds()
    assert moved in desk.view("other").servers
    assert machine.served == B


@pytest.mark.parametrize(
    ("before", "after"), [("", A), (A, "")], ids=["out of the common domain", "into it"]
)
def test_the_common_domain_is_a_domain_like_any_other(before: str, after: str) -> None:
    stage = Stage(5)
    desk = Desk(stage, replace(SPEC, trust=before))
    servers = list(stage.world.machines)
    desk.mark(*servers, trust=before)
    desk.succeeds()
    desk.gives_back()
    desk.mark(*servers, trust=after)
    desk.write(replace(SPEC, trust=after))
    error = desk.refused()
    assert error.count("reinstall it before it serves in") >= 1
    assert stage.claimed() == set()
    for name in servers:
        stage.machine(name).reinstall()
    desk.succeeds()


def test_a_create_passes_over_a_server_that_has_served_elsewhere() -> None:
    desk = new_desk()
    desk.stage.machine("r1u03").served = B
    desk.succeeds()
    assert "r1u03" not in desk.view().servers


def test_what_nobody_joined_to_is_of_its_domain_all_the_same() -> None:
    """A claim is enough, however far the create came."""
    desk = new_desk()
    with killed(desk.stage, act.TakeClaim):
        desk.apply()
    (claimed,) = desk.stage.claimed()
    assert desk.stage.machine(claimed).served == A
    desk.succeeds()
    desk.gives_back()
    assert desk.stage.machine(claimed).served == A


def test_what_a_create_has_left_in_another_domain_is_given_back_and_not_taken_over() -> None:
    desk = new_desk(second(), of=0)
    with killed(desk.stage, act.Init):
        desk.apply()
    desk.state.clusters.clear()
    claimed = desk.stage.claimed()
    desk.mark(*desk.stage.world.machines, trust=A)
    desk.write(second(A))
    desk.succeeds()
    assert not claimed & desk.stage.claimed()
    assert {desk.stage.machine(name).served for name in claimed} == {""}


# -- a cluster's own domain ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "then", "back"), [(A, "", "team-a"), (A, B, "team-a"), ("", A, "null")]
)
def test_a_cluster_never_changes_its_domain(was: str, then: str, back: str) -> None:
    desk = new_desk(replace(SPEC, trust=was), of=8 if was else 0)
    desk.succeeds()
    before = desk.view()
    desk.mark(*desk.stage.world.machines, trust=then)
    desk.write(replace(SPEC, trust=then))
    error = desk.refused()
    assert "trust: a cluster cannot change its domain of trust" in error
    assert f"Set it back to {back}." in error
    assert desk.view() == before


def test_a_record_has_no_say_in_it() -> None:
    desk = new_desk()
    desk.succeeds()
    cluster = desk.stage.cluster(desk.view())
    assert cluster.record is not None
    assert cluster.record.settled is not None
    assert cluster.record.settled.trust == A
    elsewhere = replace(cluster.record.settled, trust="")
    cluster.record = replace(cluster.record, settled=elsewhere)
    desk.apply()
    assert desk.state.clusters["batch"].values["trust"] == A
    assert trusts(desk) == {A}


def test_an_import_has_the_domain_of_the_record() -> None:
    desk = new_desk()
    desk.succeeds()
    uid = desk.view().uid
    desk.state.clusters.clear()
    desk.imports(uid)
    assert desk.state.clusters["batch"].values["trust"] == A
    desk.is_whole()


@pytest.mark.parametrize("spec", [SPEC, IN_A], ids=["without", "with"])
def test_a_request_with_a_domain_is_written_as_it_was_asked_for(spec: PoolSpec) -> None:
    values = cluster_state.configuration(spec)
    assert cluster_state.spec(values) == spec
    assert values["trust"] == (spec.trust or None)


# -- between a plan and its apply ------------------------------------------------------------------


def test_a_server_that_served_elsewhere_since_it_was_looked_at_is_not_claimed() -> None:
    desk = new_desk()
    desk.succeeds()
    desk.write(replace(BIGGER, trust=A))
    (joins,) = desk.stage.plan(desk.view(), replace(BIGGER, trust=A), IN_A).joining
    no = CommandFailed(f"{joins} has served in domain team-b")
    with desk.stage.faults(Fault(act.TakeClaim, no, servers=joins)):
        assert "has served in domain team-b" in desk.refused()
    desk.succeeds()


def test_a_fleet_of_strangers_fits_no_create() -> None:
    stage = Stage(9)
    for machine in stage.world.machines.values():
        machine.served = B
    with pytest.raises(DoesNotFit) as caught:
        stage.site.create_pool(SPEC, stage.attempt())
    assert "served in domain team-b" in caught.value.problems[0].detail
    assert stage.claimed() == set()


def test_a_fleet_says_its_domains_beside_what_else_is_wrong() -> None:
    stage = Stage(9)
    fleet = {n: replace(server, trust=A) for n, server in stage.site.config.fleet.servers.items()}
    stage.open(Fleet(fleet))
    with pytest.raises(SpecError) as caught:
        stage.site.check_pool(SPEC)
    assert [problem.path for problem in caught.value.problems] == [("trust",)]
    stage.site.check_pool(SPEC, unknown={("trust",)})


def test_growth_looks_past_a_spare_that_served_elsewhere() -> None:
    desk = with_cluster()
    (joining,) = desk.stage.plan(desk.view(), BIGGER, SPEC).joining
    desk.stage.machine(joining).served = B
    desk.write(BIGGER)
    desk.succeeds()
    assert joining not in desk.view().servers

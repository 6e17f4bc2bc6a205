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
    """Another cluster, of which all addresses are its own."""
    endpoint = Endpoint(vip=f"10.0.1.{last}")
    planes = replace(ONE.control_plane, endpoint=endpoint)
    return replace(ONE, name=name, control_plane=planes, metallb_pools={}, trust=trust)


def desk(spec: PoolSpec = IN_A, count: int = 12, of: int = 8) -> Desk:
    """The first `of` servers are team-a's, the others in no domain."""
    made = Desk(Stage(count), spec)
    made.mark(*list(made.stage.world.machines)[:of], trust=A)
    return made


def trusts(its: Desk, name: str = "batch") -> set[str]:
    fleet = its.stage.site.config.fleet.servers
    return {fleet[server].trust for server in its.view(name).servers}


def planned(its: Desk, spec: PoolSpec) -> str:
    """What a plan of the cluster says."""
    its.stage.open()
    read = Cluster().read(its.state.clusters[spec.name].held, its.stage.site).held
    config = dict.fromkeys(its.name for its in CLUSTER.root.attributes)
    config |= cluster_state.configuration(spec)
    plan = Cluster().plan(read, config, its.stage.site)
    return "\n".join(said.detail for said in plan.diagnostics)


# -- which servers -------------------------------------------------------------------------------


def test_a_cluster_has_servers_of_its_domain_alone() -> None:
    its = desk()
    its.write(IN_A, second())
    its.succeeds()
    assert (trusts(its), trusts(its, "other")) == ({A}, {""})
    for name, view in ((A, its.view()), ("", its.view("other"))):
        assert {its.stage.machine(server).served for server in view.servers} == {name}


def test_it_grows_within_its_domain_and_what_is_left_out_is_told() -> None:
    its = desk(of=5)
    its.succeeds()
    its.write(replace(BIGGER, trust=A))
    said = its.refused()
    assert "does not fit" in said
    assert "Free: no server." in said
    assert "In the common domain, not in domain team-a: r1u06, r1u09" in said
    its.mark("r3u05", trust=A)
    its.succeeds()
    assert "r3u05" in its.view().servers


def test_a_domain_without_a_server_is_a_mistake_in_the_configuration() -> None:
    said = desk(replace(SPEC, trust="team-z")).refused()
    assert "no server of the fleet is in domain team-z" in said
    assert "The fleet has servers in the common domain, domain team-a" in said


def test_the_offer_of_a_read_has_servers_of_every_domain() -> None:
    """However many there are in others that are alike."""
    its = desk(count=90, of=6)
    its.succeeds()
    its.stage.open()
    offer = its.stage.site.read_pool(its.view()).offer
    fleet = its.stage.site.config.fleet.servers
    assert {fleet[name].trust for name in offer.verified} == {A, ""}


# -- a server that changes its domain --------------------------------------------------------------


def test_a_member_whose_domain_was_changed_leaves_and_serves_again_once_installed_anew() -> None:
    its = desk()
    its.succeeds()
    moved = its.workers()[0]
    its.mark(moved, trust=B)
    assert f"Leaving: {moved} (the fleet has it in domain team-b)." in planned(its, IN_A)
    its.succeeds()
    assert moved not in its.view().servers
    machine = its.stage.machine(moved)
    assert (machine.claim, machine.served) == (None, A)

    its.mark("r2u10", "r3u11", trust=B)
    its.write(IN_A, second(B))
    said = its.refused()
    assert f"{moved}: it served in domain team-a: install it anew before it serves in" in said
    machine.reinstall()
    its.succeeds()
    assert moved in its.view("other").servers
    assert machine.served == B


@pytest.mark.parametrize(
    ("was", "then"), [("", A), (A, "")], ids=["out of the common domain", "into it"]
)
def test_the_common_domain_is_a_domain_like_any_other(was: str, then: str) -> None:
    stage = Stage(5)
    its = Desk(stage, replace(SPEC, trust=was))
    everybody = list(stage.world.machines)
    its.mark(*everybody, trust=was)
    its.succeeds()
    its.gives_back()
    its.mark(*everybody, trust=then)
    its.write(replace(SPEC, trust=then))
    said = its.refused()
    assert said.count("install it anew before it serves in") >= 1
    assert stage.claimed() == set()
    for name in everybody:
        stage.machine(name).reinstall()
    its.succeeds()


def test_a_create_passes_over_a_server_that_has_served_elsewhere() -> None:
    its = desk()
    its.stage.machine("r1u03").served = B
    its.succeeds()
    assert "r1u03" not in its.view().servers


def test_what_nobody_joined_to_is_of_its_domain_all_the_same() -> None:
    """A claim is enough: nobody has to know how far the create came."""
    its = desk()
    with killed(its.stage, act.TakeClaim):
        its.apply()
    (claimed,) = its.stage.claimed()
    assert its.stage.machine(claimed).served == A
    its.succeeds()
    its.gives_back()
    assert its.stage.machine(claimed).served == A


def test_what_a_create_has_left_in_another_domain_is_given_back_and_not_taken_over() -> None:
    its = desk(second(), of=0)
    with killed(its.stage, act.Init):
        its.apply()
    its.state.clusters.clear()
    left = its.stage.claimed()
    its.mark(*its.stage.world.machines, trust=A)
    its.write(second(A))
    its.succeeds()
    assert not left & its.stage.claimed()
    assert {its.stage.machine(name).served for name in left} == {""}


# -- a cluster's own domain ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "then", "back"), [(A, "", "team-a"), (A, B, "team-a"), ("", A, "null")]
)
def test_a_cluster_never_changes_its_domain(was: str, then: str, back: str) -> None:
    its = desk(replace(SPEC, trust=was), of=8 if was else 0)
    its.succeeds()
    before = its.view()
    its.mark(*its.stage.world.machines, trust=then)
    its.write(replace(SPEC, trust=then))
    said = its.refused()
    assert "trust: a cluster cannot change its domain of trust" in said
    assert f"Set it back to {back}." in said
    assert its.view() == before


def test_a_record_has_no_say_in_it() -> None:
    its = desk()
    its.succeeds()
    cluster = its.stage.cluster(its.view())
    assert cluster.record is not None
    assert cluster.record.settled is not None
    assert cluster.record.settled.trust == A
    elsewhere = replace(cluster.record.settled, trust="")
    cluster.record = replace(cluster.record, settled=elsewhere)
    its.apply()
    assert its.state.clusters["batch"].values["trust"] == A
    assert trusts(its) == {A}


def test_an_import_has_the_domain_of_the_record() -> None:
    its = desk()
    its.succeeds()
    uid = its.view().uid
    its.state.clusters.clear()
    its.imports(uid)
    assert its.state.clusters["batch"].values["trust"] == A
    its.is_whole()


@pytest.mark.parametrize("spec", [SPEC, IN_A], ids=["without", "with"])
def test_a_request_with_a_domain_is_written_as_it_was_asked_for(spec: PoolSpec) -> None:
    values = cluster_state.configuration(spec)
    assert cluster_state.spec(values) == spec
    assert values["trust"] == (spec.trust or None)


# -- between a plan and its apply ------------------------------------------------------------------


def test_a_server_that_served_elsewhere_since_it_was_looked_at_is_not_claimed() -> None:
    its = desk()
    its.succeeds()
    its.write(replace(BIGGER, trust=A))
    (joins,) = its.stage.plan(its.view(), replace(BIGGER, trust=A), IN_A).joining
    no = CommandFailed(f"{joins} has served in domain team-b")
    with its.stage.faults(Fault(act.TakeClaim, no, servers=joins)):
        assert "has served in domain team-b" in its.refused()
    its.succeeds()


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
    fleet = {n: replace(its, trust=A) for n, its in stage.site.config.fleet.servers.items()}
    stage.open(Fleet(fleet))
    with pytest.raises(SpecError) as caught:
        stage.site.check_pool(SPEC)
    assert [its.path for its in caught.value.problems] == [("trust",)]
    stage.site.check_pool(SPEC, unknown={("trust",)})


def test_growth_looks_past_a_spare_that_served_elsewhere() -> None:
    its = with_cluster()
    (joining,) = its.stage.plan(its.view(), BIGGER, SPEC).joining
    its.stage.machine(joining).served = B
    its.write(BIGGER)
    its.succeeds()
    assert joining not in its.view().servers

"""Each rule is reported where it is broken: a rule that nothing can break proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from worlds.samples import CLAIM, OURS, RECORD, SPEC
from worlds.stage import FOREIGN, servers

from fault.rules import Rules
from rpool.certificates import new_ca
from rpool.model import action as act
from rpool.model.claim import Phase
from rpool.model.server import Role
from rpool.simulate.machine import Cluster, Machine
from rpool.simulate.world import SimulatedWorld

ONE, TWO, THREE = "r1u00", "r2u01", "r3u02"


class Site:
    """A cluster of three control planes, which is settled."""

    def __init__(self) -> None:
        self.world = SimulatedWorld(servers(7))
        self.rules = Rules(self.world)
        self.cluster = Cluster(new_ca(), SPEC.kubernetes_version)
        self.cluster.record = replace(RECORD, uid=OURS.uid)
        for name in (ONE, TWO, THREE):
            machine = self.machine(name)
            machine.claim = replace(CLAIM, server=name, role=Role.CONTROL_PLANE)
            machine.become(self.cluster, Role.CONTROL_PLANE)
            self.rules.judged(act.SetPhase(name, OURS, Phase.MEMBER), lambda: None)
        assert self.rules.broken == []

    def machine(self, name: str) -> Machine:
        return self.world.machines[name]

    def does(self, action: act.Action) -> None:
        self.rules.judged(action, lambda: self.world.carry_out(action, 60))


@pytest.fixture
def site() -> Site:
    return Site()


def reset(name: str) -> act.Reset:
    return act.Reset(name, OURS, None)


def removal(site: Site, name: str) -> act.RemoveEtcdMember:
    return act.RemoveEtcdMember(ONE, OURS, name, site.cluster.members[name])


def in_order(site: Site, name: str) -> None:
    site.does(act.Drain(ONE, OURS, (name,), 60, act.Budgets.RESPECTED))
    site.does(removal(site, name))
    site.does(reset(name))


def out_of_etcd_undrained(site: Site) -> None:
    site.does(removal(site, THREE))
    site.does(reset(THREE))


def another_s(site: Site) -> None:
    def touch() -> None:
        site.machine(TWO).prepared_for = "1.0.0"

    site.machine(TWO).claim = replace(FOREIGN, server=TWO)
    site.rules.judged(act.Prepare(TWO, OURS, "1.0.0", None, "", 1, 1), touch)  # type: ignore[arg-type]


def quorum(site: Site) -> None:
    site.machine(TWO).powered = False
    site.rules.judged(removal(site, THREE), lambda: site.cluster.members.pop(THREE))


def two_at_once(site: Site) -> None:
    site.rules.judged(act.StepDown(TWO, OURS), lambda: None, [act.StepDown(THREE, OURS)])


def claimed_dirty(site: Site) -> None:
    def claim() -> None:
        site.machine("r1u03").claim = replace(CLAIM, server="r1u03")

    site.machine("r1u03").traces = ("/etc/kubernetes/pki",)
    site.rules.judged(act.TakeClaim("r1u03", replace(CLAIM, server="r1u03")), claim)


def dirty_spare(site: Site) -> None:
    site.machine("r1u03").traces = ("/etc/kubernetes/pki",)
    site.rules.check()


def two_owners(site: Site) -> None:
    site.machine(TWO).claim = replace(FOREIGN, server=TWO)
    site.rules.check()


@pytest.mark.parametrize(
    ("does", "broken"),
    [
        (lambda site: site.does(reset(THREE)), "was reset as a member of etcd"),
        (out_of_etcd_undrained, "was reset undrained"),
        (another_s, "touched r2u01 of ffffffff"),
        (quorum, "cost a quorum"),
        (two_at_once, "at the same time as"),
        (claimed_dirty, "was claimed dirty"),
        (dirty_spare, "is dirty, and nobody's"),
        (two_owners, "another's member"),
    ],
)
def test_a_rule_that_is_broken_is_told(
    site: Site, does: Callable[[Site], None], broken: str
) -> None:
    does(site)
    assert any(broken in rule for rule in site.rules.broken), site.rules.broken


def test_a_server_that_leaves_in_order_breaks_none(site: Site) -> None:
    in_order(site, THREE)
    assert site.rules.broken == []


def test_a_cluster_that_is_destroyed_may_go_as_a_whole(site: Site) -> None:
    site.rules.dying.add(OURS.uid)
    for name in (ONE, TWO, THREE):
        site.does(reset(name))
    assert site.rules.broken == []


def test_members_of_two_clusters_may_change_at_once(site: Site) -> None:
    other = replace(OURS, uid="ffffffff")
    site.rules.judged(act.StepDown(TWO, OURS), lambda: None, [act.StepDown("r1u03", other)])
    assert site.rules.broken == []

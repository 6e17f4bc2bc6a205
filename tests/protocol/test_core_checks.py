"""The checks of core_checks.py find what Terraform would find, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from protocol.cluster_calls import UNKNOWN, Calls, path, values
from protocol.core_checks import Blamed, conformed, differences, plan_problems, replacing
from protocol.site_config import cluster, complete

Tamper = Callable[[dict[str, Any]], object]
CONFIG = cluster(selector={"zones": ["rack1", UNKNOWN]}, metallb={"pools": {"a": [UNKNOWN]}})


@pytest.fixture
def block(shared: Calls) -> Any:
    return shared.schema.block


def planned(calls: Calls) -> Any:
    return conformed(calls.schema.block, values(calls.plan(CONFIG).planned_state))


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (lambda plan: None, ""),
        (lambda plan: plan.update(condition="settled"), ""),
        (lambda plan: plan.update(cores=17), "cores is planned as 17, and configured as 16"),
        (lambda plan: plan.update(cores=UNKNOWN), "cores is planned as"),
        (lambda plan: plan.update(name=None), "name is planned as None"),
        (lambda plan: plan.update(deletion_protection=True), ""),
        (lambda plan: plan["networking"].update(cni=UNKNOWN), ""),
        (lambda plan: plan["control_plane"].update(servers=1), "control_plane.servers is planned"),
        (lambda plan: plan["selector"].update(labels={}), "selector.labels is planned as {}"),
        (lambda plan: plan.update(selector=None), "selector is planned as None"),
        (
            lambda plan: plan.update(timeouts={"create": "9m", "update": None, "delete": None}),
            "timeouts is",
        ),
        (lambda plan: plan.update(selector=UNKNOWN), "selector is planned as"),
    ],
)
def test_a_plan_that_is_none_for_its_configuration_is_found(
    shared: Calls, block: Any, tamper: Tamper, problem: str
) -> None:
    plan, config = planned(shared), conformed(block, complete(block, CONFIG))
    tamper(plan)
    problems = "; ".join(plan_problems(block, None, config, plan))
    assert problem in problems if problem else not problems


def test_what_is_planned_as_it_was_is_no_problem(shared: Calls, block: Any) -> None:
    prior, config = planned(shared), conformed(block, complete(block, cluster(cores=8)))
    assert not [p for p in plan_problems(block, prior, config, prior) if "cores" in p]


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (lambda plan: None, ""),
        (lambda plan: plan.update(condition="settled", servers={}), ""),
        (lambda plan: plan.update(cores=17), "cores was 16, and is 17 now"),
        (lambda plan: plan.update(endpoint=None), "endpoint was 10.0.0.200:6443, and is None"),
        (lambda plan: plan.update(cores=UNKNOWN), "cores was 16"),
        (lambda plan: plan["selector"].update(zones=["rack1", "rack2"]), ""),
        (lambda plan: plan["selector"].update(zones=["rack1"]), ""),
        (lambda plan: plan["selector"].update(zones=["rack2", "rack3"]), "selector.zones was"),
        (lambda plan: plan["selector"].update(labels={}), "selector.labels was None"),
        (lambda plan: plan["metallb"].update(pools={"a": ["10.0.0.9/32"]}), ""),
        (lambda plan: plan["metallb"].update(pools={"b": []}), "pools.a has vanished"),
        (lambda plan: plan["metallb"].update(pools={"a": []}), "pools.a was"),
        (lambda plan: plan.update(timeouts={}), "timeouts was absent, and is present now"),
        (lambda plan: plan.update(tolerate=None, selector=None), "selector was present"),
    ],
)
def test_what_was_planned_otherwise_is_found(
    shared: Calls, block: Any, tamper: Tamper, problem: str
) -> None:
    plan = planned(shared)
    actual = copy.deepcopy(plan)
    tamper(actual)
    problems = "; ".join(differences(block, plan, actual))
    assert problem in problems if problem else not problems


def test_servers_are_compared_one_by_one(shared: Calls, block: Any, created: Any) -> None:
    plan = conformed(block, values(created))
    actual = copy.deepcopy(plan)
    name, server = actual["servers"].popitem()
    assert list(differences(block, plan, actual)) == [f"the object.servers.{name} has vanished"]
    actual["servers"][name] = server | {"zone": "attic"}
    (problem,) = differences(block, plan, actual)
    assert problem.startswith(f"the object.servers.{name}.zone was")


@pytest.mark.parametrize(
    "wrong",
    [
        {"cores": "many"},
        {"name": 5},
        {"deletion_protection": "yes"},
        {"networking": None},
        {"selector": {"zones": "rack1", "labels": None}},
        {"metallb": {}},
        {"servers": {"s1": {"role": "worker"}}},
        {"more": 1},
    ],
)
def test_a_value_of_another_type_is_blamed(shared: Calls, block: Any, wrong: Any) -> None:
    with pytest.raises((Blamed, ValueError)):
        conformed(block, planned(shared) | wrong)


def test_the_order_of_a_set_is_none(shared: Calls, block: Any) -> None:
    one, other = (
        conformed(block, complete(block, cluster(selector={"zones": zones})))
        for zones in (["a", "b", "a"], ["b", "a"])
    )
    assert one == other


def test_a_path_replaces_where_its_values_differ(shared: Calls, created: Any) -> None:
    reply = shared.plan(cluster(name="other"), created)
    before, after = values(created), values(reply.planned_state)
    (place,) = map(path, reply.requires_replace)
    assert replacing(before, after, [place, ("cores",)]) == [("name",)]
    assert replacing(before, after | {"timeouts": UNKNOWN}, [("timeouts", "create")])
    with pytest.raises(Blamed, match="leads nowhere"):
        replacing(before, after, [("timeouts", "create")])


GROUP = {"cores": 8, "memory": 16, "taint": [{"key": "gpu", "effect": "NoSchedule"}]}
OTHER = GROUP | {"cores": 9}
UNTAINTED = GROUP | {"taint": []}


@pytest.mark.parametrize(
    ("then", "problem"),
    [
        ({}, "the object.workers is planned as {}"),
        ({"gpu": GROUP, "cpu": GROUP}, "the object.workers is planned as"),
        ({"gpu": OTHER}, "workers.gpu.cores is planned as 9, and configured as 8"),
        ({"gpu": UNTAINTED}, "workers.gpu.taint is planned as []"),
    ],
)
def test_blocks_with_labels_are_compared_one_by_one(
    block: Any, then: dict[str, Any], problem: str
) -> None:
    wanted, planned = (
        conformed(block, complete(block, cluster(workers=groups)))
        for groups in ({"gpu": GROUP}, then)
    )
    assert list(plan_problems(block, None, wanted, wanted)) == []
    assert problem in " ".join(plan_problems(block, None, wanted, planned))
    assert list(differences(block, wanted, wanted)) == []
    assert list(differences(block, wanted, planned)) != []

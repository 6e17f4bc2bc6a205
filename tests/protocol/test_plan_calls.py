"""Validate and plan: what is an error, what is replaced, what stays unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol.cluster_calls import COMPUTED, UNKNOWN, Calls, errors, path, problems, values
from protocol.plugin_process import PluginProcess, simulated
from protocol.site_config import cluster, packed, site


def test_rules_wait_for_what_is_unknown_in_the_site(calls: Calls) -> None:
    unsure = site()
    unsure["fleet"]["s2"]["address"] = UNKNOWN
    unsure["ssh"]["private_key"] = UNKNOWN
    config = packed(calls.site_schema, unsure)
    assert errors(calls.plugin.call("ValidateProviderConfig", config=config)) == []
    assert errors(calls.plugin.call("ConfigureProvider", config=config)) == []
    assert errors(calls.plan(cluster())) == []


def test_a_create_plans_computed_attributes_as_unknown_and_defaults_as_known(shared: Calls) -> None:
    planned = values(shared.plan(cluster()).planned_state)
    unknown = {name for name, value in planned.items() if value == UNKNOWN}
    assert unknown == COMPUTED - {"endpoint"}
    assert planned["endpoint"] == f"{planned['control_plane']['endpoint']['vip']}:6443"
    assert planned["networking"]["cni"] == "flannel"
    assert planned["selector"] is None


def test_a_create_warns_once_with_the_likely_servers(shared: Calls) -> None:
    reply = shared.plan(cluster())
    assert [d.severity for d in reply.diagnostics] == [reply.diagnostics[0].WARNING]
    assert "likely" in reply.diagnostics[0].summary


def test_planning_twice_gives_the_same_bytes(shared: Calls) -> None:
    first, second = shared.plan(cluster()), shared.plan(cluster())
    assert first.planned_state == second.planned_state


def test_what_does_not_fit_is_an_error_of_the_plan(shared: Calls) -> None:
    reply = shared.plan(cluster(cores=1000))
    assert problems(reply)[0][0] == ("cores",)
    assert "does not fit" in errors(reply)[0]


def test_rules_wait_for_what_is_unknown_in_the_cluster(shared: Calls) -> None:
    unsure = cluster(cores=UNKNOWN, selector={"zones": [UNKNOWN]}, networking=UNKNOWN)
    assert errors(shared.validate(unsure)) == []
    reply = shared.plan(unsure)
    assert errors(reply) == []
    assert values(reply.planned_state)["cores"] == UNKNOWN


def test_known_mistakes_are_told_beside_unknown_values(shared: Calls) -> None:
    reply = shared.validate(cluster(cores=UNKNOWN, name="No_Label"))
    assert [place for place, _ in problems(reply)] == [("name",)]


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (
            {"drain": {"timeout": "10m"}},
            {"drain": {"timeout": "600s"}},
            {"drain": {"timeout": "9m"}},
        ),
        ({"timeouts": {"update": "1h"}}, {"timeouts": {"update": "60m"}}, {"timeouts": {}}),
        (
            {"metallb": {"pools": {"x": ["10.0.0.210-10.0.0.230"]}}},
            {"metallb": {"pools": {"x": ["10.0.0.210 - 10.0.0.230"]}}},
            {"metallb": {"pools": {"x": ["10.0.0.210-10.0.0.231"]}}},
        ),
    ],
)
def test_another_spelling_of_the_same_is_no_change(
    calls: Calls, one: dict[str, Any], same: dict[str, Any], other: dict[str, Any]
) -> None:
    made = calls.create(cluster(**one)).new_state
    assert values(calls.plan(cluster(**same), made).planned_state) == values(made)
    assert values(calls.plan(cluster(**other), made).planned_state) != values(made)


def test_another_spelling_of_what_kubeadm_is_told_is_no_error(calls: Calls) -> None:
    def told(kubelet: str) -> dict[str, Any]:
        return cluster(kubeadm={"kubelet": kubelet})

    made = calls.create(told("maxPods: 50\n")).new_state
    spelled = calls.plan(told('# as agreed\n"maxPods": 50'), made)
    assert (errors(spelled), values(spelled.planned_state)) == ([], values(made))
    assert errors(calls.plan(told("maxPods: 51"), made))


def test_what_the_api_servers_are_told_anyway_is_no_error(shared: Calls, created: Any) -> None:
    spellings: list[dict[str, Any]] = [{}, {"pod_security": "baseline"}, {"flags": {}}]
    for same in spellings:
        assert errors(shared.plan(cluster(api_server=same), created)) == []


@pytest.mark.parametrize(
    "pools",
    [{"x": [UNKNOWN]}, {"x": UNKNOWN}, {"x": [UNKNOWN], "y": ["10.0.0.9/32"]}, UNKNOWN],
)
def test_unknown_addresses_hide_nothing(shared: Calls, created: Any, pools: Any) -> None:
    unsure = {"metallb": {"pools": pools}}
    later = shared.plan(cluster() | unsure, created)
    assert errors(later) == []
    assert values(later.planned_state)["servers"] == values(created)["servers"]
    assert problems(shared.plan(cluster(cores=1000) | unsure))[0][0] == ("cores",)
    (summary,) = errors(shared.plan(cluster() | unsure | at("10.0.0.4")))
    assert "takes an address that a server has" in summary


def test_a_check_that_is_not_known_yet_may_be_the_same(shared: Calls, created: Any) -> None:
    unsure = {"kubeadm": {"ignore_preflight_errors": [UNKNOWN]}}
    assert errors(shared.plan(cluster() | unsure, created)) == []


def at(vip: Any = None, **more: Any) -> dict[str, Any]:
    return {"control_plane": {"servers": 3, "endpoint": {"vip": vip, **more}}}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (at("10.0.0.200", address="api.example:6443"), "exactly one of vip and address"),
        (at(), "exactly one of vip and address"),
        ({"tolerate": {"servers": 1, "zones": 1}}, "tolerate takes either servers or zones"),
        ({"metallb": {"pools": {"a": ["10.0.0.199-10.0.0.201"]}}}, "vip 10.0.0.200 lies inside"),
        ({"networking": {"service_cidr": "10.244.0.0/20"}}, "overlaps pod_cidr 10.244.0.0/16"),
        ({"networking": {"pod_cidr": "10.0.0.0/16"}}, "vip 10.0.0.200 lies inside pod_cidr"),
        (
            {"metallb": {"pools": {"a": ["10.0.0.9-10.0.0.12"], "b": ["10.0.0.12/32"]}}},
            "overlaps 10.0.0.12/32 of pool b",
        ),
    ],
)
def test_rules_need_only_what_they_are_about_and_no_servers(
    shared: Calls, wrong: dict[str, Any], error: str
) -> None:
    (summary,) = errors(shared.validate(cluster(cores=UNKNOWN, name=UNKNOWN) | wrong))
    assert error in summary


@pytest.mark.parametrize(
    "unsure",
    [
        at(UNKNOWN),
        at(UNKNOWN, address="api.example:6443"),
        at(address=UNKNOWN),
        {"control_plane": {"servers": 3, "endpoint": UNKNOWN}},
        {"control_plane": UNKNOWN},
        {"control_plane": {"servers": UNKNOWN, "endpoint": {"vip": "10.0.0.200"}}},
        {"tolerate": {"servers": 1, "zones": UNKNOWN}},
        {"metallb": {"pools": {"a": ["10.0.0.200/32", UNKNOWN]}}},
        {"metallb": {"pools": UNKNOWN}},
        {"networking": {"pod_cidr": UNKNOWN, "service_cidr": "10.244.0.0/16"}},
        {"networking": {"pod_cidr": "10.96.0.0/16", "service_cidr": UNKNOWN}},
        {"kubernetes_version": UNKNOWN, "memory": UNKNOWN},
    ],
)
def test_what_may_turn_out_to_be_right_is_no_error(shared: Calls, unsure: dict[str, Any]) -> None:
    assert errors(shared.validate(cluster() | unsure)) == []
    assert errors(shared.plan(cluster() | unsure)) == []


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"selector": {"zones": ["attic"]}}, "no server of the fleet is in zone attic"),
        (at("10.0.0.4"), "vip 10.0.0.4 takes an address that a server has"),
    ],
)
def test_rules_about_the_fleet_need_only_what_they_are_about(
    shared: Calls, wrong: dict[str, Any], error: str
) -> None:
    (summary,) = errors(shared.plan(cluster(cores=UNKNOWN) | wrong))
    assert error in summary


RANGE = {"metallb": {"pools": {"default": ["10.0.0.210-10.0.0.220"]}}}


@pytest.mark.parametrize(
    ("one", "other", "error"),
    [
        ({}, {}, "vip 10.0.0.200 is also the virtual IP of cluster batch"),
        (RANGE, at("10.0.0.215"), "vip 10.0.0.215 lies inside MetalLB range 10.0.0.210-10.0.0.220"),
        (at("10.0.0.215"), at("10.0.0.9") | RANGE, "takes the vip 10.0.0.215 of cluster batch"),
        (RANGE, at("10.0.0.9") | RANGE, "overlaps MetalLB range 10.0.0.210-10.0.0.220 of cluster"),
        ({}, {"cores": UNKNOWN}, "vip 10.0.0.200 is also the virtual IP of cluster batch"),
    ],
)
def test_two_clusters_of_one_command_have_no_address_in_common(
    calls: Calls, one: dict[str, Any], other: dict[str, Any], error: str
) -> None:
    assert errors(calls.plan(cluster() | one)) == []
    (summary,) = errors(calls.plan_beside(cluster(name="other") | other))
    assert error in summary
    assert errors(calls.plan_beside(cluster(name="third") | at(UNKNOWN))) == []
    assert errors(calls.plan_beside(cluster(name="fourth") | at("10.0.0.9"))) == []


def test_two_clusters_of_one_command_have_two_names(calls: Calls) -> None:
    created = calls.create(cluster()).new_state
    assert errors(calls.plan(cluster(name="other") | at("10.0.0.9"))) == []
    again = calls.plan_beside(cluster(name="other") | at("10.0.0.10"))
    assert errors(again) == ["two clusters of this configuration are called other"]
    assert errors(calls.plan_beside(cluster(), created)) == []
    second = calls.plan_beside(cluster(cores=8))
    assert errors(second) == ["two clusters of this configuration are called batch"]
    forced = calls.plan_beside(cluster())
    assert errors(forced) == [], "-replace plans it as it is, and then as a new one"


def test_a_bad_timeout_is_told_with_its_path(shared: Calls) -> None:
    reply = shared.validate(cluster(timeouts={"create": "soon", "delete": UNKNOWN}))
    ((place, summary),) = problems(reply)
    assert place == ("timeouts", "create")
    assert '"soon" is not a duration' in summary


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_what_only_the_provider_sets_is_an_error_of_validate(shared: Calls, name: str) -> None:
    """Terraform would build the cluster, and then blame the provider for another result."""
    value: Any = {} if name == "servers" else 5 if name.startswith("allocated") else "x"
    for given in (value, UNKNOWN):
        reply = shared.validate(cluster(**{name: given}))
        assert problems(reply) == [((name,), f"{name} is set by the provider; remove it")]


def test_a_plan_without_a_change_is_the_prior_state(shared: Calls, created: Any) -> None:
    reply = shared.plan(cluster(), created, b"ours")
    assert values(reply.planned_state) == values(created)
    assert list(reply.requires_replace) == []
    assert reply.planned_private == b"ours"


@pytest.mark.parametrize(
    ("change", "replaced"),
    [
        ({"name": "other"}, ("name",)),
        ({"networking": {"cni": "none"}}, ("networking", "cni")),
        ({"networking": {"pod_cidr": "10.50.0.0/16"}}, ("networking", "pod_cidr")),
        (
            {"control_plane": {"servers": 3, "endpoint": {"vip": "10.0.0.201"}}},
            ("control_plane", "endpoint", "vip"),
        ),
    ],
)
def test_what_a_cluster_is_built_on_needs_another_cluster(
    shared: Calls, created: Any, change: dict[str, Any], replaced: tuple[str, ...]
) -> None:
    reply = shared.plan(cluster(**change), created)
    assert errors(reply) == []
    assert [path(p) for p in reply.requires_replace] == [replaced]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"kubernetes_version": "1.36.4"}, ("kubernetes_version",)),
        ({"kubeadm": {"kubelet": "maxPods: 200"}}, ("kubeadm",)),
        ({"api_server": {"pod_security": "restricted"}}, ("api_server",)),
    ],
)
def test_what_this_version_cannot_change_is_an_error_of_the_plan(
    shared: Calls, created: Any, change: dict[str, Any], where: tuple[str, ...]
) -> None:
    reply = shared.plan(cluster(**change), created)
    assert [place for place, _ in problems(reply)] == [where]
    assert "rpool cannot" in errors(reply)[0]


def test_a_replacement_may_change_anything_else_too(shared: Calls, created: Any) -> None:
    reply = shared.plan(cluster(name="other", cores=24), created)
    assert errors(reply) == []
    assert [path(p) for p in reply.requires_replace] == [("name",)]


def test_an_unknown_that_may_turn_out_to_be_the_same_is_no_error_yet(
    shared: Calls, created: Any
) -> None:
    reply = shared.plan(cluster(cores=UNKNOWN), created)
    assert errors(reply) == []


def test_a_server_in_use_cannot_vanish_from_the_fleet(created: Any, world_file: Path) -> None:
    gone = next(iter(values(created)["servers"]))
    smaller = site()
    del smaller["fleet"][gone]
    with PluginProcess(simulated(world_file)) as plugin:
        reply = Calls(plugin, smaller).plan(cluster(), created)
    assert gone in errors(reply)[0]
    assert "Put the entry back" in reply.diagnostics[0].detail

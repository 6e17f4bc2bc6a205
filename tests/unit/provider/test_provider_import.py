"""From a cluster's request back to the configuration that it came from."""

from __future__ import annotations

from typing import Any

import pytest

from rpool_provider.resources import cluster_state, planning
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.schema import Map, Object, Set

LEAST: dict[str, Any] = {
    "name": "batch",
    "kubernetes_version": "1.36.3",
    "cores": 16,
    "memory": 64,
    "control_plane": {"servers": 3, "endpoint": {"vip": "10.0.0.200"}},
}

SET: list[dict[str, Any]] = [
    {},
    {"control_plane": {"servers": 1, "endpoint": {"address": "api.example.org:6443"}}},
    {"tolerate": {"servers": 2}},
    {"tolerate": {"zones": 1}},
    {"selector": {"zones": ["a", "b"]}},
    {"selector": {"labels": {"disk": "nvme"}}},
    {"networking": {"cni": "none", "pod_cidr": "10.128.0.0/16"}},
    {"metallb": {"pools": {"default": ["10.0.0.210-10.0.0.230", "10.0.1.0/28"]}}},
    {"drain": {"timeout": "1h", "on_timeout": "evict_anyway"}},
    {"drain": {"timeout": "90s"}},
    {"kubeadm": {"kubelet": "maxPods: 50\n"}},
    {"workers": {"gpu": {"cores": 8, "memory": 16}}},
    {
        "workers": {
            "gpu": {
                "cores": 8,
                "memory": 16,
                "labels": {"tier": "gpu"},
                "taint": [{"key": "gpu", "value": "true", "effect": "NoSchedule"}],
                "selector": {"zones": ["a"]},
                "tolerate": {"servers": 1},
            }
        }
    },
    {"kubeadm": {"kube_proxy": "mode: ipvs\n", "ignore_preflight_errors": ["NumCPU"]}},
]


def _complete(type_: Object, values: dict[str, Any]) -> dict[str, Any]:
    """Every attribute, null where `values` has none, as Terraform sends a configuration. Blocks
    that may be there several times are an empty collection then.
    """
    complete = {}
    for attribute in type_.attributes:
        value = values.get(attribute.name)
        if attribute.block is not None and isinstance(attribute.type, Map):
            items = (value or {}).items()
            value = {key: _complete(attribute.block, item) for key, item in items}
        if attribute.block is not None and isinstance(attribute.type, Set):
            value = [_complete(attribute.block, item) for item in value or []]
        if isinstance(attribute.type, Object) and attribute.type.always:
            value = value or {}
        if isinstance(attribute.type, Object) and isinstance(value, dict):
            value = _complete(attribute.type, value)
        complete[attribute.name] = value
    return complete


@pytest.mark.parametrize("changes", SET, ids=str)
def test_a_configuration_finds_its_own_import_unchanged(changes: dict[str, Any]) -> None:
    config = _complete(CLUSTER.root, LEAST | changes)
    created = planning.planned(CLUSTER.root, config, None)
    spec = cluster_state.spec(created)
    assert spec is not None
    imported = cluster_state.configuration(spec)
    if created["drain"]:  # a duration has more than one spelling
        imported["drain"]["timeout"] = created["drain"]["timeout"]
        assert cluster_state.spec(created | imported) == spec
    assert imported == {name: created[name] for name in imported}


def test_an_import_sets_every_attribute_that_can_be_configured() -> None:
    spec = cluster_state.spec(planning.planned(CLUSTER.root, _complete(CLUSTER.root, LEAST), None))
    assert spec is not None
    configurable = {a.name for a in CLUSTER.root.attributes if a.configurable}
    assert cluster_state.configuration(spec).keys() == configurable

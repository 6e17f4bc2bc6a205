"""Turns a request back into the configuration that it came from, and checks a record by the rules
of configurations: every administrator of a cluster can write its record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rpool.config.models import PoolModel, ServerFacts
from rpool.config.node import parse_node
from rpool.config.problems import validated
from rpool.errors import SpecError
from rpool.model.duration import text
from rpool.model.pool import (
    KUBERNETES_VERSION,
    UID,
    ApiServer,
    ControlPlane,
    DrainPolicy,
    Group,
    NodeSpec,
    PoolSpec,
    Repair,
    Selector,
    Tolerance,
)
from rpool.model.record import Member, Record


def written(spec: PoolSpec) -> dict[str, Any]:
    """The configuration of an `rpool_cluster` that a request came from, as far as can be known. A
    value at its default counts as not set. A plan of that configuration must have no changes.
    """
    return {
        "name": spec.name,
        "kubernetes_version": spec.kubernetes_version,
        "cores": spec.cores,
        "memory": spec.memory_gib,
        "tolerate": _tolerate(spec.tolerate),
        "control_plane": _control_plane(spec.control_plane),
        "selector": _selector(spec.selector),
        "networking": {
            "pod_cidr": spec.networking.pod_cidr,
            "service_cidr": spec.networking.service_cidr,
            "cni": spec.networking.cni,
        },
        "metallb": _set({"pools": {n: list(ranges) for n, ranges in spec.metallb_pools.items()}}),
        "drain": _drain(spec.drain),
        "repair": _repair(spec.repair),
        "trust": spec.trust or None,
        "workers": {name: _group(group) for name, group in spec.groups.items()},
        "kubeadm": _set(
            {
                "kubelet": spec.kubeadm.kubelet,
                "kube_proxy": spec.kubeadm.kube_proxy,
                "ignore_preflight_errors": list(spec.kubeadm.ignore_preflight_errors),
            }
        ),
        "api_server": _api_server(spec.api_server),
    }


def _set(values: dict[str, Any]) -> dict[str, Any] | None:
    """An object with null for what is empty or 0, which was not set; None when nothing was."""
    given = {name: value or None for name, value in values.items()}
    return given if any(value is not None for value in given.values()) else None


def _api_server(api_server: ApiServer) -> dict[str, Any] | None:
    level = None if api_server.pod_security == ApiServer().pod_security else api_server.pod_security
    return _set(
        {
            "oidc": asdict(api_server.oidc) if api_server.oidc else None,
            "audit_policy": api_server.audit_policy,
            "extra_sans": list(api_server.extra_sans),
            "pod_security": level,
            "flags": dict(api_server.flags),
        }
    )


def _control_plane(control_plane: ControlPlane) -> dict[str, Any]:
    endpoint = {"vip": control_plane.endpoint.vip, "address": control_plane.endpoint.address}
    return {
        "servers": control_plane.servers,
        "endpoint": endpoint,
        "recover_from": control_plane.recover_from,
        "selector": None
        if control_plane.selector is None
        else _zones_and_labels(control_plane.selector),
        "labels": dict(control_plane.labels) or None,
        "schedulable": control_plane.schedulable,
    }


def _tolerate(tolerance: Tolerance) -> dict[str, Any] | None:
    return _set({"servers": tolerance.servers, "zones": tolerance.zones})


def _group(group: Group) -> dict[str, Any]:
    return {
        "cores": group.cores,
        "memory": group.memory_gib,
        "tolerate": _tolerate(group.tolerate),
        "selector": _selector(group.selector),
        "labels": dict(group.node.labels) or None,
        "taint": _node(group.node)["taint"],
    }


def _selector(selector: Selector) -> dict[str, Any] | None:
    return _set({"zones": sorted(selector.zones), "labels": dict(selector.labels)})


def _zones_and_labels(selector: Selector) -> dict[str, Any]:
    """As `_selector`, but a selector of every server is kept: here it differs from none."""
    return {"zones": sorted(selector.zones) or None, "labels": dict(selector.labels) or None}


def _drain(policy: DrainPolicy) -> dict[str, Any]:
    return {"timeout": text(policy.timeout_seconds), "on_timeout": policy.on_timeout.value}


def _repair(repair: Repair) -> dict[str, Any]:
    return {
        "grace": text(repair.grace_seconds),
        "mode": repair.mode.value,
        "max_lost": repair.max_lost,
    }


def wrong_in(record: Record) -> Iterator[str]:
    """What a record has that no configuration could have put there. A version of Kubernetes that
    this rpool does not install is accepted: another rpool may have installed it.
    """
    if not UID.fullmatch(record.uid):
        yield "uid: it is not a uid"
    for part, spec in (("settled", record.settled), ("wanted", record.wanted)):
        if spec is not None:
            _, problems = validated(PoolModel, written(spec), ())
            for problem in problems:
                if problem.path != ("kubernetes_version",) or not _is_version(spec):
                    yield f"{part}: {problem.summary}"
    for name, member in record.members.items():
        _, problems = validated(ServerFacts, _facts(name, member), ())
        yield from (f"members: {problem.summary}" for problem in problems)
    for name, node in record.pinned.items():
        try:
            parse_node({"cluster": "00000000", "server": name, **_node(node)})
        except SpecError as error:
            yield f"pinned: {error.summary}"


def _is_version(spec: PoolSpec) -> bool:
    return KUBERNETES_VERSION.fullmatch(spec.kubernetes_version) is not None


def _facts(name: str, member: Member) -> Mapping[str, Any]:
    return {
        "name": name,
        "address": member.address,
        "zone": member.zone,
        "cores": member.cores,
        "memory": member.memory_gib,
        "group": member.group,
        "labels": dict(member.labels),
    }


def _node(node: NodeSpec) -> dict[str, Any]:
    taints = [{"key": t.key, "value": t.value, "effect": t.effect} for t in node.taints]
    return {"labels": dict(node.labels), "taint": taints}

"""From a request back to the configuration that it came from; and what is wrong with a record by
the rules of configurations, since whoever administers a cluster can write its record.
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
    """The configuration of an `rpool_cluster` that a request came from, as far as can be told: what
    is at its default was not set. A plan of that configuration has to find nothing to change.
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
        "metallb": _set({"pools": {n: list(its) for n, its in spec.metallb_pools.items()}}),
        "drain": _drain(spec.drain),
        "repair": _repair(spec.repair),
        "trust": spec.trust or None,
        "workers": {name: _group(its) for name, its in spec.groups.items()},
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
    """An object of which what is empty or 0 was not set; null when nothing was."""
    given = {name: value or None for name, value in values.items()}
    return given if any(value is not None for value in given.values()) else None


def _api_server(its: ApiServer) -> dict[str, Any] | None:
    level = None if its.pod_security == ApiServer().pod_security else its.pod_security
    return _set(
        {
            "oidc": asdict(its.oidc) if its.oidc else None,
            "audit_policy": its.audit_policy,
            "extra_sans": list(its.extra_sans),
            "pod_security": level,
            "flags": dict(its.flags),
        }
    )


def _control_plane(its: ControlPlane) -> dict[str, Any]:
    endpoint = {"vip": its.endpoint.vip, "address": its.endpoint.address}
    return {
        "servers": its.servers,
        "endpoint": endpoint,
        "recover_from": its.recover_from,
        "selector": None if its.selector is None else _zones_and_labels(its.selector),
        "labels": dict(its.labels) or None,
        "schedulable": its.schedulable,
    }


def _tolerate(its: Tolerance) -> dict[str, Any] | None:
    return _set({"servers": its.servers, "zones": its.zones})


def _group(its: Group) -> dict[str, Any]:
    return {
        "cores": its.cores,
        "memory": its.memory_gib,
        "tolerate": _tolerate(its.tolerate),
        "selector": _selector(its.selector),
        "labels": dict(its.node.labels) or None,
        "taint": _node(its.node)["taint"],
    }


def _selector(its: Selector) -> dict[str, Any] | None:
    return _set({"zones": sorted(its.zones), "labels": dict(its.labels)})


def _zones_and_labels(its: Selector) -> dict[str, Any]:
    """Also one that takes every server, which is not the same as none here."""
    return {"zones": sorted(its.zones) or None, "labels": dict(its.labels) or None}


def _drain(policy: DrainPolicy) -> dict[str, Any]:
    return {"timeout": text(policy.timeout_seconds), "on_timeout": policy.on_timeout.value}


def _repair(its: Repair) -> dict[str, Any]:
    return {"grace": text(its.grace_seconds), "mode": its.mode.value, "max_lost": its.max_lost}


def wrong_in(record: Record) -> Iterator[str]:
    """What no configuration could have brought into a record. A version of Kubernetes that this
    rpool does not install may be there: another one has installed it.
    """
    if not UID.fullmatch(record.uid):
        yield "uid: it is none"
    for part, spec in (("settled", record.settled), ("wanted", record.wanted)):
        if spec is not None:
            _, problems = validated(PoolModel, written(spec), ())
            for its in problems:
                if its.path != ("kubernetes_version",) or not _is_version(spec):
                    yield f"{part}: {its.summary}"
    for name, member in record.members.items():
        _, problems = validated(ServerFacts, _facts(name, member), ())
        yield from (f"members: {its.summary}" for its in problems)
    for name, node in record.pinned.items():
        try:
            parse_node({"cluster": "00000000", "server": name, **_node(node)})
        except SpecError as error:
            yield f"pinned: {error.summary}"


def _is_version(spec: PoolSpec) -> bool:
    return KUBERNETES_VERSION.fullmatch(spec.kubernetes_version) is not None


def _facts(name: str, its: Member) -> Mapping[str, Any]:
    return {
        "name": name,
        "address": its.address,
        "zone": its.zone,
        "cores": its.cores,
        "memory": its.memory_gib,
        "group": its.group,
        "labels": dict(its.labels),
    }


def _node(its: NodeSpec) -> dict[str, Any]:
    taints = [{"key": t.key, "value": t.value, "effect": t.effect} for t in its.taints]
    return {"labels": dict(its.labels), "taint": taints}

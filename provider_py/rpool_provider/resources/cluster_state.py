"""A cluster in Terraform's words (a dict by the schema) and in the engine's (spec and view)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rpool.errors import Path, SpecError, known
from rpool.model.pool import DEFAULT_GROUP, Endpoint
from rpool.model.record import Member
from rpool.model.server import Role, ServerName
from rpool.model.view import Condition, PoolView
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.wire.unknown import UNKNOWN, is_wholly_known, split, unknown_as_null

if TYPE_CHECKING:
    from rpool.decide.health import Repairs
    from rpool.model.pool import PoolSpec

OURS_ALONE = frozenset({"timeouts", "deletion_protection", "destroy"})
"""Attributes that a user sets and no server knows of."""

_CHANGING = {
    "tolerate": "tolerate",
    "control_plane": "control_plane",
    "selector": "selector",
    "metallb_pools": "metallb",
    "drain": "drain",
    "repair": "repair",
    "groups": "workers",
}
"""Fields of a request that may change in place, and the attribute of each, without those that a
view has too.
"""

_OURS = {"deletion_protection": False, "destroy": {"on_unreachable": "fail"}}

REQUEST = frozenset(a.name for a in CLUSTER.root.attributes if a.configurable) - OURS_ALONE
"""Attributes that a user sets and that concern the servers."""


def spec(values: dict[str, Any]) -> PoolSpec | None:
    """The request in a configuration or plan; None while too much is unknown. Raises SpecError."""
    from rpool.config import parse_pool

    return parse_pool(*split_request(values))


def split_request(values: dict[str, Any]) -> tuple[dict[str, Any], frozenset[Path]]:
    """What is known of the request in a configuration or plan, and the paths of the rest."""
    known_part, unknown = split({name: values[name] for name in REQUEST})
    return known_part, unknown


def draft(values: dict[str, Any]) -> tuple[PoolSpec | None, Collection[Path]]:
    """The request as far as it is known, with stand-ins for the rest, and the paths of the rest.
    Raises SpecError with all that is wrong with it by itself.
    """
    from rpool.config import parse_draft
    from rpool.model.ranges import overlaps

    drafted = parse_draft(*split_request(values))
    problems = drafted.problems
    if drafted.spec is not None:
        problems = [*problems, *known(overlaps(drafted.spec), drafted.unknown)]
    if problems:
        raise SpecError(problems)
    return drafted.spec, drafted.unknown


def configuration(spec: PoolSpec) -> dict[str, Any]:
    """The configuration that a request came from; what only Terraform knows is at its default."""
    from rpool.config import written

    return {**written(spec), **_OURS, "timeouts": None}


def remains(view: PoolView) -> dict[str, Any]:
    """The state of a cluster that was never made to the end: enough to destroy it."""
    blank: dict[str, Any] = {attribute.name: None for attribute in CLUSTER.root.attributes}
    endpoint = {"vip": None, "address": None}
    blank |= {
        "control_plane": {"servers": len(view.control_planes), "endpoint": endpoint},
        "networking": {"pod_cidr": None, "service_cidr": None, "cni": None},
        "workers": {},
        **_OURS,
    }
    return with_view(blank, view)


def with_spec(values: dict[str, Any], carried_out: PoolSpec) -> dict[str, Any]:
    """`values` with what differs in the cluster's record: a change that this state does not have.
    Equal values stay as they were written. So do values that cannot be changed, such as the
    networks: a writer of the record has no say in these.
    """
    known = spec(values)
    if known is None or known == carried_out:
        return values
    control_plane = replace(known.control_plane, servers=carried_out.control_plane.servers)
    carried_out = replace(carried_out, control_plane=control_plane)
    recorded = configuration(carried_out)
    changed = {
        name
        for field, name in _CHANGING.items()
        if getattr(known, field) != getattr(carried_out, field)
    }
    return values | {name: recorded[name] for name in changed}


def endpoint(values: dict[str, Any]) -> Any:
    """The API's `host:port`, known before there is a cluster; unknown if its parts are."""
    configured = values["control_plane"]
    where = configured["endpoint"] if isinstance(configured, dict) else UNKNOWN
    if not isinstance(where, dict) or not is_wholly_known(where):
        return UNKNOWN
    return Endpoint(vip=where["vip"], address=where["address"]).host_and_port


def recovers_from(prior: dict[str, Any], values: dict[str, Any]) -> ServerName | None:
    """The control plane to recover etcd from; None without one, and if the prior state has the same
    one, so that a recovery does not happen twice.
    """
    wanted = values["control_plane"]["recover_from"]
    before = (prior["control_plane"] or {}).get("recover_from")
    return wanted if isinstance(wanted, str) and wanted != before else None


def with_ours(prior: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """`prior` with those of `values` that no server knows of. They hold even if an apply fails:
    otherwise a broken cluster's protection could not be lifted, nor its servers abandoned.
    """
    return prior | {name: values[name] for name in sorted(OURS_ALONE)}


def without_recovery(prior: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """`prior` without its recover_from, where that was removed."""
    if prior["control_plane"]["recover_from"] is None or values["control_plane"]["recover_from"]:
        return prior
    return prior | {"control_plane": prior["control_plane"] | {"recover_from": None}}


def with_view(values: dict[str, Any], view: PoolView) -> dict[str, Any]:
    """`values` with those of a view; what is still unknown becomes null."""
    known: dict[str, Any] = unknown_as_null(values)
    return known | {
        "id": view.uid,
        "name": view.name,
        "kubernetes_version": view.kubernetes_version,
        "cores": view.cores,
        "memory": view.memory_gib,
        "condition": view.condition.value,
        "allocated_cores": view.allocated_cores,
        "allocated_memory": view.allocated_memory_gib,
        "endpoint": view.endpoint,
        "ca_certificate": view.ca_certificate,
        "ca_pin": _pin(known, view.ca_certificate),
        "servers": {name: server(member) for name, member in sorted(view.servers.items())},
    }


def _pin(before: dict[str, Any], certificate: str) -> str:
    """The certificate's pin; the prior one if the certificate is the same: parsing takes time."""
    if not certificate or (before.get("ca_pin") and before["ca_certificate"] == certificate):
        return before.get("ca_pin") or ""
    from rpool.certificates import ca_pin

    return ca_pin(certificate)


def server(server: Member) -> dict[str, Any]:
    return {
        "role": server.role.value,
        "address": server.address,
        "zone": server.zone,
        "group": server.group,
        "cores": server.cores,
        "memory": server.memory_gib,
        "labels": dict(server.labels) or None,
    }


def view(values: dict[str, Any], repairs: Repairs | None = None) -> PoolView:
    """The view that a state was made from. Which servers count as lost is not in the state, but in
    private data.
    """
    return PoolView(
        uid=values["id"],
        name=values["name"],
        kubernetes_version=values["kubernetes_version"],
        cores=values["cores"],
        memory_gib=values["memory"],
        condition=_condition(values["condition"]),
        endpoint=values["endpoint"],
        vip=values["control_plane"]["endpoint"]["vip"],
        ca_certificate=values["ca_certificate"],
        servers={name: _member(server) for name, server in values["servers"].items()},
        lost=repairs.lost if repairs else frozenset(),
        schedulable=bool(values["control_plane"].get("schedulable")),
    )


def _condition(word: str | None) -> Condition:
    """The condition in a state. Another version's state may have none, or another word: then
    nothing says that the cluster is complete.
    """
    known = {condition.value: condition for condition in Condition}
    return known.get(word or "", Condition.INCOMPLETE)


def roles(values: dict[str, Any]) -> dict[ServerName, Role]:
    return {name: Role(server["role"]) for name, server in values["servers"].items()}


def groups(values: dict[str, Any]) -> dict[ServerName, str]:
    """The group of each server that is not in the default group."""
    all_groups = {name: server["group"] for name, server in values["servers"].items()}
    return {name: group for name, group in all_groups.items() if group != DEFAULT_GROUP}


def _member(server: dict[str, Any]) -> Member:
    return Member(
        role=Role(server["role"]),
        address=server["address"],
        zone=server["zone"],
        group=server["group"],
        cores=server["cores"],
        memory_gib=server["memory"],
        labels=server["labels"] or {},
    )

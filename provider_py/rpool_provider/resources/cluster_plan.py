"""Planning a change of a cluster: what of it is in the request, and who joins and leaves for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rpool.errors import Problem, RpoolError, SpecError
from rpool.model.record import Member
from rpool.model.server import Role
from rpool.model.view import Condition
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources import cluster_private, cluster_state
from rpool_provider.resources.cluster_private import Known
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.planning import Changed
from rpool_provider.resources.resource import Held, Plan, Values
from rpool_provider.wire.unknown import UNKNOWN, Unknown, is_wholly_known

if TYPE_CHECKING:
    from rpool.api import Site, Standing, Target
    from rpool.model.server import Fleet

_FIXED = frozenset({"kubernetes_version", "kubeadm"})
_FOLLOWS = ("condition", "allocated_cores", "allocated_memory", "servers")
"""What follows from the request and from who is in the cluster."""


def change(prior: Held, values: Values, changed: Sequence[Changed], site: Site | None) -> Plan:
    """The plan of a change in place; `values` has what is configured, and the rest as before."""
    assert prior.values is not None  # noqa: S101
    _refuse(prior.values, values, changed)
    # A create that was cut off has no certificate yet.
    follows = _FOLLOWS if prior.values["ca_certificate"] else (*_FOLLOWS, "ca_certificate")
    if site is None or not request_is_known(values):
        return Plan(values | dict.fromkeys(follows, UNKNOWN), prior.private)
    fleet = site.config.fleet
    _refuse_lost_entries(prior.values, fleet)
    spec = cluster_state.spec(values)
    assert spec is not None  # noqa: S101 it is wholly known
    known = cluster_private.decode(prior.private)
    standing = _standing(prior.values, known)
    target = site.plan_pool(spec, standing, known.offer)
    servers = {n: Member.of(fleet.servers[n], role) for n, role in sorted(target.roles.items())}
    workers = [its for its in servers.values() if its.role is Role.WORKER]
    known_then: dict[str, Any] = {
        "condition": Condition.SETTLED.value,
        "allocated_cores": sum(its.cores for its in workers),
        "allocated_memory": sum(its.memory_gib for its in workers),
        "servers": {name: cluster_state.server(its) for name, its in servers.items()},
    }
    will_be = dict.fromkeys(follows, UNKNOWN) | known_then
    return Plan(values | will_be, prior.private, [], _explained(spec.name, target, standing, fleet))


def request_is_known(values: Values) -> bool:
    return all(is_wholly_known(values[a.name]) for a in CLUSTER.root.attributes if a.configurable)


def reaches_servers(prior: Values, planned: Values) -> bool:
    """Whether a change is more than Terraform's own business."""
    return any(
        prior[name] != planned[name] for name in prior if name not in cluster_state.OURS_ALONE
    )


def _standing(prior: Values, known: Known) -> Standing:
    from rpool.api import Size, Standing
    from rpool.model.pool import Tolerance

    tolerate = prior["tolerate"] or {}
    size = Size(
        prior["cores"],
        prior["memory"],
        Tolerance(tolerate.get("servers") or 0, tolerate.get("zones") or 0),
    )
    roles = cluster_state.roles(prior)
    return Standing(prior["id"], size, roles, known.joining, known.leaving)


def _explained(pool: str, target: Target, standing: Standing, fleet: Fleet) -> list[Diagnostic]:
    """Why servers leave that no attribute of the cluster sends away: one warning at most."""
    reasons = {
        "retiring": [n for n in target.leaving if fleet.servers[n].retire],
        "lost": [n for n in target.leaving if fleet.servers[n].lost],
        "half out already": [n for n in target.leaving if n in standing.leaving],
        "half in, and not needed": [n for n in target.leaving if n in standing.joining],
    }
    said = [f"{', '.join(sorted(names))} ({why})" for why, names in reasons.items() if names]
    if not said:
        return []
    joining = ", ".join(sorted(target.joining)) or "none needed"
    count = len(target.leaving)
    return [
        diagnostic.warning(
            f"Cluster {pool}: {count} {'server leaves' if count == 1 else 'servers leave'}",
            f"Leaving: {'; '.join(said)}. In their place, first: {joining}.",
        )
    ]


def _refuse_lost_entries(prior: Values, fleet: Fleet) -> None:
    """A server that is in use can't just vanish from the fleet: nobody could reach it again."""
    gone = sorted((prior["servers"] or {}).keys() - fleet.servers.keys())
    if gone:
        names = ", ".join(gone)
        raise RpoolError(
            f"cluster {prior['name']} uses {names}, which the fleet no longer has",
            "Put the entry back into the provider's fleet: without it nobody can reach the server. "
            "Mark it retire = true, and it leaves the cluster; then the entry can be removed.",
        )


def _refuse(prior: Values, values: Values, changed: Sequence[Changed]) -> None:
    was, wanted = cluster_state.spec(prior), cluster_state.spec(values)
    if was and wanted and was.kubeadm == wanted.kubeadm:  # {} and null, say
        changed = [change for change in changed if change.path[0] != "kubeadm"]
    problems = [
        Problem(
            change.path,
            f"{'.'.join(map(str, change.path))} cannot be changed in place by this version",
            "Set it back. Or build the cluster anew: terraform destroy -refresh=false "
            "-target=ADDRESS destroys it with all that runs in it; then apply.",
        )
        for change in changed
        if change.path[0] in _FIXED and not isinstance(change.planned, Unknown)
    ]
    if problems:
        raise SpecError(problems)

"""Plans a change of a cluster: what changes in the request, and which servers join and leave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from rpool.advice import Do
from rpool.decide.target import as_is
from rpool.errors import DoesNotFit, Path, Problem, RpoolError, SpecError, touches
from rpool.model.pool import DEFAULT_GROUP, RepairMode
from rpool.model.record import Member
from rpool.model.server import Role
from rpool.model.trust import COMMON, named
from rpool.model.view import Condition
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources import cluster_private, cluster_state
from rpool_provider.resources.cluster_private import Known
from rpool_provider.resources.planning import Changed
from rpool_provider.resources.resource import Held, Plan, Values
from rpool_provider.wire.unknown import UNKNOWN, is_wholly_known

if TYPE_CHECKING:
    from rpool.api import Current, Site, Size, Target
    from rpool.model.pool import PoolSpec
    from rpool.model.server import Fleet, ServerName

FIXED = {
    "kubernetes_version": "rpool cannot upgrade Kubernetes yet",
    "kubeadm": "rpool cannot change the kubeadm settings of a running cluster yet",
    "trust": "a cluster cannot change its domain of trust, nor can its servers until reinstalled",
    "api_server": "rpool cannot change the API server settings of a running cluster yet",
}
_FOLLOWS = ("condition", "allocated_cores", "allocated_memory", "servers")
"""What follows from the request and from the cluster's members."""
_WITH_A_CA = ("ca_certificate", "ca_pin")


def change(prior: Held, values: Values, changed: Sequence[Changed], site: Site | None) -> Plan:
    """The plan of a change in place; `values` is the configuration, and the prior state for what it
    does not set.
    """
    assert prior.values is not None  # noqa: S101
    _refuse(prior.values, values, changed)
    # After a create that was cut off there is no certificate yet.
    follows = _FOLLOWS if prior.values["ca_certificate"] else (*_FOLLOWS, *_WITH_A_CA)
    if site is None or (unsure := unknown_sizes(values)):
        later = [_chosen_later(values, unsure)] if site is not None else []
        return Plan(values | dict.fromkeys(follows, UNKNOWN), prior.private, diagnostics=later)
    fleet = site.config.fleet
    _refuse_lost_entries(prior.values, fleet)
    _refuse_to_recover_from_others(prior.values, values)
    refuse_moved(f"cluster {prior.values['name']}", prior.values["servers"], fleet)
    spec, _ = cluster_state.draft(values)
    assert spec is not None  # noqa: S101 all of _SIZES is known
    known = cluster_private.decode(prior.private)
    current = _current(prior.values, known, spec)
    diagnostics: list[Diagnostic] = []
    try:
        target = site.plan_pool(spec, current, known.offer)
    except DoesNotFit as error:
        target = as_is(current, fleet)
        if reaches_servers(prior.values, values) or Role.CONTROL_PLANE not in target.roles.values():
            raise
        diagnostics = [_fits_no_more(spec.name, error)]
    servers = {
        name: Member.of(fleet.servers[name], role, target.groups.get(name, DEFAULT_GROUP))
        for name, role in sorted(target.roles.items())
    }
    schedulable = spec.control_plane.schedulable
    counted = [
        member
        for member in servers.values()
        if member.group == DEFAULT_GROUP and (schedulable or member.role is Role.WORKER)
    ]
    will_be_well = not (known.repairs.held if repairs(spec) else known.repairs)
    will_be_well = will_be_well and target.no_spare is None
    known_then: dict[str, Any] = {
        "condition": Condition.SETTLED.value if will_be_well else UNKNOWN,
        "servers": {name: cluster_state.server(member) for name, member in servers.items()},
    }
    if not current.lost & target.roles.keys():  # else a lost member counts as 0, or again if back
        known_then["allocated_cores"] = sum(member.cores for member in counted)
        known_then["allocated_memory"] = sum(member.memory_gib for member in counted)
    will_be = values | dict.fromkeys(follows, UNKNOWN) | known_then
    if not _acts(prior.values, will_be, spec, known):
        will_be |= {"condition": prior.values["condition"]}
    if target.no_spare is not None:
        diagnostics.append(
            _no_spare(spec.name, current.lost & target.roles.keys(), target.no_spare)
        )
    diagnostics += _explained(target, current, fleet, prior.values, will_be)
    return Plan(will_be, prior.private, [], diagnostics)


def repairs(spec: PoolSpec) -> bool:
    """Whether plans of this request repair unhealthy members."""
    return spec.repair.mode is RepairMode.PLAN


def _acts(prior: Values, planned: Values, spec: PoolSpec, known: Known) -> bool:
    """Whether an apply has anything to do on the servers."""
    if prior["condition"] == Condition.UNREACHABLE.value:
        mends = repairs(spec)
    elif prior["condition"] == Condition.DEGRADED.value:
        mends = repairs(spec) and bool(known.repairs)
    else:
        mends = prior["condition"] != Condition.SETTLED.value
    differs = prior | {"condition": None} != planned | {"condition": None}
    return mends or (
        differs and reaches_servers(prior, planned | {"condition": prior["condition"]})
    )


_SIZES: tuple[Path, ...] = (
    ("name",),
    ("cores",),
    ("memory",),
    ("control_plane", "servers"),
    ("selector",),
    ("tolerate",),
    ("trust",),
    ("workers",),
)
"""The attributes that decide which servers a cluster takes."""


def unknown_sizes(values: Values) -> list[str]:
    """The attributes of _SIZES that are not known yet."""
    _, unknown = cluster_state.split_request(values)
    return [".".join(map(str, path)) for path in _SIZES if touches(path, unknown)]


def _chosen_later(values: Values, unsure: Sequence[str]) -> Diagnostic:
    name = (
        values["name"] if isinstance(values["name"], str) else ("with a name that is not known yet")
    )
    reason = f"{' and '.join(unsure)} {'is' if len(unsure) == 1 else 'are'} not known yet"
    return diagnostic.warning(
        f"Cluster {name}: the apply chooses which servers join and leave",
        f"{reason}. The plan may show all servers as removed; that is not what will happen.",
    )


def reaches_servers(prior: Values, planned: Values) -> bool:
    """Whether a change concerns servers: more than Terraform's own settings or another spelling."""
    changed = {name for name in prior if prior[name] != planned[name]} - cluster_state.OURS_ALONE
    if changed - cluster_state.REQUEST:
        return True
    return bool(changed) and cluster_state.spec(prior) != cluster_state.spec(planned)


def _current(prior: Values, known: Known, spec: PoolSpec) -> Current:
    from rpool.api import Current

    size = _size(prior, schedulable=bool(prior["control_plane"]["schedulable"]))
    groups = cluster_state.groups(prior)
    sizes = {name: _size(group) for name, group in (prior["workers"] or {}).items()}
    roles = cluster_state.roles(prior)
    lost = known.repairs.lost if repairs(spec) else frozenset()
    failed = known.repairs.failed
    changing = (known.joining, known.leaving, lost, failed)
    return Current(prior["id"], size, roles, *changing, groups, sizes)


def _size(request: Values, *, schedulable: bool = False) -> Size:
    from rpool.api import Size
    from rpool.model.pool import Tolerance

    tolerate = request["tolerate"] or {}
    tolerance = Tolerance(tolerate.get("servers") or 0, tolerate.get("zones") or 0)
    return Size(request["cores"], request["memory"], tolerance, schedulable)


def _explained(
    target: Target, current: Current, fleet: Fleet, prior: Values, planned: Values
) -> list[Diagnostic]:
    """One warning: servers that join, those that leave and why, and the size before and after."""
    joining, leaving = sorted(target.joining), sorted(target.leaving)
    if not joining and not leaving:
        return []

    domain = planned["trust"] or COMMON
    half_joined, groups = current.joining, {**current.groups, **target.groups}
    of_other_domains = {n for n in leaving if fleet.servers[n].trust != domain}

    def about(name: ServerName) -> str:
        notes = {
            "control plane": {**current.roles, **target.roles}.get(name) is Role.CONTROL_PLANE,
            f"group {groups.get(name)}": name in groups,
            "retiring": fleet.servers[name].retire,
            "lost": fleet.servers[name].lost or name in current.lost,
            f"the fleet has it in {named(fleet.servers[name].trust)}": name in of_other_domains,
            "departure interrupted": name in current.leaving,
            "failed to join": name in current.failed,
            "partially joined, not needed": name in half_joined & target.leaving - current.failed,
        }
        text = ", ".join(note for note, holds in notes.items() if holds)
        return f"{name} ({text})" if text else name

    lines = [f"Joining: {', '.join(map(about, joining))}."] if joining else []
    lines += [f"Leaving: {', '.join(map(about, leaving))}."] if leaving else []
    before, after = (
        f"{v['allocated_cores']} cores, {v['allocated_memory']} GiB" for v in (prior, planned)
    )
    lines.append(f"Workers: {before} before; {after} after.")
    lines += [
        f"{name} is also planned for cluster {other}: one of the two gets it, the other's apply "
        "fails, and its next plan picks another server."
        for name, other in sorted(target.contested.items())
    ]
    counts = [_count(joining, "joins", "join"), _count(leaving, "leaves", "leave")]
    summary = f"Cluster {planned['name']}: {', '.join(filter(None, counts))}"
    return [diagnostic.warning(summary, "\n".join(lines))]


def _count(servers: Sequence[ServerName], one: str, many: str) -> str:
    if not servers:
        return ""
    return f"1 server {one}" if len(servers) == 1 else f"{len(servers)} servers {many}"


def _refuse_lost_entries(prior: Values, fleet: Fleet) -> None:
    """Raises RpoolError for a server in use that the fleet lacks: it could not be reached again."""
    missing = sorted((prior["servers"] or {}).keys() - fleet.servers.keys())
    if missing:
        names = ", ".join(missing)
        raise RpoolError(
            f"cluster {prior['name']} uses {names}, which the fleet no longer has",
            Do.PUT_ENTRY_BACK.text(),
        )


def _refuse_to_recover_from_others(prior: Values, values: Values) -> None:
    name = cluster_state.recovers_from(prior, values)
    control_planes = [
        n for n, role in cluster_state.roles(prior).items() if role is Role.CONTROL_PLANE
    ]
    if name is not None and name not in control_planes:
        summary = f"recover_from names {name}, which is not a control plane of the cluster"
        detail = f"Its control planes are {', '.join(control_planes)}."
        raise SpecError([Problem(("control_plane", "recover_from"), summary, detail)])


def refuse_moved(what: str, servers: Values, fleet: Fleet, at: Path = ()) -> None:
    """Raises SpecError where a server's address in the fleet is not the one it joined with: its
    kubelet, etcd and certificates keep the old one.
    """
    moved = [
        f"{name} ({member['address']} when it joined, {fleet.servers[name].address} now)"
        for name, member in sorted(servers.items())
        if not fleet.servers[name].lost and member["address"] != fleet.servers[name].address
    ]
    if moved:
        summary = f"{what} has servers whose address was changed in the fleet: {', '.join(moved)}"
        raise SpecError([Problem(at, summary, Do.OLD_ADDRESS.text())])


def _no_spare(name: str, lost: Collection[ServerName], error: DoesNotFit) -> Diagnostic:
    (problem,) = error.problems
    return diagnostic.warning(
        f"Cluster {name}: no server can replace {', '.join(sorted(lost))}",
        f"It stays a member until one can. {problem.summary}.\n{problem.detail}",
    )


def _fits_no_more(name: str, error: DoesNotFit) -> Diagnostic:
    """A warning: an error would block all else in the configuration, and a destroy."""
    (problem,) = error.problems
    return diagnostic.warning(
        f"Cluster {name} no longer fits the fleet: no server joins it",
        f"{problem.summary}.\n{problem.detail}",
    )


def _refuse(prior: Values, values: Values, changed: Sequence[Changed]) -> None:
    current, wanted = cluster_state.spec(prior), cluster_state.spec(values)
    if current and wanted:  # compared as requests: {} and null, for example, mean the same
        same = {n for n in ("kubeadm", "api_server") if getattr(current, n) == getattr(wanted, n)}
        changed = [change for change in changed if change.path[0] not in same]
    problems = [
        Problem(
            change.path,
            f"{'.'.join(map(str, change.path))}: {FIXED[str(change.path[0])]}",
            Do.SET_BACK.text(to=_to(prior, change)),
        )
        for change in changed
        if change.path[0] in FIXED and is_wholly_known(change.planned)
    ]
    if problems:
        raise SpecError(problems)


def _to(prior: Values, change: Changed) -> str:
    if change.path == ("trust",):
        return f" to {prior['trust'] or 'null'}"
    return f" to {prior['kubernetes_version']}" if change.path == ("kubernetes_version",) else ""

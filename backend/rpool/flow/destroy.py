"""Taking a cluster down: every server is drained, reset, verified clean, and its claim removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import replace

from rpool.advice import Do
from rpool.attempt import Attempt, NoSuchPool, PoolIncomplete
from rpool.decide.believed import believed
from rpool.decide.membership import Membership, Part, lost_in
from rpool.decide.plan.departures import not_given_back
from rpool.decide.quorum import majority
from rpool.errors import NotInFleet, Refused, RpoolError, Unreachable, together
from rpool.flow.locate import Swept, api_of
from rpool.flow.reconcile import at_work
from rpool.model.action import Reset
from rpool.model.desired import Desired
from rpool.model.observed import Api, Observed, Sighting
from rpool.model.pool import PoolUid
from rpool.model.record import Member, Record
from rpool.model.server import Fleet, ServerName
from rpool.model.step import Ran
from rpool.model.view import Condition, PoolView
from rpool.model.world import World


def destroy(
    prior: PoolView, fleet: Fleet, world: World, attempt: Attempt, *, abandon: bool = False
) -> tuple[str, ...]:
    """Give the cluster's servers back; returns warnings. Servers with another cluster's claim, or
    none, are not touched. A server that is out of reach and marked `lost` is let go with its claim;
    with `abandon` so is each that is out of reach, as long as another of the cluster's answers.

    Raises Refused when another operation works on the cluster, or an rpool_node still has a server
    in it, and PoolIncomplete with the servers that are still the cluster's.
    """
    _refuse_moved(prior, fleet)
    known = prior.control_planes
    with at_work(prior.uid, prior.name, known, fleet, world, attempt) as run:
        api, record = _api(prior, fleet, world)
        record = believed(record, prior.servers, fleet) if record is not None else None
        prior, swept = _with_unplanned(prior, record, fleet, world)
        run.lock.cover(prior.control_planes, one_will_do=True)
        if record is not None:
            run.lock.outrank(record.session)
        seen, silent = run.lock.look(prior.servers)
        pool = Observed(prior.uid, _of_ours(api, prior, seen), record, seen, silent)
        _refuse_pinned(prior, pool, fleet)
        spec = record.spec if record else prior.spec
        ran = run.carry_out(run.plan(Desired(prior.uid, spec, {}), pool).steps)
    marked = silent.keys() & lost_in(fleet)
    missing = {name: error for name, error in silent.items() if name not in marked}
    abandoned = missing.keys() & fleet.servers.keys() if abandon and seen else set()
    missing = {name: error for name, error in missing.items() if name not in abandoned}
    kept = {name for name in pool.claims if not ran.did(Reset, name)}
    if kept and not ran.may_have_changed and isinstance(ran.error, Refused):
        raise ran.error  # another operation is at work
    if kept or missing:
        error = _why_kept(kept, seen, ran) or _out_of_reach(prior, missing)
        # No server is let go before the cluster is gone.
        raise PoolIncomplete(error, _what_is_left(prior, {*missing, *kept, *abandoned}))
    swept.probed.update({name: sighting.probed for name, sighting in seen.items()})
    former = record.former if record else frozenset()
    silent_former = swept.silent.keys() & former
    swept.silent = {
        name: error for name, error in swept.silent.items() if name not in silent_former
    }
    warnings = [
        *_let_go(marked),
        *_abandoned(abandoned | silent_former, prior.uid),
        *_without_entry(former - fleet.servers.keys(), prior.uid),
        *_not_asked(prior, swept),
        *_left_over(prior, swept),
    ]
    return (*warnings, *_harmless_failures(ran))


def _why_kept(
    kept: Set[ServerName], seen: Mapping[ServerName, Sighting], ran: Ran
) -> RpoolError | None:
    """Why servers were not given back; None if all that could be reached were."""
    unwritable = {
        name: seen[name].probed.unwritable for name in kept if seen[name].probed.unwritable
    }
    if not unwritable:
        return ran.error if kept else None
    errors = [not_given_back(name, "is to leave", how) for name, how in unwritable.items()]
    others = [error for step, error in ran.failed if step.server in kept - unwritable.keys()]
    return together([*errors, *others])


def _what_is_left(prior: PoolView, left: Collection[ServerName]) -> PoolView:
    """The cluster with the servers in `left`. It has no version once too few control planes are
    left for an API: it can only be destroyed or replaced then, even if silent ones come back.
    """
    servers = {name: member for name, member in prior.servers.items() if name in left}
    control_planes = [name for name in prior.control_planes if name in left]
    ended = prior.ca_certificate and len(control_planes) < majority(len(prior.control_planes))
    version = "" if ended else prior.kubernetes_version
    condition = Condition.INCOMPLETE
    return replace(prior, servers=servers, condition=condition, kubernetes_version=version)


def _refuse_moved(prior: PoolView, fleet: Fleet) -> None:
    """Raises Refused where a server has another address in the fleet now: what answers there is
    another server, and the one meant would be forgotten.
    """
    servers = fleet.servers
    moved = [
        f"{name} ({member.address} when it joined, {servers[name].address} now)"
        for name, member in sorted(prior.servers.items())
        if name in servers and not servers[name].lost and servers[name].address != member.address
    ]
    if moved:
        raise Refused(
            f"cluster {prior.name} has servers whose address was changed in the fleet: "
            f"{', '.join(moved)}",
            f"Nothing was changed. {Do.OLD_ADDRESS.text()}",
        )


def leave(prior: PoolView, fleet: Fleet, world: World) -> tuple[ServerName, ...] | None:
    """The servers of a create that never ended, for the next one to go on with; None where it did,
    so that they are to be given back. Nothing is changed.
    """
    api, record = _api(prior, fleet, world)
    if record is not None:
        return tuple(sorted(record.members)) if record.settled is None else None
    return tuple(sorted(prior.servers)) if not prior.ca_certificate and api is None else None


def _api(prior: PoolView, fleet: Fleet, world: World) -> tuple[Api | None, Record | None]:
    try:
        api, _ = api_of(prior, fleet, world)
    except NoSuchPool:
        return None, None
    return api, api.cluster.record if api else None


def _of_ours(api: Api | None, prior: PoolView, seen: Mapping[ServerName, Sighting]) -> Api | None:
    """The API, or None where nothing may be done through it: the control plane that serves it was
    not reached, or still has the claim of the create that was taken over.
    """
    if api is None or api.through not in seen or api.through not in prior.servers:
        return None
    claim = seen[api.through].probed.claim
    return api if claim is None or claim.uid == prior.uid else None


def _with_unplanned(
    prior: PoolView, record: Record | None, fleet: Fleet, world: World
) -> tuple[PoolView, Swept]:
    """The cluster with servers that its state lacks, and the answers of other servers. The record
    names them. Where there is none, or its create has not ended, the claims on the fleet's servers
    do. Servers that were let go are asked as well: they may be back.
    """
    recorded = {
        n: member for n, member in (record.members if record else {}).items() if n in fleet.servers
    }
    known = {**recorded, **prior.servers}
    settled = record is not None and record.settled is not None
    others = record.former if record is not None and settled else fleet.servers.keys()
    swept = Swept.of(world, others & fleet.servers.keys() - known.keys())
    claimed = {n: Member.of(fleet.servers[n], c.role) for n, c in swept.claims(prior.uid).items()}
    return replace(prior, servers={**claimed, **known}), swept


def _refuse_pinned(prior: PoolView, pool: Observed, fleet: Fleet) -> None:
    """Raises Refused while an rpool_node has a server in the cluster. One that never got in, or
    that has begun to leave, is destroyed along with it.
    """
    record = pool.record
    if record is None:
        return
    members = Membership(record, pool, fleet)
    present = (Part.MEMBER, Part.UNCLAIMED, Part.SILENT)
    nodes = pool.nodes
    pinned = [
        name
        for name in sorted(record.pinned)
        if members.part(name) in present and not (name in nodes and nodes[name].let_go)
    ]
    if pinned:
        raise Refused(
            f"cluster {prior.name} still has {', '.join(pinned)}, put there by rpool_node",
            f"Nothing was changed. {Do.NODE_FIRST.text(uid=prior.uid, server=pinned[0])}",
        )


def _not_asked(prior: PoolView, swept: Swept) -> list[str]:
    if not swept.silent or not prior.ca_certificate:
        return []  # a cluster that never served has no servers but those in the state
    names = ", ".join(sorted(swept.silent))
    return [f"{names}: unreachable, and no API of {prior.name} tells whether any belongs to it."]


def _left_over(prior: PoolView, swept: Swept) -> list[str]:
    """Warnings of an earlier create for the same request, which this one took over only in part."""
    requests = {claim.request for claim in swept.claims(prior.uid).values()}

    def how(uid: PoolUid) -> str:
        """A joined control plane counts as alive unless it is marked lost."""
        if control_planes := swept.control_planes(uid):
            return Do.GIVE_DEAD_BACK.text(servers=", ".join(control_planes), uid=uid)
        return Do.GIVE_BACK.text(uid=uid)

    return [
        f"{', '.join(claims)}: claimed by an earlier create of cluster {name} (uid {uid}), which "
        f"its next create continues. {how(uid)}"
        for uid, name in sorted(swept.pools().items())
        for claims in [swept.claims(uid)]
        if uid != prior.uid and any(claim.request in requests for claim in claims.values())
    ]


def _let_go(marked: Collection[ServerName]) -> list[str]:
    if not marked:
        return []
    names = ", ".join(sorted(marked))
    text = f"{names}: marked lost and unreachable, so abandoned with its claim."
    return [f"{text} {Do.WIPE.text()}"]


def _abandoned(names: Collection[ServerName], uid: PoolUid) -> list[str]:
    return [
        f"{name} is unreachable, and was abandoned with its claim. It and its pods may still run. "
        + Do.RELEASE.text(server=name, uid=uid)
        for name in sorted(names)
    ]


def _without_entry(names: Collection[ServerName], uid: PoolUid) -> list[str]:
    return [
        f"{name} was abandoned earlier with its claim, and is no longer in the fleet. If it "
        f"comes back, put its entry back. {Do.RELEASE.text(server=name, uid=uid)}"
        for name in sorted(names)
    ]


def _harmless_failures(ran: Ran) -> list[str]:
    """Failures that did not matter in the end, as warnings: a drain that took too long, say."""
    return [error.summary for _, error in ran.failed]


def _out_of_reach(prior: PoolView, lost: Mapping[ServerName, RpoolError]) -> Unreachable:
    reasons = "\n".join(f"  {error.summary}" for error in lost.values())
    absent = [error for error in lost.values() if isinstance(error, NotInFleet)]
    silent = [name for name, error in lost.items() if error not in absent]
    advice = [Do.BRING_BACK.text(servers=", ".join(silent))] if silent else []
    advice += [error.detail for error in absent[:1]]
    return Unreachable(
        f"cluster {prior.name}: {len(lost)} of its servers cannot be reached",
        "\n".join([f"{reasons}\nThey stay in the state, and keep their claims.", *advice]),
    )

"""Other clusters of a site: none may have the name, the virtual IP or the addresses of a new one.

A create claims its control planes first, and a claim says which addresses the cluster has. Then it
looks at all servers, beside the preparation. So of two creates at once at least one sees the other;
where both do, the later one gives way, and the earlier one waits until it has.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType

from rpool.advice import Do
from rpool.attempt import Attempt
from rpool.errors import Refused, RpoolError
from rpool.flow.locate import Swept
from rpool.flow.look import ask_at_once, sweep
from rpool.model.claim import Claim
from rpool.model.pool import Endpoint, PoolSpec, PoolUid
from rpool.model.ranges import shared
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.world import World

PATIENCE_SECONDS = 3.0
LONGEST_SECONDS = 60.0
"""For the probes, and again for another create to give way."""

AGAIN_SECONDS = 1.0


class Taken(Refused):
    """Another cluster has the name or an address that was asked for."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another cluster, by a control plane's claim, and what is known of its request. `gives_way`:
    it is being destroyed, or it is the later one of two that are being made.
    """

    spec: PoolSpec
    claim: Claim
    control_planes: tuple[ServerName, ...]
    gives_way: bool

    def why(self, spec: PoolSpec) -> list[str]:
        """What it has that `spec` asks for."""
        names = ["it has the same name"] if self.claim.pool == spec.name else []
        return [*names, *(problem.summary for problem in shared(spec, self.spec))]

    def told(self, spec: PoolSpec) -> str:
        """Which cluster it is, and why."""
        claim = self.claim
        who = f"uid {claim.uid}, owner {claim.owner}, since {claim.since}"
        return f"Cluster {claim.pool} ({who}) is on {claim.server}: {'; '.join(self.why(spec))}."


class Neighbours:
    """What one operation finds of other clusters. A create has `ours`: since when, and its uid."""

    def __init__(
        self,
        ours: tuple[str, PoolUid] | None,
        spec: PoolSpec,
        fleet: Fleet,
        world: World,
        attempt: Attempt,
    ) -> None:
        self._ours = ours
        self._spec = spec
        self._fleet = fleet
        self._world = world
        self._attempt = attempt
        pool = ThreadPoolExecutor(1, thread_name_prefix="neighbours")
        self._looking: Future[Swept] = pool.submit(self._look, sorted(fleet.servers))
        pool.shutdown(wait=False)

    def refuse(
        self, known: Collection[PoolUid], will_be: Mapping[str, PoolSpec] = MappingProxyType({})
    ) -> None:
        """Raises Taken when another cluster has what this one asks for, and names it. `known`: uids
        that are no reason to stop. `will_be`: what clusters, by name, are changed to meanwhile; one
        that gives up what is asked for is waited for.
        """
        swept, end = self._looking.result(), time.monotonic() + LONGEST_SECONDS
        self._warn_of(sorted(swept.missed(self._fleet)))
        while conflicts := self._in_the_way(swept, known):
            wait = all(
                neighbour.gives_way or self._gives_up(neighbour, will_be) for neighbour in conflicts
            )
            is_hopeless = time.monotonic() > end or not wait
            if is_hopeless or self._attempt.stop.wait(AGAIN_SECONDS):
                raise _taken(self._spec, conflicts)
            swept = self._look(neighbour.claim.server for neighbour in conflicts)

    def told(self) -> list[str]:
        """What other clusters have of it now, a sentence a cluster."""
        return [
            neighbour.told(self._spec) for neighbour in self._in_the_way(self._looking.result(), ())
        ]

    def _gives_up(self, neighbour: Neighbour, will_be: Mapping[str, PoolSpec]) -> bool:
        changed = will_be.get(neighbour.claim.pool)
        return changed is not None and not replace(neighbour, spec=changed).why(self._spec)

    def _look(self, servers: Iterable[ServerName]) -> Swept:
        swept = Swept()
        for name, answer in sweep(self._world, servers, PATIENCE_SECONDS, LONGEST_SECONDS):
            swept.add(name, answer)
        return swept

    def _warn_of(self, missed: list[ServerName]) -> None:
        if missed:
            names = missed if len(missed) <= 8 else [*missed[:7], f"{len(missed) - 7} more"]
            self._attempt.warn(
                f"{', '.join(names)} could not be asked whether a cluster there has the name or "
                "the "
                f"addresses of cluster {self._spec.name}."
            )

    def _in_the_way(self, swept: Swept, known: Collection[PoolUid]) -> list[Neighbour]:
        control_planes: dict[PoolUid, dict[ServerName, Claim]] = {}
        for name, probed in sorted(swept.probed.items()):
            claim = probed.claim
            if claim is not None and claim.role is Role.CONTROL_PLANE and claim.uid not in known:
                control_planes.setdefault(claim.uid, {})[name] = claim
        neighbours, _ = ask_at_once(
            lambda uid: self._neighbour(swept, control_planes[uid]), control_planes
        )
        return [neighbour for neighbour in neighbours.values() if neighbour.why(self._spec)]

    def _neighbour(self, swept: Swept, claims: Mapping[ServerName, Claim]) -> Neighbour:
        joined = [name for name in claims if swept.probed[name].joined]
        claim = next(iter(claims.values()))
        begun = bool(joined) or any(c.is_member for c in claims.values())
        leaving = all(c.is_leaving for c in claims.values())
        is_later = self._ours is not None and (claim.since, claim.uid) > self._ours
        spec = self._recorded(claim.uid, joined) or _claimed(claim, self._spec)
        gives_way = leaving or (is_later and not begun)
        return Neighbour(spec, claim, tuple(claims), gives_way=gives_way)

    def _recorded(self, uid: PoolUid, joined: Iterable[ServerName]) -> PoolSpec | None:
        """What the cluster's record says: its ranges may have changed since the claims."""
        for name in joined:
            with suppress(RpoolError):
                record = self._world.observe(name).record
                if record is not None and record.uid == uid:
                    return record.spec
        return None


def _claimed(claim: Claim, like: PoolSpec) -> PoolSpec:
    """A request with what a claim says of it; the rest, as in `like`, does not count."""
    endpoint = Endpoint(vip=claim.vip or None)
    return replace(
        like,
        name=claim.pool,
        control_plane=replace(like.control_plane, endpoint=endpoint),
        metallb_pools={"default": claim.ranges} if claim.ranges else {},
    )


def _taken(spec: PoolSpec, neighbours: Sequence[Neighbour]) -> Taken:
    lines = [neighbour.told(spec) for neighbour in neighbours]
    first = neighbours[0]
    servers = ", ".join(first.control_planes)
    lines.append(Do.OTHER_ADDRESSES.text(servers=servers, uid=first.claim.uid))
    summary = f"cluster {spec.name} conflicts with another cluster of this site"
    return Taken(summary, "\n".join(lines))


def whose_vip(spec: PoolSpec, fleet: Fleet, world: World) -> str:
    """Which clusters have the virtual IP of a request, in sentences; "" where none is known to."""
    alone = replace(spec, name="", metallb_pools={})
    return " ".join(Neighbours(None, alone, fleet, world, Attempt(LONGEST_SECONDS)).told())


def refuse_new_ranges(
    uid: PoolUid,
    current: PoolSpec,
    wanted: PoolSpec,
    fleet: Fleet,
    world: World,
    attempt: Attempt,
    will_be: Mapping[str, PoolSpec],
) -> None:
    """Raises Taken when another cluster has some of MetalLB's addresses that a change adds."""
    before = set(chain.from_iterable(current.metallb_pools.values()))
    pools = {
        n: tuple(r for r in ranges if r not in before) for n, ranges in wanted.metallb_pools.items()
    }
    if any(pools.values()):
        nowhere = replace(wanted.control_plane, endpoint=Endpoint())
        new = replace(wanted, control_plane=nowhere, metallb_pools=pools)
        Neighbours(None, new, fleet, world, attempt).refuse({uid}, will_be)

"""Observing a cluster: its API, its record, and those servers that must be asked themselves."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from rpool.advice import Do
from rpool.attempt import NoApi
from rpool.decide.believed import believed
from rpool.decide.membership import Membership, to_ask
from rpool.decide.quorum import most_of
from rpool.errors import Refused
from rpool.flow.locate import Swept, api_of
from rpool.flow.look import Begun, Silent, begin_probes, end_probes
from rpool.model.claim import Claim
from rpool.model.desired import Desired
from rpool.model.observed import Api, Observed, Sighting
from rpool.model.pool import NodeSpec, PoolSpec
from rpool.model.record import Member, Record
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.view import PoolView
from rpool.model.world import World


class Fenced(Protocol):
    """The fenced probes of an operation: `rpool.flow.session.Held`."""

    def outrank(self, number: int) -> None: ...

    def look(self, servers: Iterable[ServerName]) -> tuple[dict[ServerName, Sighting], Silent]: ...


@dataclass
class Eye:
    """Observes one cluster; `prior` is its state."""

    prior: PoolView
    fleet: Fleet
    world: World
    # What it is to be, should it have no record.
    spec: PoolSpec | None = None
    # The only server that matters, if there is one.
    one: ServerName | None = None
    # The lock of the operation that observes, if one does.
    lock: Fenced | None = None
    # Servers that are asked besides those that have to be.
    also: frozenset[ServerName] = frozenset()

    def __post_init__(self) -> None:
        self._begun: Begun = {}
        # Probes of servers that were let go, once an operation has begun them.
        self._former_probes: Begun | None = None

    def look(self) -> Observed:
        """The cluster through its API, and its servers. Raises NoApi when none answers."""
        api, silent = api_of(self.prior, self.fleet, self.world)
        if api is None:
            raise no_api(self.prior, silent)
        return self.through(api)

    def through(self, api: Api, others: int = 0) -> Observed:
        """The cluster as it is observed through `api`. Besides the servers that have to be asked,
        at most `others` of its own are, chosen at random.
        """
        record = self._with_prior(api.cluster.record or self._rebuilt(api))
        if self.lock is not None:
            self.lock.outrank(record.session)
        unclear = self._unclear(record, api)
        rest = sorted(record.own.keys() - unclear)
        names = unclear.union(random.sample(rest, min(others, len(rest))))
        pool = self.ask(Observed(self.prior.uid, api, record), names)
        pool = self.ask(pool, self._returned())  # before `corrected`: it may be in again
        record = believed(record, self.prior.servers, self.fleet)
        return replace(pool, record=corrected(record, pool, self.fleet))

    def _with_prior(self, record: Record) -> Record:
        """The record, with the servers of the state where a create has not been settled.

        That record may be older than the state. A server that it lacks would otherwise be forgotten
        and stay claimed.
        """
        if record.settled is not None or self.prior.condition.is_whole:
            return record
        return replace(record, members={**self.prior.servers, **record.members})

    def _rebuilt(self, api: Api) -> Record:
        """A record for a cluster that shows none, from the claims on its servers and `spec`, which
        is desired. Its create was cut off, or somebody has deleted the record.

        A server that the state does not name counts as an rpool_node's. Raises Refused when a Node
        of the cluster has no claim that tells where it belongs.
        """
        prior, spec = self.prior, self.spec
        if spec is None:
            raise Refused(
                f"cluster {prior.name} has no record of its own (ConfigMap kube-system/rpool)",
                Do.APPLY_CLUSTER.text(),
            )
        blank = Record(prior.uid, "", 1, 0, None, spec, prior.servers)
        if not prior.ca_certificate:
            return blank  # its create never ended
        swept = Swept.of(self.world, self.fleet.servers)
        claims = swept.claims(prior.uid)
        if unknown := sorted(api.cluster.nodes.keys() - claims.keys() - prior.servers.keys()):
            silent = {name: error.summary for name, error in swept.silent.items()}
            reasons = "\n".join(f"  {silent.get(n, f'{n} is not claimed')}" for n in unknown)
            raise Refused(
                f"cluster {spec.name} has lost its record (ConfigMap kube-system/rpool), and "
                f"the owner of {', '.join(unknown)} is unknown",
                f"Nothing was changed.\n{reasons}\n"
                + Do.DELETE_NODE.text(servers=", ".join(unknown)),
            )
        others = claims.keys() - prior.servers.keys()
        return _with(replace(blank, settled=spec), claims, self.fleet, pinned=others)

    def _unclear(self, record: Record, api: Api) -> set[ServerName]:
        if self.one is not None:
            return {*record.of(Role.CONTROL_PLANE), self.one}
        names = to_ask(record, api.cluster.nodes, self.fleet)
        names |= (record.own.keys() - self.prior.servers.keys()) & self.fleet.servers.keys()
        names |= self._former(record)
        condition = self.prior.condition  # a read has found something, or nothing
        return names | self.also | set(() if condition.is_whole else record.own)

    def _former(self, record: Record) -> frozenset[ServerName]:
        """Servers that were let go, for a read: it waits for no silent one. An operation waits for
        each that it asks, so it only begins, once, to probe which of them are back.
        """
        names = record.former & self.fleet.servers.keys()
        if self.lock is None:
            return names
        if self._former_probes is None:
            self._former_probes = begin_probes(self.world, names)
        return frozenset()

    def _returned(self) -> frozenset[ServerName]:
        """`also`, with the servers that were let go and answer, whatever is on them."""
        if self._former_probes:
            seen, _ = end_probes(self._former_probes, self._former_probes)
            self.also |= seen.keys()
            self._former_probes = {}
        return self.also

    def closer(self, pool: Observed, desired: Desired) -> Observed:
        """`pool`, with the servers that join or leave observed, too."""
        record = self.members(pool).record
        differ = desired.roles.keys() ^ record.members.keys()
        if self.one is not None:
            return self.ask(pool, differ & {self.one})
        return self.ask(pool, differ - record.pinned.keys())

    def begin(self, names: Iterable[ServerName]) -> None:
        """Begins to ask servers that will have to be asked: a dead one takes its time."""
        self._begun |= begin_probes(self.world, names)

    def ask(self, pool: Observed, names: Iterable[ServerName]) -> Observed:
        """`pool`, with `names` observed, too. A server that was asked before is not asked again. An
        operation waits for each; a read does not wait long for one with a Node that is not Ready.
        """
        new = sorted(name for name in names if not pool.was_asked(name))
        if self.lock is not None:
            return pool.with_servers(*self.lock.look(new))
        self.begin(name for name in new if name not in self._begun)
        dead = [n for n in self._begun if not ((node := pool.nodes.get(n)) and node.ready)]
        begun, self._begun = self._begun, {}
        return pool.with_servers(*end_probes(begun, dead if pool.api else ()))

    def members(self, pool: Observed) -> Membership:
        assert pool.record is not None  # noqa: S101 an observed cluster has one
        return Membership(pool.record, pool, self.fleet)


def no_api(prior: PoolView, silent: Silent) -> NoApi:
    reasons = "".join(f"\n  {name}: {error.summary}" for name, error in sorted(silent.items()))
    return NoApi(
        prior,
        f"no control plane of cluster {prior.name} shows its API",
        f"Asked: {', '.join(prior.control_planes)}. Nothing was changed.{reasons}\n"
        + Do.BRING_API_BACK.text(**most_of(prior.control_planes)),
    )


def corrected(record: Record, pool: Observed, fleet: Fleet) -> Record:
    """The record with the members of later changes. A claim of a later change than the record's
    means that an older record was restored (from a backup of etcd, say). Reserved servers among
    these members count as an rpool_node's.
    """
    later = {
        name: claim
        for name, claim in pool.claims.items()
        if claim.epoch > record.generation and name not in record.members
    }
    pinned = {name for name in later if fleet.servers[name].reserved}
    return _with(record, later, fleet, pinned) if later else record


def _with(
    record: Record, claims: Mapping[ServerName, Claim], fleet: Fleet, pinned: Iterable[ServerName]
) -> Record:
    """The record with the claimed servers as members. Those in `pinned` count as an rpool_node's:
    its next apply gives their labels and taints.
    """
    claimed = {n: Member.of(fleet.servers[n], claim.role) for n, claim in claims.items()}
    return replace(
        record,
        generation=max([record.generation, *(claim.epoch for claim in claims.values())]),
        wanted=record.wanted or record.settled,
        members={**claimed, **record.members},
        pinned={**dict.fromkeys(sorted(pinned), NodeSpec()), **record.pinned},
    )

"""The few verbs that the provider and the command line call.

A `Site` is one provider configuration. Checking is pure and quick; the other verbs connect to
servers, so the modules that do that are imported only when they are called.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rpool.api_nodes import NodeVerbs
from rpool.attempt import (
    Advice,
    Attempt,
    Found,
    PoolIncomplete,
)
from rpool.config import NodeRequest, parse_identity, parse_node, parse_pool, parse_site
from rpool.decide import rules
from rpool.decide.health import NO_REPAIRS, Repairs
from rpool.decide.target import Current, Offer, Size, Target, target
from rpool.errors import Path, RpoolError
from rpool.flow.in_use import InUse
from rpool.model.access import Credential, Entrance, Identity
from rpool.model.pool import PoolSpec, PoolUid
from rpool.model.server import Roles, ServerName
from rpool.model.site import SiteConfig
from rpool.model.view import PoolView
from rpool.worlds import world_of

if TYPE_CHECKING:
    from rpool.flow.chronicle import Chronicle
    from rpool.flow.locate import Pool
    from rpool.flow.offers import Offers
    from rpool.flow.survey import Survey
    from rpool.model.claim import Claim
    from rpool.model.failure import Failure
    from rpool.model.seen import Requested
    from rpool.model.world import World

__all__ = [
    "NO_REPAIRS",
    "Advice",
    "Attempt",
    "Current",
    "Found",
    "NodeRequest",
    "Offer",
    "PoolIncomplete",
    "Repairs",
    "Site",
    "Size",
    "Target",
    "parse_identity",
    "parse_node",
    "parse_pool",
    "parse_site",
]


class Site(NodeVerbs):
    """The servers of one provider configuration and what can be done with them.

    Safe to use from several threads. `connect` makes the world and `new_uid` draws the uid of a new
    cluster; a caller can pass its own.
    """

    def __init__(
        self,
        config: SiteConfig,
        connect: Callable[[SiteConfig], World] | None = None,
        new_uid: Callable[[], PoolUid] = lambda: secrets.token_hex(8),
    ) -> None:
        self.config = config
        self._new_uid = new_uid
        self._connect = connect or world_of
        self._world: World | None = None
        self._known_offers: Offers | None = None
        self._unfinished: dict[str, PoolView] = {}
        self._silent: set[PoolUid] = set()
        self._in_use = InUse()
        self._lock = threading.Lock()

    def check_pool(self, spec: PoolSpec, unknown: Collection[Path] = ()) -> None:
        """Raise SpecError with every contradiction in a request, and between it and the fleet, as
        far as the values are known.
        """
        rules.check(spec, self.config.fleet, unknown)

    def advise(self, spec: PoolSpec, quiet_seconds: float = 0.0) -> Advice:
        """The servers that a create would try first, without those that other clusters of this
        process are about to take. Raises DoesNotFit.
        """
        from rpool.flow.choose import foresee

        site = (self.config.fleet, self.world(), self._in_use, quiet_seconds)
        return foresee(spec, *site)

    def plan_pool(self, wanted: PoolSpec, current: Current, offer: Offer) -> Target:
        """The servers that stay, join and leave when the pool becomes `wanted`, a checked request.
        Those that join are reserved: no create of this process takes them. `offer` has what a read
        observed of spares. Raises DoesNotFit.
        """
        planned = target(wanted, current, self.config.fleet, offer)
        contested = self._in_use.insist(wanted.name, planned.joining)
        self._in_use.will_be[wanted.name] = wanted
        self._in_use.own[current.uid] = planned.roles.keys()
        return replace(planned, contested=contested)

    def create_pool(self, spec: PoolSpec, attempt: Attempt) -> PoolView:
        """Make the pool. Raises SpecError, Refused and the like before anything was changed, and
        PoolIncomplete, with the servers that are now claimed, after that. These include the servers
        of an unfinished create (see `leave_pool`), until this one has taken them over.
        """
        from rpool.flow.create import create

        self.check_pool(spec)
        with self._lock:
            unfinished = self._unfinished.pop(spec.name, None)
        uid, fleet = self._new_uid(), self.config.fleet
        by, in_use = self.by(attempt), self._in_use
        try:
            return in_use.see(create(uid, spec, fleet, self.world(), by, in_use, unfinished))
        except RpoolError as error:
            has_state = isinstance(error, PoolIncomplete) and error.view is not None
            if unfinished is None or has_state:
                raise
            raise PoolIncomplete(error, unfinished) from error
        finally:
            in_use.release(spec.name)

    def change_pool(
        self,
        prior: PoolView,
        wanted: PoolSpec,
        roles: Roles,
        attempt: Attempt,
        repairs: Repairs = NO_REPAIRS,
        recover_from: ServerName | None = None,
        groups: Mapping[ServerName, str] = MappingProxyType({}),
    ) -> PoolView:
        """Make the pool `wanted`, on exactly the servers in `roles`, with the planned `repairs`.
        Where `recover_from` is set and needed, etcd is made anew from that server's data. Raises
        RpoolErrors before anything was changed, and PoolIncomplete, with what there is then, after.
        """
        from rpool.flow.change import change

        try:
            with self._in_use.alone(prior.uid, attempt):
                fleet, by, known = self.config.fleet, self.by(attempt), self._in_use.will_be
                context = (fleet, self.world(), by, known, repairs, recover_from, groups)
                return self._in_use.see(change(prior, wanted, roles, *context))
        finally:
            self._in_use.release(wanted.name)

    def read_pool(
        self, prior: PoolView, known_taken: Mapping[ServerName, str] = MappingProxyType({})
    ) -> Found:
        """Observe the pool again, and look for spares. A pool that is out of reach is no error: the
        prior view comes back, with a warning. `known_taken`: servers known to be taken, and why.
        """
        from rpool.flow.read import read

        found = read(prior, self.config.fleet, self.world(), self._offers(), known_taken)
        if found.view is not None:
            self._in_use.see(found.view)
        with self._lock:
            (self._silent.add if found.nobody else self._silent.discard)(prior.uid)
        return found

    def is_out_of_reach(self, uid: PoolUid) -> bool:
        """Whether no server of that cluster answered its read, and no other server has answered."""
        with self._lock:
            if uid not in self._silent:
                return False
        return self._offers().nobody_answers()

    def destroy_pool(
        self, prior: PoolView, attempt: Attempt, *, abandon: bool = False
    ) -> tuple[str, ...]:
        """Give all servers back, clean; returns warnings. With `abandon`, servers that are out of
        reach are forgotten. Raises PoolIncomplete with the servers that remain.
        """
        from rpool.flow.destroy import destroy

        with self._in_use.alone(prior.uid, attempt):
            context = (self.config.fleet, self.world(), self.by(attempt))
            warnings = destroy(prior, *context, abandon=abandon)
            self._in_use.forget(prior.uid)
            return warnings

    def release(self, server: ServerName, uid: PoolUid, attempt: Attempt) -> Claim:
        """Wipe one server that its cluster counts on no more; returns the claim that it had."""
        from rpool.flow.release import release

        return release(server, uid, self.config.fleet, self.world(), self.by(attempt))

    def lift(self, server: ServerName) -> tuple[Failure, ...]:
        """Forget a server's failures, so that clusters take it again; returns these failures."""
        from rpool.flow.release import lift

        return lift(server, self.config.fleet, self.world())

    def leave_pool(self, prior: PoolView) -> tuple[ServerName, ...] | None:
        """The servers of an unfinished create; the next create of that name goes on with them. None
        where they are to be given back. Changes nothing.
        """
        from rpool.flow.destroy import leave

        servers = leave(prior, self.config.fleet, self.world())
        if servers is not None:
            with self._lock:
                self._unfinished[prior.name] = prior
        return servers

    def find_pool(self, uid_or_name: str, known_ca: str = "") -> Pool:
        """The pool with that uid, or else with that name, from a search of the whole fleet.
        `known_ca`: the pin of its CA, where that is known. Raises SpecError, Unreachable, Refused.
        """
        from rpool.flow.locate import find

        return find(self.world(), self.config.fleet, uid_or_name, known_ca=known_ca)

    def identity(self, config: Mapping[str, Any]) -> Identity:
        """The identity to ask a cluster for, by `user`, `groups` and `ttl`. Raises SpecError."""
        from rpool.flow.session import default_owner

        identity = parse_identity(config, (), self.config.owner or default_owner())
        assert identity is not None  # noqa: S101 nothing in it is unknown
        return identity

    def entrance(self, uid_or_name: str) -> Entrance:
        """The address and the CA of that cluster's API. Raises as find_pool does, and within 10 s
        when nothing answers.
        """
        from rpool.flow.access import entrance

        known = self._in_use.view(uid_or_name)
        return entrance(uid_or_name, known, self.config.fleet, self.world())

    def credential(self, entrance: Entrance, identity: Identity) -> Credential:
        """A client certificate of that cluster, and its key. Raises Unreachable, CommandFailed."""
        from rpool.flow.access import credential

        return credential(entrance, identity, self.world())

    def survey(self) -> Survey:
        """Every server of the fleet as it is now, and every cluster with a claim on one. A server
        that is out of reach is data, not an error.
        """
        from rpool.flow.survey import survey

        return survey(self.world(), self.config.fleet)

    def journal(self, servers: Collection[ServerName], most_lines: int) -> Chronicle:
        """The last lines of the journal that these control planes of one cluster keep."""
        from rpool.flow.chronicle import chronicle

        return chronicle(self.world(), servers, most_lines)

    def requested(self, through: ServerName) -> Mapping[ServerName, Requested]:
        """What pods request of each node of a cluster, through one of its control planes."""
        return self.world().requested(through)

    def by(self, attempt: Attempt) -> Attempt:
        from rpool.flow.session import default_owner, default_run

        owner = attempt.owner or self.config.owner or default_owner()
        return replace(attempt, owner=owner, run=attempt.run or default_run())

    def world(self) -> World:
        with self._lock:
            if self._world is None:
                self._world = self._connect(self.config)
            return self._world

    def _offers(self) -> Offers:
        from rpool.flow.offers import Offers

        world = self.world()
        with self._lock:
            if self._known_offers is None:
                self._known_offers = Offers(self.config.fleet, world)
            return self._known_offers

    def close(self) -> None:
        with self._lock:
            if self._world is not None:
                self._world.close()
                self._world = None

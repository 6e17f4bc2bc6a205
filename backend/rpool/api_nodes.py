"""The verbs of `rpool.api.Site` about one server in a cluster: an `rpool_node`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from rpool.advice import Do
from rpool.attempt import Attempt, NoApi, NodeFound, NoSuchPool, not_in_fleet
from rpool.certificates import ca_pin, is_of_ca
from rpool.config import NodeRequest
from rpool.errors import Problem, Refused, SpecError, Unreachable
from rpool.flow.in_use import InUse
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName
from rpool.model.site import SiteConfig
from rpool.model.view import PoolView

if TYPE_CHECKING:
    from rpool.flow.locate import Pool
    from rpool.model.world import World


class NodeVerbs(ABC):
    """The verbs of a Site that are about an rpool_node; the Site has the rest."""

    config: SiteConfig
    _in_use: InUse

    @abstractmethod
    def world(self) -> World: ...

    @abstractmethod
    def find_pool(self, uid_or_name: str, known_ca: str = "") -> Pool: ...

    @abstractmethod
    def by(self, attempt: Attempt) -> Attempt:
        """The attempt, with the owner and the run that make it filled in."""

    def refuse_own(self, uid: PoolUid, server: ServerName) -> None:
        """Raise SpecError when a plan of this process counts the server among the pool's own: an
        rpool_node must not have it, too.
        """
        if server in self._in_use.own.get(uid, ()):
            summary = f"{server} is one of the own servers of cluster {uid}"
            raise SpecError([Problem(("server",), summary, Do.RETIRE_THEN_RESERVE.text())])

    def pin_node(self, request: NodeRequest, attempt: Attempt, *, is_new: bool = False) -> str:
        """Put a server into a pool, or change its labels and taints there. With `is_new` it must
        not be in the pool yet. Returns the pin of the pool's CA. Raises as change_pool does.
        """
        from rpool.flow.node import pin

        pool = self._pool(request.pool, request.ca_pin)
        with self._in_use.alone(pool.uid, attempt):
            fleet, world, by = self.config.fleet, self.world(), self.by(attempt)
            pin(pool, request.server, request.spec, fleet, world, by, is_new=is_new)
        return ca_pin(pool.ca_certificate)

    def unpin_node(
        self, uid: PoolUid, server: ServerName, attempt: Attempt, known_ca: str = ""
    ) -> None:
        """Take one server out of a pool again. A pool that is gone has given it back already.
        Raises as change_pool does.
        """
        from rpool.flow.node import unpin

        try:
            pool = self._pool(uid, known_ca)
        except NoSuchPool as missing:
            self._refuse_unknown(uid, server)
            if missing.certain:
                return
            raise
        except NoApi as silent:
            pool = silent.view
        with self._in_use.alone(pool.uid, attempt):
            unpin(pool, server, self.config.fleet, self.world(), self.by(attempt))

    def read_node(self, uid: PoolUid, server: ServerName, known_ca: str = "") -> NodeFound:
        """One server of a pool as it is now. Being out of reach is data, not an error."""
        from rpool.flow.read import read_node

        try:
            pool = self._pool(uid, known_ca)
        except NoSuchPool as missing:
            self._refuse_unknown(uid, server)
            return NodeFound(None, unreachable=not missing.certain)
        except Unreachable:
            return NodeFound(None, unreachable=True)
        return read_node(pool, server, self.config.fleet, self.world())

    def _refuse_unknown(self, uid: PoolUid, server: ServerName) -> None:
        """Raise Refused when the fleet lacks the server, so that nothing can have asked it."""
        if server not in self.config.fleet.servers:
            raise not_in_fleet(f"cluster {uid}", [server])

    def _pool(self, uid: PoolUid, known_ca: str) -> PoolView:
        """The cluster as this process knows it, or else from a search of the whole fleet."""
        view = self._in_use.view(uid)
        if view is None or not view.ca_certificate:
            return self.find_pool(uid, known_ca).view
        if not is_of_ca(view.ca_certificate, known_ca):
            raise Refused(
                f"cluster {view.name} ({uid}) has another CA than cluster_ca_pin says",
                f"It is {ca_pin(view.ca_certificate)}. Compare with ca_pin of its rpool_cluster.",
            )
        return view

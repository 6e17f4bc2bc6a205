"""What can be seen of the world of a schedule, and what keeps an operator from it (see fate.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from fault.history import History
from fault.late import Late
from fault.operators import Operator
from rpool.errors import CommandFailed, Unreachable
from rpool.model.claim import Fence
from rpool.model.event import Event
from rpool.model.inspection import Inspected, Trial
from rpool.model.secret import Secret
from rpool.model.seen import ClusterSeen, EtcdMember, PackagesSeen, Probed, Requested, Working
from rpool.model.server import ServerName
from rpool.simulate.world import SimulatedWorld


class Looks:
    """The looks of `rpool.model.world.World`, as the operator at work has them."""

    world: SimulatedWorld
    at_work: Operator
    claims: History
    clocks: Counter[ServerName]
    history: list[str]
    late: Late

    def _contact(self, server: ServerName) -> None:
        if self.at_work.dead or server in self.at_work.cut:
            raise Unreachable(f"no contact with {server}")

    def _api(self, server: ServerName) -> None:
        self._contact(server)
        if self.at_work.no_api:
            raise CommandFailed(f"{server}: the connection to the server timed out")

    def probe(self, server: ServerName, fence: Fence | None = None) -> Probed:
        self._contact(server)
        if fence is not None:
            self.history.append(f"    fence of session {fence.session} [{server}]")
            self.late.end_on(server)
        probed = self.world.probe(server, fence)
        self.claims.looked(server, probed.claim)
        return replace(probed, clock_seconds=probed.clock_seconds + self.clocks[server])

    def address_answers(self, server: ServerName, address: str) -> bool:
        self._contact(server)
        return self.world.address_answers(server, address)

    def working(self, server: ServerName) -> Working | None:
        self._contact(server)
        return self.world.working(server)

    def reaches_api(self, server: ServerName) -> bool:
        self._contact(server)
        return self.world.reaches_api(server)

    def kubernetes_packages(self, server: ServerName, minor: str) -> PackagesSeen:
        self._contact(server)
        return self.world.kubernetes_packages(server, minor)

    def inspect(self, server: ServerName, trial: Trial) -> Inspected:
        self._contact(server)
        return self.world.inspect(server, trial)

    def observe(self, server: ServerName) -> ClusterSeen:
        self._api(server)
        if self.at_work.refused:
            self.at_work.refused -= 1
            raise CommandFailed(f"{server}: the connection to the server was refused")
        return self.world.observe(server)

    def encryption(self, server: ServerName) -> Secret:
        self._contact(server)
        return self.world.encryption(server)

    def etcd_members(self, server: ServerName) -> tuple[EtcdMember, ...]:
        self._contact(server)
        return self.world.etcd_members(server)

    def requested(self, server: ServerName) -> Mapping[ServerName, Requested]:
        self._api(server)
        return self.world.requested(server)

    def journal(self, server: ServerName, most_lines: int) -> tuple[Event, ...]:
        self._contact(server)
        return self.world.journal(server, most_lines)

    def sign(self, server: ServerName, request: str, seconds: int) -> str:
        self._api(server)
        return self.world.sign(server, request, seconds)

"""What only the command line looks at: no operation of a schedule does."""

from __future__ import annotations

from collections.abc import Mapping

from rpool.model.event import Event
from rpool.model.seen import Requested
from rpool.model.server import ServerName
from rpool.simulate.world import SimulatedWorld


class Shown:
    world: SimulatedWorld

    def requested(self, via: ServerName) -> Mapping[ServerName, Requested]:
        return self.world.requested(via)

    def journal(self, server: ServerName, most_lines: int) -> tuple[Event, ...]:
        return self.world.journal(server, most_lines)

"""Servers that a choice passes over though it could take them."""

from __future__ import annotations

from rpool.model.seen import Probed
from rpool.model.server import Roles, ServerName

MOST_DOUBTFUL = 32  # if there are more, the servers are not the cause


class Doubts:
    """Servers at which something has failed: passed over as long as there are enough others."""

    def __init__(self) -> None:
        self.whom: dict[ServerName, str] = {}
        self._over = False

    def hear(self, probed: Probed) -> None:
        """Note what a probe showed of a server that can be taken."""
        if probed.failures and not self._over:
            self.whom[probed.server] = str(probed.failures[-1])

    def hold(self, roles: Roles) -> bool:
        """Whether to look for others than these; never once too many are passed over."""
        if len(self.whom) > MOST_DOUBTFUL:
            return self.end()
        return bool(self.whom.keys() & roles.keys())

    def end(self) -> bool:
        """Pass over no server any more; returns whether any was."""
        self._over, passed_over = True, self.whom
        self.whom = {}
        return bool(passed_over)

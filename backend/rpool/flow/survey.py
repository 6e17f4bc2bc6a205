"""Every server of the fleet as it is now: whose it is, and whether it can be had."""

from __future__ import annotations

from dataclasses import dataclass

from rpool.decide.preflight import why_not_usable
from rpool.errors import RpoolError
from rpool.flow.sweep import sweep
from rpool.model.seen import Probed
from rpool.model.server import Fleet, ServerName
from rpool.model.world import World

PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Surveyed:
    """`probed` is None without contact; `why_no_spare` is None for a spare."""

    probed: Probed | None
    why_no_spare: str | None


def survey(world: World, fleet: Fleet) -> dict[ServerName, Surveyed]:
    """All servers; one that is out of reach, or silent for 3 s, is data and not an error."""
    found: dict[ServerName, Surveyed] = {}
    for name, answer in sweep(world, sorted(fleet.servers), PATIENCE_SECONDS):
        if isinstance(answer, RpoolError):
            found[name] = Surveyed(None, answer.summary)
        else:
            why = why_not_usable(fleet.servers[name], answer)
            found[name] = Surveyed(answer, why)
    return found

"""Data source `rpool_fleet`: every server of the site as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources.fleet_data_schema import FLEET_DATA
from rpool_provider.resources.resource import Values
from rpool_provider.schema import Schema

if TYPE_CHECKING:
    from rpool.api import Site
    from rpool.flow.survey import Surveyed
    from rpool.model.server import Server


class FleetData:
    name = "rpool_fleet"
    schema: Schema = FLEET_DATA

    def validate(self, config: Values) -> list[Diagnostic]:
        return []

    def read(self, config: Values, site: Site) -> Values:
        fleet, survey = site.config.fleet.servers, site.survey()
        return {
            "servers": {n: _server(s, survey.servers[n]) for n, s in sorted(fleet.items())},
            "free_cores": sum(server.cores for server in survey.free),
            "free_memory": sum(server.memory_gib for server in survey.free),
        }


def _server(server: Server, surveyed: Surveyed) -> dict[str, Any]:
    claim = surveyed.probed.claim if surveyed.probed else None
    return {
        "address": server.address,
        "zone": server.zone,
        "cores": server.cores,
        "memory": server.memory_gib,
        "labels": dict(server.labels),
        "reserved": server.reserved,
        "retire": server.retire,
        "lost": server.lost,
        "trust": server.trust or None,
        "reachable": surveyed.probed is not None,
        "pool": claim.pool if claim else None,
        "pool_id": claim.uid if claim else None,
        "role": claim.role.value if claim else None,
        "phase": claim.phase.value if claim else None,
        "let_go": surveyed.let_go,
        "spare": surveyed.why_no_spare is None,
        "failures": [str(failure) for failure in surveyed.probed.failures]
        if surveyed.probed
        else [],
        "why": surveyed.why_no_spare,
    }

"""The provider as Terraform knows it: one provider block, its resources, and whether to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rpool.errors import RpoolError, SpecError
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.cluster_data import ClusterData
from rpool_provider.resources.data_source import DataSource
from rpool_provider.resources.fleet_data import FleetData
from rpool_provider.resources.node import Node
from rpool_provider.resources.resource import Resource
from rpool_provider.schema import Schema
from rpool_provider.site_schema import SITE
from rpool_provider.wire.unknown import split

if TYPE_CHECKING:
    from rpool.api import Site
    from rpool.model.site import SiteConfig


def open_site(config: SiteConfig) -> Site:
    from rpool.api import Site

    return Site(config)


class Provider:
    """`stop` is set when the user asks us to stop. `open_site` makes the engine's site; tests pass
    another one in.
    """

    schema: Schema = SITE

    def __init__(self, open_site: Callable[[SiteConfig], Site] = open_site) -> None:
        self.stop = threading.Event()
        self.resources: dict[str, Resource] = {r.name: r for r in (Cluster(), Node())}
        self.data_sources: dict[str, DataSource] = {d.name: d for d in (ClusterData(), FleetData())}
        self._open_site = open_site
        self._site: Site | None = None

    @property
    def site(self) -> Site | None:
        """None while the provider's configuration is not known: it may come from a resource."""
        return self._site

    def configured_site(self) -> Site:
        if self._site is None:
            raise RpoolError(
                "the provider's configuration is not known yet",
                'Part of provider "rpool" comes from something that is not applied yet. '
                "Apply that first (terraform apply -target=...), then this. A data source with "
                "depends_on on it is read after it, in the same apply.",
            )
        return self._site

    def validate(self, config: dict[str, Any]) -> list[Diagnostic]:
        try:
            _read(config)
        except SpecError as error:
            return diagnostic.of_error(error)
        return []

    def configure(self, config: dict[str, Any]) -> None:
        """Raises SpecError."""
        site_config = _read(config)
        self._site = self._open_site(site_config) if site_config is not None else None

    def close(self) -> None:
        if self._site is not None:
            self._site.close()


def _read(config: dict[str, Any]) -> SiteConfig | None:
    from rpool.api import parse_site

    return parse_site(*split(config))

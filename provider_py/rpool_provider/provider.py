"""The provider as Terraform knows it: one provider block, its resources, and whether to stop.

Terraform starts a process for the schemas, one to validate and one to plan. So the schemas are
loaded at once, and the code of resources when one is first asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rpool.errors import RpoolError, SpecError
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources.cluster_data_schema import CLUSTER_DATA
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.fleet_data_schema import FLEET_DATA
from rpool_provider.resources.kubeconfig_schema import KUBECONFIG
from rpool_provider.resources.node_schema import NODE
from rpool_provider.schema import Schema
from rpool_provider.site_schema import FLEET, SITE
from rpool_provider.wire.dynamic import converted
from rpool_provider.wire.unknown import split

if TYPE_CHECKING:
    from rpool.api import Site
    from rpool.model.site import SiteConfig
    from rpool_provider.resources.data_source import DataSource
    from rpool_provider.resources.ephemeral import EphemeralResource
    from rpool_provider.resources.resource import Resource


_SIMULATED = diagnostic.warning(
    "SIMULATED: the servers of this provider are modelled",
    "simulate is set, and so nothing real is touched. The state of the servers is in "
    ".rpool-simulated.json.",
)


def open_site(config: SiteConfig) -> Site:
    from rpool.api import Site

    return Site(config)


class Provider:
    """`stop` is set when the user asks us to stop. `open_site` makes the engine's site; tests pass
    another one in.

    A process serves one plan or one apply, except that `terraform test` shares it among all runs of
    a file, from 1.13 on: then it `serves_many`. The one sign of that is a process configured with a
    configuration that it did not validate before.
    """

    schema: Schema = SITE
    resource_schemas: Mapping[str, Schema] = {"rpool_cluster": CLUSTER, "rpool_node": NODE}
    data_source_schemas: Mapping[str, Schema] = {
        "rpool_cluster": CLUSTER_DATA,
        "rpool_fleet": FLEET_DATA,
    }

    ephemeral_schemas: Mapping[str, Schema] = {"rpool_kubeconfig": KUBECONFIG}

    def __init__(self, open_site: Callable[[SiteConfig], Site] = open_site) -> None:
        self.stop = threading.Event()
        self._loading = threading.Lock()
        self._resources: dict[str, Resource] = {}
        self._data_sources: dict[str, DataSource] = {}
        self._last_read: tuple[dict[str, Any], SiteConfig | None] | None = None
        self._validated: dict[str, Any] | None = None
        self._open_site = open_site
        self._site: Site | None = None
        self._sites: list[Site] = []
        self._has_applied = False
        self.serves_many = False

    @property
    def resources(self) -> Mapping[str, Resource]:
        """The resources by name, always the same ones: they remember what was planned here."""
        from rpool_provider.resources.cluster import Cluster
        from rpool_provider.resources.node import Node

        with self._loading:
            if not self._resources:
                made = Cluster(lambda: self.serves_many), Node(lambda: self.serves_many)
                self._resources |= {resource.name: resource for resource in made}
            return self._resources

    @property
    def data_sources(self) -> Mapping[str, DataSource]:
        from rpool_provider.resources.cluster_data import ClusterData
        from rpool_provider.resources.fleet_data import FleetData

        with self._loading:
            if not self._data_sources:
                self._data_sources |= {s.name: s for s in (ClusterData(), FleetData())}
            return self._data_sources

    @property
    def ephemeral_resources(self) -> Mapping[str, EphemeralResource]:
        from rpool_provider.resources.kubeconfig import Kubeconfig

        return {Kubeconfig.name: Kubeconfig()}

    @property
    def site(self) -> Site | None:
        """The site; None while the provider's configuration is unknown, as from a resource."""
        return self._site

    def configured_site(self) -> Site:
        if self._site is None:
            raise RpoolError(
                "the provider's configuration is not known yet",
                'Part of provider "rpool" comes from a resource that is not applied yet. Apply '
                "that first (terraform apply -target=...), then the rest. A data source that "
                "depends_on it is read after it, in the same apply.",
            )
        return self._site

    def begins(self, *, applying: bool) -> None:
        """Notes what the next calls are part of. A plan after an apply opens the site again, so
        that it sees the site as it is after that apply.
        """
        if not self.serves_many:
            return
        with self._loading:
            has_applied, self._has_applied = self._has_applied, applying
            config = self._last_read[1] if self._last_read else None
        if has_applied and not applying and config is not None:
            self._open(config)

    def validate(self, config: dict[str, Any]) -> list[Diagnostic]:
        self._validated = config
        try:
            self._read(config)
        except SpecError as error:
            return diagnostic.of_error(error)
        return []

    def configure(self, config: dict[str, Any]) -> list[Diagnostic]:
        """Opens the configured site. A simulated one gives a warning in every command: else "No
        changes" would be read as "the cluster is there". Raises SpecError.
        """
        site_config = self._read(config)
        self.serves_many = self._validated != config
        self._site = None
        if site_config is not None:
            self._open(site_config)
        return [_SIMULATED] if site_config is not None and site_config.simulated else []

    def _open(self, config: SiteConfig) -> None:
        """Opens a site. Earlier sites stay open, since other calls may be using them."""
        self._site = self._open_site(config)
        self._sites.append(self._site)

    def close(self) -> None:
        for site in self._sites:
            site.close()

    def _read(self, config: dict[str, Any]) -> SiteConfig | None:
        """The site of a configuration; None while it is not known. The last one is remembered:
        Terraform validates a configuration right before it configures with it. Raises SpecError.
        """
        from rpool.config import parse_site

        with self._loading:
            if self._last_read is None or self._last_read[0] != config:
                typed = config | {"fleet": converted(FLEET, config["fleet"])}
                self._last_read = (config, parse_site(*split(typed)))
            return self._last_read[1]

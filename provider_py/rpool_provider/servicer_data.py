"""The calls about data sources and ephemeral resources: what is looked at, and nothing is kept of.

See `rpool_provider.servicer`, which has the others.
"""

from __future__ import annotations

from typing import Any

from rpool.errors import Bug
from rpool_provider import unconfigurable
from rpool_provider.provider import Provider
from rpool_provider.resources.data_source import DataSource
from rpool_provider.resources.ephemeral import EphemeralResource
from rpool_provider.resources.resource import Resource
from rpool_provider.wire import diagnostics, values
from rpool_provider.wire.gen import tfplugin6_pb2 as pb


def validate(
    what: Provider | Resource | DataSource | EphemeralResource, request: Any, response: Any
) -> None:
    """Everything that is wrong with a configuration by itself, by its schema and by its rules."""
    root = what.schema.root
    config = values.decode(root, request.config.msgpack)
    found = unconfigurable.errors(root, config) + what.validate(config)
    response.diagnostics.extend(diagnostics.encode(found, root))


class DataCalls:
    """Of a servicer."""

    _provider: Provider

    def _data_source(self, name: str) -> DataSource:
        if name not in self._provider.data_sources:
            raise Bug(f"Terraform asked for data source {name}, which this provider does not have")
        return self._provider.data_sources[name]

    def _ephemeral_resource(self, name: str) -> EphemeralResource:
        if name not in self._provider.ephemeral_resources:
            raise Bug(f"Terraform asked for ephemeral {name}, which this provider does not have")
        return self._provider.ephemeral_resources[name]

    # Data sources

    def ValidateDataResourceConfig(
        self,
        request: pb.ValidateDataResourceConfig.Request,
        response: pb.ValidateDataResourceConfig.Response,
    ) -> None:
        validate(self._data_source(request.type_name), request, response)

    def ReadDataSource(
        self, request: pb.ReadDataSource.Request, response: pb.ReadDataSource.Response
    ) -> None:
        """What is not known yet can't be answered with: without a site, this is an error."""
        source = self._data_source(request.type_name)
        root = source.schema.root
        config = values.decode(root, request.config.msgpack)
        response.state.msgpack = values.encode(
            root, source.read(config, self._provider.configured_site())
        )

    # Ephemeral resources

    def ValidateEphemeralResourceConfig(
        self,
        request: pb.ValidateEphemeralResourceConfig.Request,
        response: pb.ValidateEphemeralResourceConfig.Response,
    ) -> None:
        validate(self._ephemeral_resource(request.type_name), request, response)

    def OpenEphemeralResource(
        self,
        request: pb.OpenEphemeralResource.Request,
        response: pb.OpenEphemeralResource.Response,
    ) -> None:
        its = self._ephemeral_resource(request.type_name)
        root = its.schema.root
        config = values.decode(root, request.config.msgpack)
        response.result.msgpack = values.encode(
            root, its.open(config, self._provider.configured_site())
        )

    def RenewEphemeralResource(self, request: Any, response: Any) -> None:
        """None asks for it: what was opened cannot be replaced while Terraform works with it."""

    def CloseEphemeralResource(self, request: Any, response: Any) -> None:
        """What was opened ends by itself: a certificate cannot be taken back."""

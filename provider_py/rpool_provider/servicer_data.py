"""The calls about data sources and ephemeral resources, which are read, and kept in no resource.

See `rpool_provider.servicer` for the other calls.
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
    subject: Provider | Resource | DataSource | EphemeralResource, request: Any, response: Any
) -> None:
    """Answers with everything that is wrong with a configuration by itself: by its schema and by
    its rules.
    """
    root = subject.schema.root
    config = values.decode(root, request.config.msgpack)
    found = unconfigurable.errors(root, config) + subject.validate(config)
    response.diagnostics.extend(diagnostics.encode(found, root))


class DataCalls:
    """The part of a servicer with these calls."""

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
        """Raises RpoolError without a site: an answer may have no unknown values."""
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
        resource = self._ephemeral_resource(request.type_name)
        root = resource.schema.root
        config = values.decode(root, request.config.msgpack)
        response.result.msgpack = values.encode(
            root, resource.open(config, self._provider.configured_site())
        )

    def RenewEphemeralResource(self, request: Any, response: Any) -> None:
        """Does nothing: no resource asks for it, as Terraform cannot replace an open value."""

    def CloseEphemeralResource(self, request: Any, response: Any) -> None:
        """Does nothing: a certificate cannot be revoked, and expires by itself."""

"""The calls about identities. See `rpool_provider.servicer` for the other calls."""

from __future__ import annotations

from rpool_provider.provider import Provider
from rpool_provider.wire import identities, state_json, values
from rpool_provider.wire.gen import tfplugin6_pb2 as pb


class IdentityCalls:
    """The part of a servicer with these calls."""

    _provider: Provider

    def GetResourceIdentitySchemas(
        self,
        request: pb.GetResourceIdentitySchemas.Request,
        response: pb.GetResourceIdentitySchemas.Response,
    ) -> None:
        for name, schema in self._provider.resource_schemas.items():
            response.identity_schemas[name].CopyFrom(identities.encode_schema(schema))

    def UpgradeResourceIdentity(
        self,
        request: pb.UpgradeResourceIdentity.Request,
        response: pb.UpgradeResourceIdentity.Response,
    ) -> None:
        """The saved identity. Hosts call it when another version was saved; there is only one."""
        shape = identities.shape(self._provider.resource_schemas[request.type_name])
        identity = state_json.conform(shape, state_json.read(request.raw_identity.json))
        response.upgraded_identity.identity_data.msgpack = values.encode(shape, identity)

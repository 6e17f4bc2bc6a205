"""The calls that Terraform makes: decode, call, encode.

protobuf ends here: resources get Python values. Whatever a call raises becomes a diagnostic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rpool.errors import Bug, Interrupted
from rpool_provider import diagnostic
from rpool_provider.functions import FUNCTIONS
from rpool_provider.grpc_alone import grpc
from rpool_provider.provider import Provider
from rpool_provider.resources.resource import Held, Reply, Resource
from rpool_provider.schema import Object, Schema
from rpool_provider.servicer_data import DataCalls, validate
from rpool_provider.servicer_identity import IdentityCalls
from rpool_provider.wire import (
    diagnostics,
    functions,
    hclog,
    identities,
    schemas,
    state_json,
    values,
)
from rpool_provider.wire.gen import tfplugin6_pb2 as pb

_PROVIDER_CALLS = (
    "GetMetadata",
    "GetProviderSchema",
    "GetResourceIdentitySchemas",
    "GetFunctions",
    "ValidateProviderConfig",
    "ConfigureProvider",
    "ValidateResourceConfig",
    "UpgradeResourceState",
    "UpgradeResourceIdentity",
    "ReadResource",
    "PlanResourceChange",
    "ApplyResourceChange",
    "ImportResourceState",
    "ValidateDataResourceConfig",
    "ReadDataSource",
    "ValidateEphemeralResourceConfig",
    "OpenEphemeralResource",
    "RenewEphemeralResource",
    "CloseEphemeralResource",
)


def routes(provider: Provider, shutdown: Callable[[], None]) -> dict[str, Any]:
    """The handler of each call; gRPC itself answers UNIMPLEMENTED to all others."""
    servicer = Servicer(provider)
    table = {
        f"/tfplugin6.Provider/{name}": _handler(name, servicer.guarded(name))
        for name in _PROVIDER_CALLS
    }
    table["/tfplugin6.Provider/StopProvider"] = _handler("StopProvider", servicer.stop)
    table["/tfplugin6.Provider/CallFunction"] = _handler("CallFunction", functions.answer)
    return table | _host_routes(shutdown)


def _handler(name: str, answer: Callable[[Any, Any], Any]) -> Any:
    message = getattr(pb, name)
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=message.Request.FromString,
        response_serializer=message.Response.SerializeToString,
    )


def _host_routes(shutdown: Callable[[], None]) -> dict[str, Any]:
    """go-plugin's own calls (proto/plugin_host.proto). An empty message has no bytes."""

    def end(request: bytes, context: Any) -> bytes:
        shutdown()
        return b""

    def no_output(request: bytes, context: Any) -> Iterator[bytes]:
        return iter(())

    return {
        "/plugin.GRPCController/Shutdown": grpc.unary_unary_rpc_method_handler(end),
        "/plugin.GRPCStdio/StreamStdio": grpc.unary_stream_rpc_method_handler(no_output),
    }


class Servicer(DataCalls, IdentityCalls):
    """The calls: each method with the name of a call fills in its response."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def guarded(self, name: str) -> Callable[[Any, Any], Any]:
        call = getattr(self, name)
        response_type = getattr(pb, name).Response

        def answer(request: Any, context: Any) -> Any:
            response = response_type()
            try:
                call(request, response)
            except Exception as error:
                _log(name, error)
                response.diagnostics.extend(
                    diagnostics.encode(diagnostic.of_error(error), self._root(name, request))
                )
            return response

        return answer

    def stop(self, request: pb.StopProvider.Request, context: Any) -> pb.StopProvider.Response:
        hclog.log("info", "asked to stop: no new step will be started")
        self._provider.stop.set()
        return pb.StopProvider.Response()

    def _root(self, call: str, request: Any) -> Object:
        """The schema that the paths of a call's diagnostics start in. A resource and a data source
        may have the same name.
        """
        provider = self._provider
        type_schemas = provider.resource_schemas
        if "Data" in call:
            type_schemas = provider.data_source_schemas
        elif "Ephemeral" in call:
            type_schemas = provider.ephemeral_schemas
        return type_schemas.get(getattr(request, "type_name", ""), provider.schema).root

    def _resource(self, name: str) -> Resource:
        if name not in self._provider.resources:
            raise Bug(f"Terraform asked for {name}, which this provider does not have")
        return self._provider.resources[name]

    # Schemas

    def GetMetadata(
        self, request: pb.GetMetadata.Request, response: pb.GetMetadata.Response
    ) -> None:
        response.server_capabilities.CopyFrom(_CAPABILITIES)
        for name in self._provider.resource_schemas:
            response.resources.add(type_name=name)
        for name in self._provider.data_source_schemas:
            response.data_sources.add(type_name=name)
        for name in FUNCTIONS:
            response.functions.add(name=name)
        for name in self._provider.ephemeral_schemas:
            response.ephemeral_resources.add(type_name=name)

    def GetProviderSchema(
        self, request: pb.GetProviderSchema.Request, response: pb.GetProviderSchema.Response
    ) -> None:
        response.server_capabilities.CopyFrom(_CAPABILITIES)
        response.provider.CopyFrom(schemas.encode(self._provider.schema))
        for name, schema in self._provider.resource_schemas.items():
            response.resource_schemas[name].CopyFrom(schemas.encode(schema))
        for name, schema in self._provider.data_source_schemas.items():
            response.data_source_schemas[name].CopyFrom(schemas.encode(schema))
        for name, function in FUNCTIONS.items():
            response.functions[name].CopyFrom(functions.encode(function))
        for name, schema in self._provider.ephemeral_schemas.items():
            response.ephemeral_resource_schemas[name].CopyFrom(schemas.encode(schema))

    def GetFunctions(
        self, request: pb.GetFunctions.Request, response: pb.GetFunctions.Response
    ) -> None:
        for name, function in FUNCTIONS.items():
            response.functions[name].CopyFrom(functions.encode(function))

    # The provider block

    def ValidateProviderConfig(
        self,
        request: pb.ValidateProviderConfig.Request,
        response: pb.ValidateProviderConfig.Response,
    ) -> None:
        validate(self._provider, request, response)

    def ConfigureProvider(
        self, request: pb.ConfigureProvider.Request, response: pb.ConfigureProvider.Response
    ) -> None:
        root = self._provider.schema.root
        warnings = self._provider.configure(values.decode(root, request.config.msgpack))
        response.diagnostics.extend(diagnostics.encode(warnings, root))

    # Resources

    def ValidateResourceConfig(
        self,
        request: pb.ValidateResourceConfig.Request,
        response: pb.ValidateResourceConfig.Response,
    ) -> None:
        validate(self._resource(request.type_name), request, response)

    def UpgradeResourceState(
        self, request: pb.UpgradeResourceState.Request, response: pb.UpgradeResourceState.Response
    ) -> None:
        resource = self._resource(request.type_name)
        state = resource.upgrade(request.version, state_json.read(request.raw_state.json))
        root = resource.schema.root
        response.upgraded_state.msgpack = values.encode(root, state_json.conform(root, state))

    def ReadResource(
        self, request: pb.ReadResource.Request, response: pb.ReadResource.Response
    ) -> None:
        resource = self._resource(request.type_name)
        root = resource.schema.root
        held = Held(values.decode(root, request.current_state.msgpack), request.private)
        self._provider.begins(applying=False)
        site = self._provider.site
        reply = Reply(held) if site is None else resource.read(held, site)
        _answer(response, reply, resource.schema)

    def PlanResourceChange(
        self, request: pb.PlanResourceChange.Request, response: pb.PlanResourceChange.Response
    ) -> None:
        resource = self._resource(request.type_name)
        root = resource.schema.root
        prior = Held(values.decode(root, request.prior_state.msgpack), request.prior_private)
        is_destroy = values.decode(root, request.proposed_new_state.msgpack) is None
        config = None if is_destroy else values.decode(root, request.config.msgpack)
        # Terraform plans again in an apply; only there it allows deferral.
        self._provider.begins(applying=request.client_capabilities.deferral_allowed)
        plan = resource.plan(prior, config, self._provider.site)
        response.planned_state.msgpack = values.encode(root, plan.values)
        response.planned_private = plan.private
        identities.fill(response.planned_identity, resource.schema, plan.values)
        response.requires_replace.extend(diagnostics.path(path, root) for path in plan.replaces)
        response.diagnostics.extend(diagnostics.encode(plan.diagnostics, root))

    def ApplyResourceChange(
        self, request: pb.ApplyResourceChange.Request, response: pb.ApplyResourceChange.Response
    ) -> None:
        """The response starts with the prior state, which is what an exception leaves."""
        response.new_state.CopyFrom(request.prior_state)
        response.private = request.planned_private
        resource = self._resource(request.type_name)
        root = resource.schema.root
        prior = Held(values.decode(root, request.prior_state.msgpack), request.planned_private)
        planned = Held(values.decode(root, request.planned_state.msgpack), request.planned_private)
        identities.fill(response.new_identity, resource.schema, prior.values)
        self._provider.begins(applying=True)
        _answer(response, self._apply(resource, prior, planned), resource.schema)

    def _apply(self, resource: Resource, prior: Held, planned: Held) -> Reply:
        site, stop = self._provider.configured_site(), self._provider.stop
        if stop.is_set():
            raise Interrupted("rpool was asked to stop; this change was not started")
        if prior.values is None:
            return resource.create(planned, site, stop)
        if planned.values is None:
            return resource.delete(prior, site, stop)
        return resource.update(prior, planned, site, stop)

    def ImportResourceState(
        self, request: pb.ImportResourceState.Request, response: pb.ImportResourceState.Response
    ) -> None:
        resource = self._resource(request.type_name)
        root = resource.schema.root
        id_ = request.id
        if request.HasField("identity"):
            id_ = identities.import_id(resource.schema, request.identity)
        reply = resource.import_(id_, self._provider.configured_site())
        response.diagnostics.extend(diagnostics.encode(reply.diagnostics, root))
        imported = response.imported_resources.add(type_name=request.type_name)
        imported.state.msgpack = values.encode(root, reply.held.values)
        imported.private = reply.held.private
        identities.fill(imported.identity, resource.schema, reply.held.values)


_CAPABILITIES = pb.ServerCapabilities(plan_destroy=True, get_provider_schema_optional=True)


def _answer(
    response: pb.ReadResource.Response | pb.ApplyResourceChange.Response,
    reply: Reply,
    schema: Schema,
) -> None:
    response.new_state.msgpack = values.encode(schema.root, reply.held.values)
    response.private = reply.held.private
    response.ClearField("new_identity")
    identities.fill(response.new_identity, schema, reply.held.values)
    response.diagnostics.extend(diagnostics.encode(reply.diagnostics, schema.root))


def _log(call: str, error: Exception) -> None:
    where = list(diagnostic.places(error.__traceback__))
    hclog.log("error", f"{call}: {type(error).__name__}", at=where[-1].strip() if where else "")

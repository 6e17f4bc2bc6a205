"""The calls for `rpool_cluster` in the order in which Terraform makes them."""

from __future__ import annotations

from typing import Any

import msgpack

from protocol.plugin_process import PluginProcess
from protocol.site_config import packed, site

UNKNOWN = msgpack.ExtType(0, b"\x00")
COMPUTED = {
    "id",
    "condition",
    "allocated_cores",
    "allocated_memory",
    "endpoint",
    "ca_certificate",
    "ca_pin",
    "servers",
}


class Calls:
    """A configured provider. Only `terraform test` of 1.13 configures what it has not validated."""

    def __init__(
        self,
        plugin: PluginProcess,
        site_values: dict[str, Any] | None = None,
        *,
        validates: bool = True,
    ) -> None:
        self.plugin = plugin
        self._validates = validates
        reply = plugin.call("GetProviderSchema")
        self.site_schema = reply.provider
        self.schema = reply.resource_schemas["rpool_cluster"]
        self._site = packed(self.site_schema, site_values or site())
        self.configured = self._configure()

    def configure(self, site_values: dict[str, Any]) -> Any:
        """Begin another command, with that provider block."""
        self._site = packed(self.site_schema, site_values)
        self.configured = self._configure()
        return self.configured

    def _configure(self) -> Any:
        if self._validates:
            self.plugin.call("ValidateProviderConfig", config=self._site)
        return self.plugin.call("ConfigureProvider", config=self._site)

    def validate(self, config: dict[str, Any]) -> Any:
        packed_config = packed(self.schema, config)
        return self.plugin.call(
            "ValidateResourceConfig", type_name="rpool_cluster", config=packed_config
        )

    def plan(self, config: dict[str, Any] | None, prior: Any = None, private: bytes = b"") -> Any:
        """`prior` is a DynamicValue from an earlier answer. The plan is a command of its own: one
        process may serve many tests, and two clusters of one name in one command are a mistake.
        """
        self._configure()
        return self.plan_beside(config, prior, private)

    def plan_beside(
        self,
        config: dict[str, Any] | None,
        prior: Any = None,
        private: bytes = b"",
        *,
        in_apply: bool = False,
    ) -> Any:
        """Another plan of the same command. Each within an apply allows deferrals."""
        wanted = packed(self.schema, config)
        return self.plugin.call(
            "PlanResourceChange",
            type_name="rpool_cluster",
            prior_state=prior or packed(self.schema, None),
            proposed_new_state=wanted,
            config=wanted,
            prior_private=private,
            client_capabilities={"deferral_allowed": in_apply},
        )

    def begin_apply(self, planned: Any, prior: Any = None, private: bytes = b"") -> Any:
        return self.plugin.future(
            "ApplyResourceChange",
            type_name="rpool_cluster",
            prior_state=prior or packed(self.schema, None),
            planned_state=planned,
            planned_private=private,
        )

    def apply(self, planned: Any, prior: Any = None, private: bytes = b"") -> Any:
        return self.begin_apply(planned, prior, private).result()

    def read(self, state: Any, private: bytes = b"") -> Any:
        return self.plugin.call(
            "ReadResource", type_name="rpool_cluster", current_state=state, private=private
        )

    def create(self, config: dict[str, Any]) -> Any:
        return self.apply(self.plan(config).planned_state)


def values(dynamic: Any) -> Any:
    """What is in a DynamicValue; unknown values as UNKNOWN."""
    return msgpack.unpackb(dynamic.msgpack, ext_hook=lambda code, data: UNKNOWN)


def identity(message: Any) -> Any:
    """What is in a ResourceIdentityData; None where nothing is."""
    return values(message.identity_data) if message.HasField("identity_data") else None


def path(attribute_path: Any) -> tuple[str | int, ...]:
    return tuple(getattr(step, step.WhichOneof("selector")) for step in attribute_path.steps)


def problems(reply: Any) -> list[tuple[tuple[str | int, ...], str]]:
    return [(path(d.attribute), d.summary) for d in reply.diagnostics]


def errors(reply: Any) -> list[str]:
    return [d.summary for d in reply.diagnostics if d.severity == d.ERROR]

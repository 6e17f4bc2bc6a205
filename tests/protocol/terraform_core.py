"""Terraform core's part for one `rpool_cluster`, as direct calls: refresh, plan, apply.

The calls, their order and what is checked of each answer are Terraform's, in a tenth of its time.
Blamed is raised where Terraform would blame the provider, Refused where the provider refuses in
plain words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import msgpack

from protocol.cluster_calls import UNKNOWN, Calls, identity, path, values
from protocol.core_checks import (
    Blamed,
    blame,
    conformed,
    differences,
    is_known,
    plan_problems,
    replacing,
)
from protocol.site_config import packed

UNPLAIN = ("failed unexpectedly", "Traceback", "Unknown(", "ExtType", "bug in rpool")
"""What no user should ever be told."""


class Refused(Exception):
    """The provider said that it cannot be done. `applying`: something may have been changed."""

    def __init__(self, call: str, errors: list[str]) -> None:
        super().__init__(f"{call}: {' | '.join(errors)}")
        self.applying = call == "apply"


class Action(Enum):
    NOTHING = "nothing"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True)
class Held:
    """What the state has of the cluster. A tainted one is replaced by the next apply."""

    dynamic: Any
    value: Mapping[str, Any]
    private: bytes
    tainted: bool = False


@dataclass(frozen=True)
class Change:
    """A plan: its value as it was sent, and as Terraform understands it."""

    action: Action
    dynamic: Any
    value: Any
    private: bytes


class Core:
    """One state, and the commands on it. `calls` may be those of another process each time."""

    def __init__(self) -> None:
        self.held: Held | None = None
        self.calls: Calls

    @property
    def members(self) -> set[str]:
        """The servers of the cluster in the state."""
        return set(self.held.value["servers"] or ()) if self.held else set()

    # -- the commands --------------------------------------------------------------------------

    def begin(self, site_values: dict[str, Any]) -> None:
        """Configure the provider, as each command does in a process of its own."""
        config = packed(self.calls.site_schema, site_values)
        self._check_errors(
            "validate", self.calls.plugin.call("ValidateProviderConfig", config=config)
        )
        self._check_errors("configure", self.calls.configure(site_values))
        if self.held is not None:
            self.held = self._out_of_the_file(self.held)

    def refresh(self) -> None:
        if self.held is None:
            return
        reply = self.calls.read(self.held.dynamic, self.held.private)
        self._check_errors("read", reply)
        self.held = self._to_hold("read", reply, tainted=self.held.tainted)

    def plan(self, config: dict[str, Any] | None, forced: bool = False) -> Change:
        """`forced` is -replace. Changes nothing but the state, which is refreshed."""
        held = self.held
        if config is None:
            return self._plan_of_nothing()
        self._check_errors("validate", self.calls.validate(config))
        prior = None if held is None or held.tainted else held
        reply = self._planned(config, prior, prior.private if prior else b"")
        change = self._change(reply, Action.CREATE)
        if prior is None:
            return change if held is None else replace(change, action=Action.REPLACE)
        paths = [path(attribute) for attribute in reply.requires_replace]
        if not forced and change.value == prior.value:
            return replace(change, action=Action.NOTHING)
        if not forced and not replacing(prior.value, change.value, paths):
            return replace(change, action=Action.UPDATE)
        recreated = self._planned(config, None, change.private)
        return self._change(recreated, Action.REPLACE)

    def apply(self, config: dict[str, Any] | None, change: Change) -> None:
        """Carry a plan out, now that all of the configuration is known. A replacement is a delete,
        for which no plan is asked, and a create.
        """
        if change.action is Action.NOTHING:
            return
        if change.action in (Action.DELETE, Action.REPLACE):
            self._delete(change)
        if change.action is Action.DELETE:
            return
        final = self.plan(config)
        self._compare(change, final)
        if final.action is Action.NOTHING:
            return
        prior = self.held
        reply = self.calls.apply(
            {"msgpack": final.dynamic.msgpack}, prior.dynamic if prior else None, final.private
        )
        failed = self._has_errors("apply", reply)
        returned = self._to_hold("apply", reply, tainted=failed and prior is None)
        if prior is not None and returned is None:
            raise Blamed("an update returned no object")
        self.held = returned
        if failed:
            self._check_errors("apply", reply)
        actual = returned.value if returned else None
        blame("the apply", differences(self._block, final.value, actual))

    # -- their parts ---------------------------------------------------------------------------

    def _out_of_the_file(self, held: Held) -> Held:
        """The state as a command finds it: in JSON, and read by the provider."""
        reply = self.calls.plugin.call(
            "UpgradeResourceState",
            type_name="rpool_cluster",
            version=self.calls.schema.version,
            raw_state={"json": json.dumps(held.value).encode()},
        )
        self._check_errors("upgrade", reply)
        if conformed(self._block, values(reply.upgraded_state)) != held.value:
            raise Blamed("the state is another one after an upgrade to the same version")
        return replace(held, dynamic=reply.upgraded_state)

    @property
    def _block(self) -> Any:
        return self.calls.schema.block

    def _plan_of_nothing(self) -> Change:
        if self.held is None:
            return Change(Action.NOTHING, None, None, b"")
        reply = self.calls.plan_beside(None, self.held.dynamic, self.held.private)
        self._check_errors("plan", reply)
        change = self._change(reply, Action.DELETE)
        if change.value is not None:
            raise Blamed("the plan of a destroy is of something")
        return change

    def _planned(self, config: dict[str, Any], prior: Held | None, private: bytes) -> Any:
        """The answer of a plan, which must fit this configuration."""
        reply = self.calls.plan_beside(config, prior.dynamic if prior else None, private)
        self._check_errors("plan", reply)
        if reply.legacy_type_system:
            raise Blamed("the plan asks for the rules of old SDKs")
        wanted = msgpack.unpackb(packed(self.calls.schema, config)["msgpack"], ext_hook=_unknown)
        wanted = conformed(self._block, wanted)
        planned = conformed(self._block, values(reply.planned_state))
        before = prior.value if prior else None
        blame("the plan", plan_problems(self._block, before, wanted, planned))
        return reply

    def _change(self, reply: Any, action: Action) -> Change:
        planned = reply.planned_state
        value = conformed(self._block, values(planned))
        _check_identity("plan", reply.planned_identity, value)
        return Change(action, planned, value, reply.planned_private)

    def _compare(self, change: Change, final: Change) -> None:
        """Raise Blamed unless the plan that is applied is the shown one, with more of it known."""
        as_shown = Action.CREATE if change.action is Action.REPLACE else change.action
        if final.action not in (as_shown, Action.NOTHING) or (
            final.action is Action.NOTHING and as_shown is not Action.UPDATE
        ):
            raise Blamed(f"{as_shown.value} was planned, and then {final.action.value}")
        blame("the final plan", differences(self._block, change.value, final.value))

    def _delete(self, change: Change) -> None:
        held = self.held
        assert held is not None
        nothing = packed(self.calls.schema, None)
        reply = self.calls.apply(nothing, held.dynamic, change.private)
        failed = self._has_errors("apply", reply)
        self.held = self._to_hold("apply", reply, tainted=held.tainted)
        if failed:
            self._check_errors("apply", reply)
        if self.held is not None:
            raise Blamed("a destroy without an error left something")

    def _to_hold(self, call: str, reply: Any, *, tainted: bool) -> Held | None:
        value = conformed(self._block, values(reply.new_state))
        if not is_known(value):
            raise Blamed(f"{call} returned something that is not known: {value}")
        _check_identity(call, reply.new_identity, value)
        return None if value is None else Held(reply.new_state, value, reply.private, tainted)

    def _has_errors(self, call: str, reply: Any) -> bool:
        try:
            self._check_errors(call, reply)
        except Refused:
            return True
        return False

    def _check_errors(self, call: str, reply: Any) -> None:
        """Raise Refused if there are errors, and Blamed if they are no words for a user."""
        for diagnostic in reply.diagnostics:
            text = f"{diagnostic.summary}\n{diagnostic.detail}"
            if not diagnostic.summary or diagnostic.severity not in (
                diagnostic.ERROR,
                diagnostic.WARNING,
            ):
                raise Blamed(f"{call} answers with a diagnostic that says nothing: {diagnostic}")
            if any(word in text for word in UNPLAIN):
                raise Blamed(f"{call}: {text}")
        errors = [d.summary for d in reply.diagnostics if d.severity == d.ERROR]
        if errors:
            raise Refused(call, errors)


def _check_identity(call: str, answered: Any, value: Any) -> None:
    """A cluster has an identity as long as it is there, always the same: that of its uid."""
    is_there = value is not None and value["id"] != UNKNOWN
    if identity(answered) != ({"id": value["id"]} if is_there else None):
        raise Blamed(f"{call} answers with the identity {identity(answered)} for {value}")


def _unknown(code: int, data: bytes) -> Any:
    return UNKNOWN

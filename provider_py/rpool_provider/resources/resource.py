"""What a resource has to implement. It gets Python values, not the wire's.

Values are dicts with every attribute of the schema: None where null, `Unknown` where not known yet.
Errors are raised, and the servicer reports them. A verb that got part of the way *returns* the
state that there is now together with the error.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rpool_provider.diagnostic import Diagnostic
from rpool_provider.schema import Schema

if TYPE_CHECKING:
    from rpool.api import Site
    from rpool.errors import Path

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """What Terraform keeps for a resource between commands. `values` is None when there is none.

    `private` is for the provider alone; it is not shown, but not encrypted either: no secret
    belongs there.
    """

    values: Values | None
    private: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    held: Held
    diagnostics: list[Diagnostic] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """`values` is None for a destroy. `replaces`: the attributes that need a new resource."""

    values: Values | None
    private: bytes = b""
    replaces: list[Path] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


class Resource(Protocol):
    name: str
    schema: Schema

    def validate(self, config: Values) -> list[Diagnostic]:
        """Everything that is wrong with a configuration by itself."""

    def plan(self, prior: Held, config: Values | None, site: Site | None) -> Plan:
        """Pure. `config` is None when the resource is to be destroyed, `prior.values` when it is
        to be created. `site` is None while the provider's configuration is not known.
        """

    def read(self, held: Held, site: Site) -> Reply:
        """The resource as it is now; its values are None if it is gone."""

    def create(self, planned: Held, site: Site, stop: threading.Event) -> Reply: ...

    def update(self, prior: Held, planned: Held, site: Site, stop: threading.Event) -> Reply: ...

    def delete(self, prior: Held, site: Site, stop: threading.Event) -> Reply: ...

    def import_(self, id_: str, site: Site) -> Reply: ...

    def upgrade(self, version: int, state: Values) -> Values:
        """A state of an older schema, converted to the current one."""

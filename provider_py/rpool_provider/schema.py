"""The provider's schema as data: what attributes there are, of what type, and who sets them.

The protobuf schema, the decoding of values, planning and the documentation all come from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Primitive(Enum):
    STRING = "string"
    NUMBER = "number"
    BOOL = "bool"


STRING = Primitive.STRING
NUMBER = Primitive.NUMBER
BOOL = Primitive.BOOL


@dataclass(frozen=True, slots=True)
class List:
    element: Type


@dataclass(frozen=True, slots=True)
class Set:
    element: Type


@dataclass(frozen=True, slots=True)
class Map:
    element: Type


@dataclass(frozen=True, slots=True)
class Object:
    """Settings that belong together, on their own or as the element of a list, set or map.

    An object that users write is a block, so that Terraform itself refuses what is not in it; one
    that only the provider sets is nested attributes. `always`: the block exists even where the
    configuration has none, so that its defaults are in the plan.
    """

    attributes: tuple[Attribute, ...]
    always: bool = False


class Dynamic(Enum):
    """A value of any type: the provider gets all of it, as it was written."""

    DYNAMIC = "dynamic"


DYNAMIC = Dynamic.DYNAMIC

Type = Primitive | List | Set | Map | Object | Dynamic


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. One that is neither required nor optional is only computed.

    `default` is the planned value of an optional attribute that is not set (it is then `computed`
    too). `replaces`: another value needs another resource. `meaning` maps values that mean the same
    (10m and 600s) to equal ones: then the plan keeps the prior value.
    """

    name: str
    type: Type
    description: str
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False
    replaces: bool = False
    default: Any = None
    meaning: Callable[[Any], Any] | None = None

    @property
    def configurable(self) -> bool:
        return self.required or self.optional

    @property
    def block(self) -> Object | None:
        """The settings of a block, or of each block, that users write; None for an attribute."""
        element = getattr(self.type, "element", self.type)
        return element if self.configurable and isinstance(element, Object) else None


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of a resource or of the provider block; `version` counts changes of its shape.

    `identity`: the attributes that identify a resource as long as it exists. Joined by slashes they
    are its id for an import.
    """

    root: Object
    description: str
    version: int = 0
    identity: tuple[str, ...] = ()


def required(name: str, type_: Type, description: str, **more: Any) -> Attribute:
    return Attribute(name, type_, description, required=True, **more)


def optional(name: str, type_: Type, description: str, **more: Any) -> Attribute:
    return Attribute(name, type_, description, optional=True, **more)


def defaulted(name: str, type_: Type, default: Any, description: str, **more: Any) -> Attribute:
    return Attribute(
        name, type_, description, optional=True, computed=True, default=default, **more
    )


def computed(name: str, type_: Type, description: str, **more: Any) -> Attribute:
    return Attribute(name, type_, description, computed=True, **more)

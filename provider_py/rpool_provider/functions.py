"""The provider's functions, with which a configuration can write a fleet.

They depend on nothing but their arguments. Their code is loaded when one is called, since Terraform
asks for the list in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rpool.errors import RpoolError
from rpool_provider.schema import DYNAMIC, NUMBER, STRING, Type


class Unfit(RpoolError):
    """A function does not accept its argument; the summary says why."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of one argument. `call` raises Unfit."""

    parameter: str
    takes: Type
    returns: Type
    summary: str
    description: str
    call: Callable[[Any], Any]


def _gib(text: str) -> int:
    from rpool.model.quantity import gib

    try:
        return gib(text)
    except ValueError as error:
        raise Unfit(str(error)) from None


def _inventory(text: str) -> dict[str, dict[str, Any]]:
    from rpool.decide.scanned import fleet_of
    from rpool.reach.inventory import read_text

    try:
        return fleet_of(read_text(text))
    except ValueError as error:
        raise Unfit(str(error)) from None


FUNCTIONS: Mapping[str, Function] = {
    "gib": Function(
        "quantity",
        STRING,
        NUMBER,
        "Memory in GiB",
        "Converts a quantity as Kubernetes writes it (`192Gi`, `1Ti`, `2048Mi`) to the whole "
        "number of GiB that `memory` takes.",
        _gib,
    ),
    "inventory": Function(
        "text",
        STRING,
        DYNAMIC,
        "Fleet from an Ansible inventory",
        "Reads an Ansible inventory (the text of an INI or YAML file) and returns its servers "
        "as `fleet` takes them. Cores, memory, host key and the rest are host or group "
        "variables: `rpool_cores`, `rpool_memory` (a number of GiB, or `64Gi`), "
        "`rpool_host_key`, `rpool_zone` and so on. Without `rpool_zone`, the zone is a group "
        "such as `rack2`.",
        _inventory,
    ),
}

"""What a change of each attribute does, taken from the rules that plans are made by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rpool_provider.provider import Provider
from rpool_provider.resources.cluster_plan import FIXED
from rpool_provider.resources.cluster_state import OURS_ALONE
from rpool_provider.schema import Attribute, Object

REFUSED: Mapping[str, Mapping[str, str]] = {"rpool_cluster": FIXED}
"""Attributes of a resource whose change is an error, and why."""

UNSEEN = {"rpool_cluster": OURS_ALONE, "rpool_node": frozenset({"timeouts"})}
"""Attributes of a resource that no server knows of."""


def changes() -> str:
    """A table of the attributes that do not change in place, and what a change of each does."""
    rows = [row for name, s in Provider.resource_schemas.items() for row in _rows(name, s.root)]
    return "\n".join(["| resource | attribute | a change of it |", "| --- | --- | --- |", *rows])


def _rows(resource: str, root: Object) -> Iterator[str]:
    paths = [path for path, attribute in _attributes(root) if attribute.replaces]
    for path in paths:
        if not any(path.startswith(f"{other}.") for other in paths):
            yield f"| `{resource}` | `{path}` | replaces it |"
    for name, why in REFUSED.get(resource, {}).items():
        yield f"| `{resource}` | `{name}` | is an error of the plan: {why} |"
    for name in sorted(UNSEEN[resource]):
        yield f"| `{resource}` | `{name}` | reaches no server |"


def _attributes(block: Object, at: str = "") -> Iterator[tuple[str, Attribute]]:
    for attribute in block.attributes:
        if attribute.configurable:
            yield f"{at}{attribute.name}", attribute
            if attribute.block is not None:
                yield from _attributes(attribute.block, f"{at}{attribute.name}.")

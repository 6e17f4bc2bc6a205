"""YAML that users write, and that comes back from their clusters: data, as much as was written."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml


def load(text: str) -> Any:
    """As `yaml.safe_load`. An alias is an error, too: a few lines of them are gigabytes. Raises
    yaml.YAMLError, ValueError, RecursionError.
    """
    import yaml  # slow to load, and few configurations have such a text

    return yaml.load(text, Loader=_loader())  # noqa: S506 it is a safe one


@cache
def _loader() -> type[yaml.SafeLoader]:
    import yaml

    class Plain(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise yaml.MarkedYAMLError(None, None, "aliases (*name) are not taken", mark)
            return super().compose_node(parent, index)

    return Plain

"""YAML from users and from their clusters as data, without duplicate keys, or aliases as a rule."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml


TWICE = "duplicate key"


def load(text: str, *, aliases: bool = False) -> Any:
    """The data in a YAML text, as `yaml.safe_load`, with two more errors. A duplicate key: the
    second one would win. An alias, unless `aliases` is set: a few lines of them expand to
    gigabytes. Raises yaml.YAMLError, ValueError, RecursionError.
    """
    import yaml  # slow to load, and few configurations have such a text

    return yaml.load(text, Loader=_loader(aliases))  # noqa: S506 it is a safe one


def why_none(text: str, error: Exception) -> str:
    """The end of a sentence about a text that is no YAML: where, and why, from its parse error.
    PyYAML's own messages name no file, and quote its content.
    """
    import yaml

    match error:
        case yaml.MarkedYAMLError(problem_mark=yaml.Mark(line=line, column=column)):
            why = error.problem or error.context or "it cannot be read"
        case yaml.reader.ReaderError(position=position):
            line = text.count("\n", 0, position)
            column = position - (text.rfind("\n", 0, position) + 1)
            why = f"{text[position]!r} is a character that YAML does not allow"
        case _:
            return f"is not valid YAML: {error}"
    return f"is not valid YAML in line {line + 1}, column {column + 1}: {why}"


@cache
def _loader(aliases: bool) -> type[yaml.SafeLoader]:
    import yaml

    class Plain(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if not aliases and self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise yaml.MarkedYAMLError(None, None, "aliases (*name) are not accepted", mark)
            return super().compose_node(parent, index)

        def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
            node = super().compose_mapping_node(anchor)
            first: dict[tuple[str, str], yaml.Node] = {}
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    earlier = first.setdefault((key.tag, key.value), key)
                    if earlier is not key:
                        what = f"{TWICE}, first in line {earlier.start_mark.line + 1}"
                        raise yaml.MarkedYAMLError(None, None, what, key.start_mark)
            return node

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            """PyYAML trusts a tag, and fails on a value that is no such thing: `!!int ""`."""
            try:
                return super().construct_object(node, deep)
            except (IndexError, KeyError, AttributeError):
                what = f"this is not a valid {node.tag.rpartition(':')[2]}"
                raise yaml.MarkedYAMLError(None, None, what, node.start_mark) from None

    return Plain

"""A schema as Markdown: what can be set, and what can be read.

Names, types, who sets a value and what a change of it does come from the schema that plans use, so
that they are written down once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from rpool.errors import Bug
from rpool_provider.functions import Function
from rpool_provider.schema import (
    Attribute,
    Dynamic,
    List,
    Map,
    Object,
    Primitive,
    Schema,
    Set,
    Type,
)

_WORDS = {Primitive.STRING: "String", Primitive.NUMBER: "Number", Primitive.BOOL: "Boolean"}


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a page. `fixed`: attributes whose change is refused. `made_anew`: what a
    replacing change makes. `shapes`: the required types of attributes that are declared without.
    """

    schema: Schema
    fixed: Collection[str] = ()
    made_anew: str = ""
    shapes: Mapping[str, Type] = field(default_factory=dict)


def reference(subject: Subject) -> str:
    """Arguments, then attributes, each with its nested attributes."""
    root = subject.schema.root
    lines: list[str] = []
    arguments = [attribute for attribute in root.attributes if attribute.configurable]
    computed = [attribute for attribute in root.attributes if not attribute.configurable]
    if arguments:
        lines += ["## Arguments", "", *_marks(subject, arguments), *_list(subject, arguments)]
    if computed:
        lines += ["## Attributes", "", *_list(subject, computed)]
    return "\n".join(lines).rstrip()


def signature(name: str, function: Function) -> str:
    """A function's call, its argument and what it returns."""
    takes, returns = _type(function.takes), _type(function.returns)
    call = f"provider::rpool::{name}({function.parameter} {takes.lower()}) {returns.lower()}"
    return f"## Signature\n\n```text\n{call}\n```"


def _marks(subject: Subject, arguments: list[Attribute]) -> Iterator[str]:
    """The meaning of each mark that the list below uses."""
    if subject.made_anew:
        effect = f"makes {subject.made_anew}, visibly in the plan"
        yield f"A change of what is marked **replaces** {effect}."
    if subject.fixed:
        yield "A change of what is marked **fixed** is an error of the plan."
    if subject.fixed or subject.made_anew:
        yield "All else changes in place: [what a change does](../guides/changes.md)."
        yield ""


def _list(subject: Subject, attributes: list[Attribute], at: tuple[str, ...] = ()) -> list[str]:
    """The attributes, required ones first, and then the attributes nested in each."""
    lines: list[str] = []
    nested: list[str] = []
    for attribute in sorted(attributes, key=lambda a: not a.required):  # sorted is stable
        path = (*at, attribute.name)
        block = _object(subject.shapes.get(attribute.name, attribute.type))
        below = f" See [below](#{'-'.join(path)})." if block else ""
        notes = ", ".join(_notes(subject, attribute, path))
        lines.append(f"- `{attribute.name}` ({notes}) {_described(attribute)}{below}")
        if block:
            nested += [f'<a id="{"-".join(path)}"></a>', f"### `{'.'.join(path)}`", ""]
            nested += _list(subject, list(block.attributes), path)
    return [*lines, "", *nested]


def _notes(subject: Subject, attribute: Attribute, path: tuple[str, ...]) -> Iterator[str]:
    yield _block(attribute) if attribute.block else _type(attribute.type)
    if attribute.configurable:
        yield "required" if attribute.required else "optional"
    if attribute.optional and attribute.computed and attribute.default is None:
        yield "computed where not set"
    if attribute.sensitive:
        yield "sensitive"
    if attribute.replaces:
        yield "**replaces**"
    if len(path) == 1 and attribute.name in subject.fixed:
        yield "**fixed**"


def _described(attribute: Attribute) -> str:
    """The description. Raises Bug where it does not state the attribute's default."""
    value = (
        str(attribute.default).lower() if isinstance(attribute.default, bool) else attribute.default
    )
    if value is not None and f"Default `{value}`." not in attribute.description:
        raise Bug(f'the description of {attribute.name} has to end with "Default `{value}`."')
    return attribute.description


def _object(type_: Type) -> Object | None:
    element = getattr(type_, "element", type_)
    return element if isinstance(element, Object) else None


def _block(attribute: Attribute) -> str:
    match attribute.type:
        case Map():
            return f'blocks `{attribute.name} "NAME" {{ }}`'
        case List() | Set():
            return "blocks, any number"
    return "block"


def _type(type_: Type) -> str:
    match type_:
        case Primitive():
            return _WORDS[type_]
        case Dynamic():
            return "Any"
        case Object():
            return "Object"
        case Map(element):
            return f"Map of {_plural(element)}"
        case List(element):
            return f"List of {_plural(element)}"
        case Set(element):
            return f"Set of {_plural(element)}"


def _plural(type_: Type) -> str:
    kind, of, element = _type(type_).partition(" of ")
    return f"{kind}s{of}{element}"

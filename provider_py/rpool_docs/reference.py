"""A schema as Markdown: what can be set, and what can be read.

Names, types, who sets a value and what a change of it does are taken from where the plan takes
them, so that they are never told twice.
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
    """What a page is about. `fixed`: attributes whose change is refused. `made_anew`: what a change
    of an attribute that replaces makes. `shapes`: what attributes without a type have to be.
    """

    schema: Schema
    fixed: Collection[str] = ()
    made_anew: str = ""
    shapes: Mapping[str, Type] = field(default_factory=dict)


def reference(subject: Subject) -> str:
    """Arguments, then attributes, each with its nested ones."""
    root = subject.schema.root
    lines: list[str] = []
    given = [its for its in root.attributes if its.configurable]
    told = [its for its in root.attributes if not its.configurable]
    if given:
        lines += ["## Arguments", "", *_marks(subject, given), *_list(subject, given)]
    if told:
        lines += ["## Attributes", "", *_list(subject, told)]
    return "\n".join(lines).rstrip()


def signature(name: str, its: Function) -> str:
    """A function's call, its argument and what it returns."""
    takes, returns = _type(its.takes), _type(its.returns)
    call = f"provider::rpool::{name}({its.parameter} {takes.lower()}) {returns.lower()}"
    return f"## Signature\n\n```text\n{call}\n```"


def _marks(subject: Subject, given: list[Attribute]) -> Iterator[str]:
    """What the marks of the list below mean, of those that it has."""
    if subject.made_anew:
        what = f"makes {subject.made_anew}, visibly in the plan"
        yield f"A change of what is marked **replaces** {what}."
    if subject.fixed:
        yield "A change of what is marked **fixed** is an error of the plan."
    if subject.fixed or subject.made_anew:
        yield "All else changes in place: [what a change does](../guides/changes.md)."
        yield ""


def _list(subject: Subject, attributes: list[Attribute], at: tuple[str, ...] = ()) -> list[str]:
    """The attributes, required ones first, and after them those within each of them."""
    lines: list[str] = []
    nested: list[str] = []
    for its in sorted(attributes, key=lambda its: not its.required):  # sorted keeps the rest
        path = (*at, its.name)
        inside = _object(subject.shapes.get(its.name, its.type))
        below = f" See [below](#{'-'.join(path)})." if inside else ""
        notes = ", ".join(_notes(subject, its, path))
        lines.append(f"- `{its.name}` ({notes}) {_described(its)}{below}")
        if inside:
            nested += [f'<a id="{"-".join(path)}"></a>', f"### `{'.'.join(path)}`", ""]
            nested += _list(subject, list(inside.attributes), path)
    return [*lines, "", *nested]


def _notes(subject: Subject, its: Attribute, path: tuple[str, ...]) -> Iterator[str]:
    yield _block(its) if its.block else _type(its.type)
    if its.configurable:
        yield "required" if its.required else "optional"
    if its.optional and its.computed and its.default is None:
        yield "computed where not set"
    if its.sensitive:
        yield "sensitive"
    if its.replaces:
        yield "**replaces**"
    if len(path) == 1 and its.name in subject.fixed:
        yield "**fixed**"


def _described(its: Attribute) -> str:
    """Raises Bug where an attribute's text does not tell the value that it has when not set."""
    value = str(its.default).lower() if isinstance(its.default, bool) else its.default
    if value is not None and f"Default `{value}`." not in its.description:
        raise Bug(f'the description of {its.name} has to end with "Default `{value}`."')
    return its.description


def _object(type_: Type) -> Object | None:
    inside = getattr(type_, "element", type_)
    return inside if isinstance(inside, Object) else None


def _block(its: Attribute) -> str:
    match its.type:
        case Map():
            return f'blocks `{its.name} "NAME" {{ }}`'
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

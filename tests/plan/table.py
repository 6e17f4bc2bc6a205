"""Cases of the ladder as people write them, and the plan that a case gets: see cases/README.md."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from plan.cluster import ROLES, WORDS
from rpool.decide.plan import Plan
from rpool.model.step import Step, StepName

CASES = Path(__file__).with_name("cases")


class BadCase(Exception):
    """A case that makes no sense, and where it is."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spec(_Strict):
    """A request, as far as a plan depends on it."""

    metallb: str | None = None
    cni: str = "flannel"
    drain: str = "fail"
    name: str = "batch"
    trust: str = ""


class RecordSaid(_Strict):
    """`settled` and `wanted` as they stand in the cluster's record."""

    settled: Spec | None = Spec()
    wanted: Spec | None = None
    # Whether the operation that plans has written it: it plans for the second time.
    ours: bool = False


class ApiSaid(_Strict):
    through: str | None = None  # None: the first control plane that serves
    tokens: bool = False
    metallb: bool = False
    # Members of etcd that are on no server of the case: `dead` or `alive`.
    etcd: Mapping[str, str] | None = Field(default_factory=dict)


class Labels(_Strict):
    labels: Mapping[str, str] = Field(default_factory=dict)
    taints: tuple[str, ...] = ()


class Wish(Spec):
    control_planes: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    pinned: Mapping[str, Labels] = Field(default_factory=dict)
    one: str | None = None
    given_up: tuple[str, ...] = ()


class Case(_Strict):
    why: str = ""
    servers: Mapping[str, str]
    record: RecordSaid | None = RecordSaid()
    api: ApiSaid | None = ApiSaid()
    # What the record says of pinned servers, where that is anything.
    labelled: Mapping[str, Labels] = Field(default_factory=dict)
    desired: Wish
    steps: Mapping[str, tuple[str, ...] | str | None] | None = None
    blocked: tuple[str, ...] = ()
    raises: str | None = None

    @model_validator(mode="after")
    def _names(self) -> Case:
        for name, words in self.servers.items():
            role, *more = (word.strip() for word in words.split(","))
            if role not in ROLES:
                raise ValueError(f"{name}: {role!r} is none of {', '.join(ROLES)}")
            for word in more:
                if word not in WORDS:
                    raise ValueError(f"{name}: {word!r} is none of {', '.join(sorted(WORDS))}")
        wish = self.desired
        one = {wish.one} if wish.one else set()
        named = {*wish.control_planes, *wish.workers, *wish.pinned, *self.labelled, *one}
        named |= set(wish.given_up)
        if unknown := named - self.servers.keys():
            raise ValueError(f"{', '.join(sorted(unknown))}: not among the case's servers")
        if (self.raises is None) == (self.steps is None):
            raise ValueError("a case has `steps` (with `blocked`, perhaps) or `raises`")
        return self


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice: YAML would forget the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise BadCase(f"{node.start_mark}: {', '.join(twice)} is there twice")
        return super().construct_mapping(node, deep)


def read(text: str, where: str) -> dict[str, Case]:
    """The cases in a file, by their titles. Raises BadCase with each mistake and its place."""
    document = yaml.load(text, _Loader)  # noqa: S506 it is a SafeLoader
    if not isinstance(document, dict):
        raise BadCase(f"{where}: a file has cases by their titles")
    cases = {}
    for title, case in document.items():
        try:
            cases[str(title)] = Case.model_validate(case)
        except ValidationError as error:
            mistakes = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise BadCase("\n  ".join([f"{where}: {title}", *mistakes])) from None
    return cases


def all_cases() -> Iterator[tuple[str, Case]]:
    for file in sorted(CASES.glob("*.yaml")):
        for title, case in read(file.read_text(), file.name).items():
            yield f"{file.stem}: {title}", case


# -- what a plan is compared with -------------------------------------------------------------


@dataclass(frozen=True)
class Waits:
    """What a step waits for directly, and not through another step. `~` marks what need only be
    over, however it ended.
    """

    names: tuple[str, ...]


def waits(steps: tuple[Step, ...]) -> dict[StepName, tuple[str, ...]]:
    before: dict[StepName, frozenset[StepName]] = {}
    needed: dict[StepName, tuple[str, ...]] = {}
    for step in steps:
        direct = step.needs | step.after
        before[step.name] = direct.union(*(before[name] for name in direct))
        last = [n for n in direct if not any(n in before[other] for other in direct)]
        needed[step.name] = tuple(sorted(n if n in step.needs else f"~{n}" for n in last))
    return needed


def expected(case: Case) -> dict[StepName, tuple[str, ...] | None]:
    """Steps and what they wait for; None where a case does not say."""
    steps = (case.steps or {}).items()
    return {
        name: needs
        if needs is None
        else tuple(sorted([needs] if isinstance(needs, str) else needs))
        for name, needs in steps
    }


def shown(plan: Plan) -> str:
    """A plan as a case has it, to be read and pasted."""
    lines = ["  steps:"]
    for name, needs in waits(plan.steps).items():
        lines.append(f"    {name}: [{', '.join(needs)}]")
    if not plan.steps:
        lines = ["  steps: {}"]
    if plan.blocked:
        lines.append("  blocked:")
        lines += [f"    - {error.summary}" for error in plan.blocked]
    return "\n".join(lines)

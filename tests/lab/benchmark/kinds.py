"""Whether an entry holds, by its kind, purely.

What is not there does not hold: no entry is met because there was nothing to look at.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from benchmark.entries import Entry, many
from benchmark.facts import Facts, File
from benchmark.pods import name_of, was_refused
from benchmark.rules import RULES, granted, wildcards

Condition = Mapping[str, Any]


def problem(entry: Entry, facts: Facts) -> str:
    """Why the entry does not hold; empty when it does."""
    return KINDS[entry.kind](entry, facts)


def _flag(entry: Entry, facts: Facts) -> str:
    """`name` is one flag or some, of each process of that name; the rest is a condition."""
    process, names, condition = _split(entry.wanted, "process", "name")
    lines = [words for words in facts.processes if PurePosixPath(words[0]).name == process]
    if not lines:
        return f"no {process} runs"
    values = {f"--{name}": _value(words, name) for words in lines for name in many(names)}
    return _first(_unmet(what, value, condition) for what, value in values.items())


def _value(words: Sequence[str], name: str) -> str | None:
    """The last value of a flag on a command line; a flag without one is true."""
    values = [word.partition("=") for word in words if word.split("=")[0] == f"--{name}"]
    if not values:
        return None
    _, given, value = values[-1]
    return value if given else "true"


def _kubelet(entry: Entry, facts: Facts) -> str:
    """`path` has dots; a flag of the kubelet is in its own report, too."""
    path, condition = _split(entry.wanted, "path")
    if not facts.kubelet:
        return "the kubelet has not said how it is configured"
    setting: Any = facts.kubelet
    for key in path.split("."):
        setting = setting.get(key) if isinstance(setting, Mapping) else None
    return _unmet(path, setting, condition)


def _listens(entry: Entry, facts: Facts) -> str:
    port, condition = _split(entry.wanted, "port")
    ends = [address.rpartition(":") for address in facts.listens]
    addresses = [address for address, _, bound in ends if bound == str(port)]
    return _unmet(f"who listens at {port}", addresses or None, condition)


def _file(entry: Entry, facts: Facts) -> str:
    """`path` is one pattern or some; `mode` is what it may be at most."""
    path, wanted = _split(entry.wanted, "path")
    return _first(_pattern(pattern, wanted, facts) for pattern in many(path))


def _pattern(pattern: str, wanted: Condition, facts: Facts) -> str:
    if not facts.files:
        return "no file was told"
    files = [file for file in facts.files if PurePosixPath(file.path).match(pattern)]
    if wanted == {"missing": True}:
        return f"{pattern} is there" if files else ""
    if not files:
        return f"there is no {pattern}"
    return _first(_open_file(file, **wanted) for file in files)


def _open_file(file: File, mode: str = "", owner: str = "") -> str:
    if mode and file.mode & ~int(mode, 8):
        return f"{file.path} has mode {file.mode:o}"
    if owner and file.owner != owner:
        return f"{file.path} is {file.owner}'s"
    return ""


def _rights(entry: Entry, facts: Facts) -> str:
    """Bindings that give one of `verbs` on one of `resources`; `but` are fine."""
    return granted(facts, **entry.wanted)


def _wildcards(entry: Entry, facts: Facts) -> str:
    return wildcards(facts, **entry.wanted)


def _refused(entry: Entry, facts: Facts) -> str:
    return was_refused(name_of(entry.id), entry.wanted["for"], facts)


def _rule(entry: Entry, facts: Facts) -> str:
    return RULES[entry.wanted](facts)


KINDS: Mapping[str, Callable[[Entry, Facts], str]] = {
    "flag": _flag,
    "kubelet": _kubelet,
    "listens": _listens,
    "file": _file,
    "rights": _rights,
    "wildcards": _wildcards,
    "refused": _refused,
    "rule": _rule,
}


def _split(wanted: Condition, *keys: str) -> tuple[Any, ...]:
    """The values of these keys, and what else there is."""
    rest = {key: value for key, value in wanted.items() if key not in keys}
    return (*(wanted[key] for key in keys), rest)


def _first(problems: Iterable[str]) -> str:
    return next(filter(None, problems), "")


def _listed(actual: Any) -> list[Any]:
    return actual.split(",") if isinstance(actual, str) else many(actual)


CONDITIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "is": operator.eq,
    "is_not": operator.ne,
    "has": lambda actual, value: value in _listed(actual),
    "lacks": lambda actual, value: value not in _listed(actual),
    "within": lambda actual, values: set(_listed(actual)) <= set(values),
    "at_least": lambda actual, least: int(actual) >= int(least),
    "set": lambda actual, _: actual != "",
    "absent": lambda _, __: False,
}
"""By the actual value; `absent` alone is met by none."""


def _unmet(what: str, actual: Any, condition: Condition) -> str:
    [(word, value)] = condition.items()
    if actual is None:
        return "" if word == "absent" else f"{what} is not there"
    return "" if CONDITIONS[word](actual, value) else f"{what} is {actual}"

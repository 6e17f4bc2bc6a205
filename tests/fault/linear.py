"""Whether a history of one server's claim could be that of a register with compare-and-set.

An operation takes effect at some moment between its call and its return; one with an unknown
outcome takes effect at any moment after its call, or never. A history is linearizable if the
operations can be put into one order that heeds those moments and explains each answer (Herlihy and
Wing 1990; the search is that of Wing and Gong 1993, and remembers visited states, as Lowe's does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

Value = tuple[str, int] | None
"""The uid and the epoch of a claim; None where there is none."""

NEVER = float("inf")


class Answer(Enum):
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Call:
    """`expects` are the values at which the operation is done, and `becomes` is what is there then.
    A look expects the value that it found, which stays.
    """

    called: float
    returned: float
    expects: tuple[Value, ...]
    becomes: Value
    answer: Answer = Answer.DONE

    def after(self, value: Value) -> Value:
        return self.becomes if value in self.expects else value

    def explains(self, value: Value) -> bool:
        """Whether the call can have had its answer if the register held this value."""
        match self.answer:
            case Answer.DONE:
                return value in self.expects
            case Answer.REFUSED:
                return value not in self.expects
            case Answer.UNKNOWN:
                return True


def is_linearizable(calls: Sequence[Call], begins: Value = None) -> bool:
    known = {i for i, call in enumerate(calls) if call.answer is not Answer.UNKNOWN}
    visited: set[tuple[frozenset[int], Value]] = set()
    todo: list[tuple[frozenset[int], Value]] = [(frozenset(range(len(calls))), begins)]
    while todo:
        remaining, value = todo.pop()
        if not remaining & known:
            return True  # a call with an unknown outcome may never have happened
        if (remaining, value) in visited:
            continue
        visited.add((remaining, value))
        first_return = min(_returned(calls[i]) for i in remaining)
        for i in remaining:
            call = calls[i]
            if call.called <= first_return and call.explains(value):
                todo.append((remaining - {i}, call.after(value)))
    return False


def _returned(call: Call) -> float:
    return NEVER if call.answer is Answer.UNKNOWN else call.returned

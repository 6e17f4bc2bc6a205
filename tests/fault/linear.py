"""Whether a history of one server's claim could be that of a register with compare-and-set.

An operation takes effect at some moment between its call and its return; one whose outcome nobody
knows takes effect at any moment after its call, or never. A history is linearizable if the
operations can be put into one order that heeds those moments and explains each answer (Herlihy and
Wing 1990; the search is that of Wing and Gong 1993, which remembers where it has been, as Lowe's).
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
    One that just looks expects what it found, which stays.
    """

    called: float
    returned: float
    expects: tuple[Value, ...]
    becomes: Value
    answer: Answer = Answer.DONE

    def after(self, value: Value) -> Value:
        return self.becomes if value in self.expects else value

    def explains(self, value: Value) -> bool:
        """Whether it can have had its answer where the register had this value."""
        match self.answer:
            case Answer.DONE:
                return value in self.expects
            case Answer.REFUSED:
                return value not in self.expects
            case Answer.UNKNOWN:
                return True


def is_linearizable(calls: Sequence[Call], begins: Value = None) -> bool:
    known = {i for i, its in enumerate(calls) if its.answer is not Answer.UNKNOWN}
    been: set[tuple[frozenset[int], Value]] = set()
    todo: list[tuple[frozenset[int], Value]] = [(frozenset(range(len(calls))), begins)]
    while todo:
        left, value = todo.pop()
        if not left & known:
            return True  # what nobody knows the outcome of may never have happened
        if (left, value) in been:
            continue
        been.add((left, value))
        first_return = min(_returned(calls[i]) for i in left)
        for i in left:
            its = calls[i]
            if its.called <= first_return and its.explains(value):
                todo.append((left - {i}, its.after(value)))
    return False


def _returned(call: Call) -> float:
    return NEVER if call.answer is Answer.UNKNOWN else call.returned

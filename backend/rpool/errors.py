"""Every way in which the engine can fail, as a small closed family.

Whether trying again can help is part of the type (`retryable`), so no code guesses it from a
message. A message is written for the person who reads it in a terminal: `summary` is one line that
says what is wrong and where; `detail` says what was tried, what came back and what to do next.
No error ever carries a secret: scripts travel by standard input and are not part of an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from rpool.advice import Do

Path = tuple[str | int, ...]
"""Where in a configuration: attribute names, map keys and list indexes, outermost first."""


_NOT_PRINTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\ud800-\udfff"  # surrogates: nothing can encode them
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"  # changes of direction, line breaks
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)


def printable(text: str) -> str:
    """`text` with control characters and private keys masked, so that it is safe on a terminal.
    Text from a server could clear the screen, write to the clipboard or reverse a sentence.
    """
    return _NOT_PRINTED.sub("?", _PRIVATE_KEY.sub("****", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    """`text` on one line: text from a server must not pass for a line of ours."""
    return " ".join(printable(text).split())


class RpoolError(Exception):
    """The base of all errors of the engine. Their texts are printable, whatever they quote."""

    retryable: ClassVar[bool] = False

    def __init__(self, summary: str, detail: str = "") -> None:
        summary, detail = printable(summary), printable(detail)
        super().__init__(f"{summary}\n{detail}" if detail else summary)
        self.summary = summary
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration, at `path`: empty when it is about the whole. `also` are the
    other paths that it is about.
    """

    path: Path
    summary: str
    detail: str = ""
    also: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "summary", printable(self.summary))
        object.__setattr__(self, "detail", printable(self.detail))


def known(problems: Iterable[Problem], unknown: Collection[Path]) -> list[Problem]:
    """The problems that touch no unknown value; the others may turn out not to be problems."""
    return [
        problem
        for problem in problems
        if not any(touches(at, unknown) for at in (problem.path, *problem.also))
    ]


def touches(path: Path, unknown: Collection[Path]) -> bool:
    """Whether the value at `path` is inside an unknown one, or contains one."""
    return any(path[: len(hidden)] == hidden[: len(path)] for hidden in unknown)


class SpecError(RpoolError):
    """The request is wrong or impossible; nothing was touched. `problems` has all findings."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.summary for problem in self.problems))


class DoesNotFit(SpecError):
    """The fleet cannot hold the request; the message counts what is free and what is missing."""


class Unreachable(RpoolError):
    """No contact with a server. Says nothing about whether it is alive."""

    retryable = True


class NotInFleet(Unreachable):
    """The fleet lacks the server, so there is no way to reach it; a retry changes nothing."""

    retryable = False


class OutcomeUnknown(RpoolError):
    """Contact was lost while a command ran: it may have happened or not, so observe again."""

    retryable = True


class CommandFailed(RpoolError):
    """A command on a server ended with an error; `detail` has the end of what it printed."""


class NotDrained(CommandFailed):
    """Pods were left when a drain ran out of time; `detail` says which, and why."""


class Refused(RpoolError):
    """A server or a rule said no on purpose: a foreign claim, a dirty server, a quorum at risk."""


class WrongHostKey(Refused):
    """The host key at a server's address is not the one in the fleet. It may be the server,
    installed anew, or something that poses as it.
    """


class LockHeld(Refused):
    """Another operation holds the cluster's session lock."""


class ForeignClaim(Refused):
    """The server has another cluster's claim: nothing was done there."""


class NotClaimed(Refused):
    """The server has no claim at all, so there was nothing to do there."""


class NewerFormat(Refused):
    """The data was written by a newer rpool; this one changes nothing."""


class Overtaken(Refused):
    """A later operation on the same cluster has been on the server: nothing was done there.
    `session` is the number of that operation, 0 where it is not known.
    """

    def __init__(self, summary: str, detail: str = "", session: int = 0) -> None:
        super().__init__(summary, detail)
        self.session = session


class StalePlan(RpoolError):
    """The world changed between plan and apply: a planned server is no longer available. `taken`:
    such servers, with the reason for each, for the next plan.
    """

    def __init__(
        self, summary: str, detail: str = "", taken: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(summary, detail)
        self.taken = dict(taken)


class TimedOut(RpoolError):
    """A deadline passed; the message says what was being waited for."""


class Interrupted(RpoolError):
    """A stop was requested; no new step was started."""


class Bug(RpoolError):
    """Something that cannot happen did. Worth a report."""


def check_format(what: str, number: object, known: int) -> None:
    """Raise NewerFormat when `number` is later than `known`, ValueError when it is no format."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"{what} has no format number")
    if number > known:
        raise NewerFormat(
            f"{what} has format {number}: a newer rpool wrote it",
            f"This one knows format {known} and changes nothing. {Do.USE_NEWER.text()}",
        )


def as_rpool_error(error: Exception, doing: str) -> RpoolError:
    """An RpoolError as it is, else a Bug with its type alone: its message might hold a secret."""
    if isinstance(error, RpoolError):
        return error
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_code.co_qualname}:{frame.tb_lineno}" if frame else ""
    return Bug(f"{doing}: unexpected {type(error).__name__}{place}")


def together(errors: Iterable[RpoolError]) -> RpoolError:
    """The first error, with the others in its detail. A StalePlan comes first: the next plan needs
    its `taken`.
    """
    stale = [error for error in errors if isinstance(error, StalePlan)]
    first, *others = sorted(errors, key=lambda error: error not in stale)
    if not others:
        return first
    also = "\n".join(f"Also: {error.summary}" for error in others)
    detail = f"{first.detail}\n{also}".strip()
    if isinstance(first, StalePlan):
        taken = {name: why for error in stale for name, why in error.taken.items()}
        return type(first)(first.summary, detail, taken)
    return type(first)(first.summary, detail)

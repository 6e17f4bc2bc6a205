"""What the user is told: errors and warnings, each about a place in the configuration."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType

from rpool.errors import Path, RpoolError, SpecError, printable


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or a warning. `path` is empty when it is about the whole resource."""

    summary: str
    detail: str = ""
    path: Path = ()
    is_error: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "summary", printable(self.summary))
        object.__setattr__(self, "detail", printable(self.detail))


def warning(summary: str, detail: str = "", path: Path = ()) -> Diagnostic:
    return Diagnostic(summary, detail, path, is_error=False)


def of_error(error: BaseException) -> list[Diagnostic]:
    """The diagnostics of an exception: the engine's errors as they are, any other as a bug."""
    if isinstance(error, SpecError):
        return [Diagnostic(p.summary, p.detail, p.path) for p in error.problems]
    if isinstance(error, RpoolError):
        return [Diagnostic(error.summary, error.detail)]
    return [_bug(error)]


def _bug(error: BaseException) -> Diagnostic:
    """Where an exception happened, without its own message, which may quote a secret."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    lines = [
        "This is a bug in rpool. Please report it with the following lines; they hold no value of",
        "your configuration.",
        "",
        f"{type(error).__name__} on Python {python}",
        *places(error.__traceback__),
    ]
    return Diagnostic(f"rpool failed unexpectedly: {type(error).__name__}", "\n".join(lines))


def places(traceback: TracebackType | None) -> Iterable[str]:
    """The frames of a traceback as `package/file.py:line function`, outermost first."""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        name = "/".join(code.co_filename.split("/")[-3:])
        yield f"  {name}:{traceback.tb_lineno} {code.co_name}"
        traceback = traceback.tb_next

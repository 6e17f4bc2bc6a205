"""Errors are printed on a terminal: text from a server in one must not control the terminal."""

from __future__ import annotations

import pytest

from rpool.errors import CommandFailed, Problem, RpoolError, SpecError, printable
from rpool.reach.ssh import Completed
from rpool.reach.verdict import Exit, failure
from rpool_provider import diagnostic

EVIL = {
    "clipboard": "\x1b]52;c;cm0gLXJmIC8K\x07",
    "cleared screen": "\x1b[2J\x1b[HNo changes.",
    "the same in C1": "\x9b2J\x9d52;c;cm0gLXJmIC8K\x9c",
    "overwritten line": "error\rdone ",
    "bidi": "\u202egnihton\u202c \u2066x\u2069 \u200f \u061c",
    "others of C0": "".join(map(chr, {*range(32), 127} - {9, 10, 13})),
    "lines of Unicode's": "a\u2028b\u2029c",
    "halves of characters": "\ud800\udfff",
}


def steers(text: str) -> bool:
    bidi = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return any(
        character in bidi
        or 0xD800 <= ord(character) < 0xE000  # nothing can encode it
        or (ord(character) < 160 and not character.isprintable())
        for character in text.replace("\n", "").replace("\t", "")
    )


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_no_error_steers_a_terminal(evil: str) -> None:
    error = RpoolError(f"r1u04 {evil}", f"said\n\t{evil}")
    problems = SpecError([Problem((), f"r1u04 {evil}", evil)])
    texts = [str(error), error.summary, error.detail, repr(error), str(problems)]
    diagnostics = [
        *diagnostic.of_error(error),
        *diagnostic.of_error(problems),
        diagnostic.warning(evil),
    ]
    texts += [text for each in diagnostics for text in (each.summary, each.detail)]
    assert not [text for text in texts if steers(text)]
    assert error.detail.startswith("said\n\t")


@pytest.mark.parametrize("code", [1, *Exit])
@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_what_a_server_prints_does_not_steer_it_either(evil: str, code: int) -> None:
    printed = evil.encode(errors="surrogatepass")
    error = failure("claiming", "r1u04", Completed(code, printed, printed))
    assert error is not None
    assert not steers(str(error))


def test_lines_that_end_as_on_windows_are_lines() -> None:
    assert printable("one\r\ntwo\r\n") == "one\ntwo\n"


@pytest.mark.parametrize("end", ["\n-----END OPENSSH PRIVATE KEY-----", ""])
def test_a_private_key_is_not_part_of_an_error(end: str) -> None:
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0{end}"
    error = CommandFailed(f"no cluster {key}", f"asked for {key}")
    assert "c2VjcmV0" not in str(error)

"""What a finished script means: success, or an error that says which server, what and why.

The exit codes are those of scripts/library.sh. Errors show no secret: the action's secret values
are cut out of the output, and so is everything that looks like a token or a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum

from rpool.advice import Do
from rpool.errors import (
    CommandFailed,
    ForeignClaim,
    LockHeld,
    NotClaimed,
    NotDrained,
    Overtaken,
    Refused,
    RpoolError,
    TimedOut,
)
from rpool.model.claim import MOST_SESSION, Claim
from rpool.model.failure import Failure
from rpool.model.secret import Secret
from rpool.model.server import ServerName
from rpool.model.trust import named, read_mark
from rpool.reach.sightings import UNREADABLE, read_claim
from rpool.reach.ssh import Completed

SHOWN_LINES = 20
MOST_TRACES = 5
"""In one summary."""
SHOWN_CHARACTERS = 500
"""Of one line: a server may print lines of any length."""


class Exit(IntEnum):
    """The exit codes with a meaning, as in scripts/library.sh; 124 and 137 are `timeout`'s own."""

    FOREIGN = 81
    STALE = 82
    UNCLAIMED = 83
    DIRTY = 84
    BUSY = 85
    HELD = 86
    UNCLEAN = 87
    MISSING = 88
    FETCH = 89
    OVERTAKEN = 90
    WAS_MEMBER = 91
    FORMAT = 92
    MISPLACED = 93
    LATER = 94
    DOMAIN = 95
    ALTERED = 96
    ASIDE = 97
    UNDRAINED = 98
    TIMED_OUT = 124
    KILLED = 137


def failure(
    doing: str, server: ServerName, completed: Completed, secrets: Iterable[Secret] = ()
) -> RpoolError | None:
    """The error that the end of a script stands for, or None when it succeeded."""
    if completed.code == 0:
        return None
    printed = redact(completed.stdout.decode(errors="replace"), secrets)
    stdout = "\n".join(_short(printed.splitlines()[:SHOWN_LINES]))
    stderr = _tail(redact(completed.stderr.decode(errors="replace"), secrets))
    match completed.code:
        case Exit.FOREIGN:
            return ForeignClaim(f"{server} {_whose(printed)}", f"{doing}: nothing was done there.")
        case Exit.STALE:
            summary = f"{server} has a different claim than this command expects"
            return Refused(summary, f"{doing}: nothing was done there. It {_whose(printed)}.")
        case Exit.FORMAT:
            return _unread(doing, server, printed)
        case Exit.MISPLACED:
            detail = f"{doing}: nothing was done there. {Do.OWN_ADDRESSES.text()}"
            return Refused(_misplaced(server, printed), detail)
        case Exit.LATER:
            summary = f"a later operation has worked on {server}"
            detail = f"{doing}: nothing was done there. {Do.PLAN_AGAIN.text()}"
            number = printed.strip()
            session = int(number) if number.isascii() and number.isdigit() else 0
            return Overtaken(summary, f"{detail}\n{stderr}", min(session, MOST_SESSION))
        case Exit.UNCLAIMED:
            summary = f"{server} is not claimed, so nothing was done there"
            return NotClaimed(summary, f"{doing}: the claim was expected. Was it released?")
        case Exit.DIRTY:
            traces = ", ".join(stdout.splitlines()[:MOST_TRACES])
            summary = f"{server} is not clean: {traces or 'it has traces of Kubernetes'}"
            return Refused(summary, f"{stdout}\n{Do.CLEAN.text()}".lstrip())
        case Exit.DOMAIN:
            domain = named(read_mark(printed))
            summary = f"{server} has served in {domain}: reinstall it before it serves in another"
            return Refused(summary, f"{doing}: nothing was done there.")
        case Exit.ASIDE:
            summary = f"{server} was quarantined: {Failure.of_line(printed.strip())}"
            return Refused(summary, Do.LIFT.text(server=server))
        case Exit.BUSY:
            return Refused(f"{doing}: {server} is busy", stderr)
        case Exit.HELD:
            summary = f"another operation holds the cluster's lock on {server}"
            return LockHeld(summary, f"{stderr}\n{Do.WAIT.text()}")
        case Exit.OVERTAKEN:
            summary = "another operation works on the cluster, and has written its record"
            return Refused(summary, f"{stderr}\n{Do.WAIT.text()}")
        case Exit.WAS_MEMBER:
            summary = f"{server} has been a member of its cluster, so nothing was undone there"
            return Refused(summary, f"{doing}: {stderr}\n{Do.PUT_MARK_BACK.text(server=server)}")
        case Exit.UNCLEAN:
            summary = f"{server} is not clean after its reset; its claim was kept"
            return CommandFailed(summary, f"Left over:\n{stdout}\n{stderr}".rstrip())
        case Exit.ALTERED:
            summary = f"{server} has packages whose files were changed; its claim was kept"
            return CommandFailed(summary, f"{stdout}\n{stderr}\n{Do.REINSTALL.text()}")
        case Exit.UNDRAINED:
            return NotDrained(f"{doing} (through {server}) has not ended in time", stderr)
        case Exit.TIMED_OUT | Exit.KILLED:
            return TimedOut(f"{doing} on {server} did not end in time", stderr)
        case code:
            output = stderr or _tail(printed)
            return CommandFailed(f"{doing} failed on {server} (exit {code})", output)


def _unread(doing: str, server: ServerName, text: str) -> Refused:
    """The error for a claim that cannot be read. A damaged one counts as another cluster's; one of
    another format may be of this cluster.
    """
    claim = read_claim(text)
    summary = f"{server} has a claim that {claim if isinstance(claim, str) else UNREADABLE}"
    damaged = claim == UNREADABLE or isinstance(claim, Claim)
    return (ForeignClaim if damaged else Refused)(summary, f"{doing}: nothing was changed there.")


def _misplaced(server: ServerName, text: str) -> str:
    claim = read_claim(text)
    owner = claim.server if isinstance(claim, Claim) else "another server"
    return f"{server} has the claim of {owner}: addresses in the fleet are swapped"


def _whose(text: str) -> str:
    """The owner in a claim's JSON, as the end of a sentence about the server."""
    claim = read_claim(text)
    if isinstance(claim, str):
        return f"has a claim that {claim}"
    return (
        f"is claimed by cluster {claim.pool} (uid {claim.uid}, {claim.phase.value}, "
        f"owner {claim.owner}) since {claim.since}"
    )


def _tail(text: str) -> str:
    """The last lines, without kubeadm's long coloured report on the kernel's configuration."""
    lines = [line for line in text.strip().splitlines() if "\x1b[" not in line]
    return "\n".join(_short(lines[-SHOWN_LINES:]))


def _short(lines: Iterable[str]) -> list[str]:
    return [f"{line[:SHOWN_CHARACTERS]}..." if line[SHOWN_CHARACTERS:] else line for line in lines]


_SECRET_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=client-key-data)([\"']?:\s*[\"']?)[A-Za-z0-9+/=]+"  # of a kubeconfig
    r"|LS0tLS1CRUdJTi(?!BDRVJUSUZJQ0FURS)[A-Za-z0-9+/=]{20,}"  # any PEM in base64 but certificates
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JWT, as of a service account
    r"|\bsecret[\"']?\s*:\s*[\"']?[A-Za-z0-9+/]{40,}=*"  # a key of an EncryptionConfiguration
    r"|(?<![A-Za-z0-9+/])ZXlK[A-Za-z0-9+/=]{40,}"  # the same as its Secret has it, in base64
    r"|(?<![a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9.])"  # a bootstrap token
    r"|(?<!sha256:)(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])",  # a certificate key, but no CA pin
    re.DOTALL,
)


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """`text` without the given secrets and without anything that looks like one of kubeadm's."""
    for secret in secrets:
        if secret.reveal():
            text = text.replace(secret.reveal(), "****")
    return _SECRET_SHAPES.sub("****", text)

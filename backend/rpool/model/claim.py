"""Claims: the marks on servers that say which cluster owns them."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum

from rpool.errors import printable
from rpool.model.pool import DEFAULT_GROUP, UID, PoolUid
from rpool.model.ranges import address_range
from rpool.model.server import Role, ServerName
from rpool.model.trust import COMMON, Domain, read_domain

FORMAT = 1
"""Of a claim's text. What is coming has its name in it already (`quarantine`): such a claim can be
read by this version, and keeps it (see phase.sh).
"""

MOST_CHARACTERS = 200
MOST_RANGES = 4000  # characters of all together
MOST_SESSION = 999_999_999
"""Nine digits: any shell can compare them."""

CA_PIN = re.compile("sha256:[0-9a-f]{64}")
"""The pin of a cluster's CA: the digest of its public key, as kubeadm has it."""

_TEXTS = (
    "uid",
    "pool",
    "owner",
    "role",
    "phase",
    "epoch",
    "since",
    "server",
    "machine_id",
    "session",
    "group",
    "request",
)


class UnknownFormat(ValueError):
    """Why a claim is not read at all, as the end of a sentence about it."""

    def __init__(self, found: object) -> None:
        is_newer = type(found) is int and found > FORMAT
        super().__init__(
            f"was written by a newer rpool (format {str(found)[:9]}; this one knows {FORMAT}): "
            "use that version"
            if is_newer
            else "has no format number, so no rpool that is known wrote it"
        )


class Phase(StrEnum):
    """How far a server is in its cluster."""

    BOOTSTRAPPING = "bootstrapping"  # claimed, prepared, about to become a member
    MEMBER = "member"
    LEAVING = "leaving"  # drained or being reset; never used for new work again


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a guard checks before anything is changed on a server.

    `epoch` counts the cluster's changes: a server that left and came back has a later one, so a
    command that was meant for its earlier life is refused.

    `session` is the number of the session that acts: a server that a later one has been on refuses
    it. 0 is none: it is neither compared nor left there.
    """

    uid: PoolUid
    epoch: int
    session: int = 0


@dataclass(frozen=True, slots=True)
class Fence:
    """What a look under a session leaves on the server: no earlier session of the cluster's acts
    there afterwards.
    """

    uid: PoolUid
    session: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The mark itself, a file on the server (see `reach/scripts/claim.sh`).

    `since` (RFC 3339) and `owner` are for people; by `since` alone it is decided which of two
    creates that want the same address gives way.
    """

    uid: PoolUid
    pool: str
    owner: str
    role: Role
    phase: Phase
    epoch: int
    since: str
    server: ServerName  # on which it is: it shows when addresses in the fleet change places
    machine_id: str
    session: int = 0  # that has taken it; 0: none
    group: str = DEFAULT_GROUP
    request: str = ""  # a digest of what the cluster was to be when this was claimed
    # A control plane's: the addresses of the cluster when this was claimed.
    vip: str = ""
    ranges: tuple[str, ...] = ()
    ca_pin: str = ""  # a member's: the pin of the CA that it joined
    trust: Domain = COMMON  # of the cluster; the server's mark has it from here (claim.sh)

    @property
    def is_joining(self) -> bool:
        """Claimed and perhaps prepared, but no member yet."""
        return self.phase is Phase.BOOTSTRAPPING

    @property
    def is_member(self) -> bool:
        return self.phase is Phase.MEMBER

    @property
    def is_leaving(self) -> bool:
        """Drained, or being reset: the server does not come back as it is."""
        return self.phase is Phase.LEAVING

    @property
    def ownership(self) -> Ownership:
        """For the session that has taken it; any other that acts puts its own number there."""
        return Ownership(self.uid, self.epoch, self.session)

    def as_dict(self) -> dict[str, str | int]:
        return {"format": FORMAT, **asdict(self), "ranges": " ".join(self.ranges)}

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Claim:
        """The claim in a parsed claim file; raises KeyError or ValueError when it is none, and
        UnknownFormat when this version cannot read it. It is the server's word, and goes into plans
        and errors: no text in it is long or steers a terminal.
        """
        found = data["format"] if "format" in data else None  # noqa: SIM401 it may be a list
        if type(found) is not int or found != FORMAT:
            raise UnknownFormat(found)
        text = {name: printable(str(data[name])[:MOST_CHARACTERS]) for name in _TEXTS}
        if not UID.fullmatch(text["uid"]):
            raise ValueError("its uid is none")
        return cls(
            uid=text["uid"],
            pool=text["pool"],
            owner=text["owner"],
            role=Role(text["role"]),
            phase=Phase(text["phase"]),
            epoch=int(text["epoch"]),
            since=text["since"],
            server=text["server"],
            machine_id=text["machine_id"],
            session=session_number(text["session"]),
            group=text["group"],
            request=text["request"],
            vip=next(iter(_ranges(data.get("vip"))), ""),
            ranges=_ranges(data.get("ranges")),
            ca_pin=_pin(data.get("ca_pin")),
            trust=_domain(data.get("trust")),
        )


def _pin(value: object) -> str:
    """What is no pin is as if it were not there."""
    return value if isinstance(value, str) and CA_PIN.fullmatch(value) else ""


def _domain(value: object) -> Domain:
    """What is none is as if it were not there: the mark alone decides."""
    with suppress(ValueError):
        return read_domain(value)
    return COMMON


def _ranges(value: object) -> tuple[str, ...]:
    """The addresses and ranges in a text. What is none is as if it were not there."""
    found = []
    for word in str(value or "")[:MOST_RANGES].split():
        with suppress(ValueError):
            address_range(word)
            found.append(word)
    return tuple(found)


def session_number(text: str) -> int:
    """The number of a session as a server tells it. Raises ValueError when it is none."""
    if not text.isascii() or not text.isdigit() or int(text) > MOST_SESSION:
        raise ValueError(f"{text[:20]!r} is no number of a session")
    return int(text)

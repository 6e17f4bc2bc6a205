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
"""The format number in a claim. Fields of later versions have reserved names (`quarantine`): this
version reads a claim with one, and keeps it (see phase.sh).
"""

MOST_CHARACTERS = 200
MOST_RANGES = 4000  # characters of all ranges together
MOST_SESSION = 999_999_999
"""Nine digits: any shell can compare them."""

CA_PIN = re.compile("sha256:[0-9a-f]{64}")
"""The pin of a cluster's CA: the digest of its public key, in kubeadm's form."""

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
    """A claim's format is not this version's; the text is the end of a sentence about the claim."""

    def __init__(self, version: object) -> None:
        is_newer = type(version) is int and version > FORMAT
        super().__init__(
            f"was written by a newer rpool (format {str(version)[:9]}; this one knows {FORMAT}): "
            "use that version"
            if is_newer
            else "has no format number, so no rpool that is known wrote it"
        )


class Phase(StrEnum):
    """How far a server has joined or left its cluster."""

    BOOTSTRAPPING = "bootstrapping"  # claimed, prepared, about to become a member
    MEMBER = "member"
    LEAVING = "leaving"  # drained or being reset; never used for new work again


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a guard checks before anything is changed on a server.

    `epoch` counts the cluster's changes: a server that left and came back has a later one, so a
    command for its earlier life is refused.

    `session` is the number of the session that acts; a server refuses it after a later session has
    been there. 0 is none: it is neither compared nor stored.
    """

    uid: PoolUid
    epoch: int
    session: int = 0


@dataclass(frozen=True, slots=True)
class Fence:
    """What a probe under a session leaves on the server, so that no earlier session of the cluster
    acts there afterwards.
    """

    uid: PoolUid
    session: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The mark itself, a file on the server (see `reach/scripts/claim.sh`).

    `since` (RFC 3339) and `owner` are for people, but where two creates want the same address,
    `since` alone decides which gives way.
    """

    uid: PoolUid
    pool: str
    owner: str
    role: Role
    phase: Phase
    epoch: int
    since: str
    server: ServerName  # where it is: shows when addresses in the fleet were swapped
    machine_id: str
    session: int = 0  # the session that took it; 0: none
    group: str = DEFAULT_GROUP
    request: str = ""  # digest of the cluster's request when this was claimed
    # On a control plane: the cluster's addresses when this was claimed.
    vip: str = ""
    ranges: tuple[str, ...] = ()
    ca_pin: str = ""  # on a member: the pin of the CA that it joined
    trust: Domain = COMMON  # the cluster's; claim.sh makes the server's mark from it

    @property
    def is_joining(self) -> bool:
        """Whether the server is claimed, perhaps prepared, but not yet a member."""
        return self.phase is Phase.BOOTSTRAPPING

    @property
    def is_member(self) -> bool:
        return self.phase is Phase.MEMBER

    @property
    def is_leaving(self) -> bool:
        """Whether the server was drained or is being reset: it does not come back as it is."""
        return self.phase is Phase.LEAVING

    @property
    def ownership(self) -> Ownership:
        """What the session that took the claim checks; any other puts its own number in."""
        return Ownership(self.uid, self.epoch, self.session)

    def as_dict(self) -> dict[str, str | int]:
        return {"format": FORMAT, **asdict(self), "ranges": " ".join(self.ranges)}

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Claim:
        """The claim in a parsed claim file. Raises KeyError or ValueError if it is none, and
        UnknownFormat if this version cannot read it. It comes from a server and goes into plans and
        errors: no text in it is long or has control characters.
        """
        version = data["format"] if "format" in data else None  # noqa: SIM401 it may be a list
        if type(version) is not int or version != FORMAT:
            raise UnknownFormat(version)
        text = {name: printable(str(data[name])[:MOST_CHARACTERS]) for name in _TEXTS}
        if not UID.fullmatch(text["uid"]):
            raise ValueError("its uid is invalid")
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
    """The pin, or "" for anything else."""
    return value if isinstance(value, str) and CA_PIN.fullmatch(value) else ""


def _domain(value: object) -> Domain:
    """The domain, or the common one for anything else: the server's mark alone decides."""
    with suppress(ValueError):
        return read_domain(value)
    return COMMON


def _ranges(value: object) -> tuple[str, ...]:
    """The addresses and ranges in a text, without words that are neither."""
    words = []
    for word in str(value or "")[:MOST_RANGES].split():
        with suppress(ValueError):
            address_range(word)
            words.append(word)
    return tuple(words)


def session_number(text: str) -> int:
    """The number of a session in a server's answer. Raises ValueError if it is none."""
    if not text.isascii() or not text.isdigit() or int(text) > MOST_SESSION:
        raise ValueError(f"{text[:20]!r} is no number of a session")
    return int(text)

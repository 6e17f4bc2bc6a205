"""Claims: the marks on servers that say which pool owns them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from rpool.errors import printable
from rpool.model.pool import PoolUid
from rpool.model.server import Role

MOST_CHARACTERS = 200
_TEXTS = ("uid", "pool", "owner", "role", "phase", "epoch", "since")


class Phase(StrEnum):
    """How far a server is in its pool."""

    BOOTSTRAPPING = "bootstrapping"  # claimed, prepared, about to become a member
    MEMBER = "member"
    LEAVING = "leaving"  # drained or being reset; never used for new work again


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a guard checks before anything is changed on a server.

    `epoch` counts the pool's changes: a server that left and came back has a later one, so a
    command that was meant for its earlier life is refused.
    """

    uid: PoolUid
    epoch: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The mark itself, a file on the server (see `reach/scripts/claim.sh`).

    `since` (RFC 3339) and `owner` are for people: nothing decides on them.
    """

    uid: PoolUid
    pool: str
    owner: str
    role: Role
    phase: Phase
    epoch: int
    since: str

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
        return Ownership(self.uid, self.epoch)

    def as_dict(self) -> dict[str, str | int]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Claim:
        """The claim in a parsed claim file; raises KeyError or ValueError when it is none. It is
        the server's word, and goes into plans and errors: no text in it is long or steers a
        terminal.
        """
        text = {name: printable(str(data[name])[:MOST_CHARACTERS]) for name in _TEXTS}
        return cls(
            uid=text["uid"],
            pool=text["pool"],
            owner=text["owner"],
            role=Role(text["role"]),
            phase=Phase(text["phase"]),
            epoch=int(text["epoch"]),
            since=text["since"],
        )

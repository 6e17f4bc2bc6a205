"""What operators were told of each server's claim, as calls of one register a server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from fault.linear import NEVER, Answer, Call, Value, is_linearizable
from rpool.errors import ForeignClaim, NotClaimed, OutcomeUnknown, RpoolError, TimedOut, Unreachable
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Claim, Ownership
from rpool.model.server import ServerName


class History:
    """Calls as the operators saw them. Time is a number that grows with each event."""

    def __init__(self) -> None:
        self.calls: defaultdict[ServerName, list[Call]] = defaultdict(list)
        self._time = count()

    def looked(self, server: ServerName, claim: Claim | None) -> None:
        value, now = _value(claim.ownership if claim else None), next(self._time)
        self.calls[server].append(Call(now, now, (value,), value))

    def happened(self, server: ServerName, claim: Claim | None) -> None:
        """Notes that somebody installed or wiped the server, whatever its claim was."""
        now = next(self._time)
        self.calls[server].append(
            Call(now, now, (_value(claim.ownership if claim else None),), None)
        )

    @contextmanager
    def told(self, action: Action) -> Iterator[None]:
        """Notes how the action in the block ends: done, refused as another owns the server, or
        unknown. An action that fails for another reason says nothing about the claim.
        """
        called = next(self._time)
        try:
            yield
        except (ForeignClaim, NotClaimed):
            self._note(action, called, Answer.REFUSED)
            raise
        except (OutcomeUnknown, Unreachable, TimedOut):
            self._note(action, called, Answer.UNKNOWN)
            raise
        except RpoolError:
            raise
        else:
            self._note(action, called, Answer.DONE)

    def _note(self, action: Action, called: float, answer: Answer) -> None:
        if isinstance(action, act.AwaitReady | act.NoteFailure):
            return
        returned = NEVER if answer is Answer.UNKNOWN else next(self._time)
        if isinstance(action, act.TakeClaim):
            ours, over = _value(action.claim.ownership), _value(action.over)
            call = Call(called, returned, (over, ours), ours, answer)
        else:
            owner = _value(action.ownership)
            becomes = None if isinstance(action, act.Reset) else owner
            call = Call(called, returned, (owner,), becomes, answer)
        self.calls[action.server].append(call)

    def not_linearizable(self) -> list[ServerName]:
        return sorted(name for name, calls in self.calls.items() if not is_linearizable(calls))


def _value(ownership: Ownership | None) -> Value:
    return (ownership.uid, ownership.epoch) if ownership else None

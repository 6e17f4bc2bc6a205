"""What goes on by itself on a server whose operator is gone, until a fence or a boot ends it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from fault.half import begins, join_goes_on
from fault.rules import Rules
from rpool.errors import RpoolError
from rpool.model import action as act
from rpool.model.action import Action
from rpool.model.claim import Phase
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName
from rpool.simulate.machine import Cluster
from rpool.simulate.world import SimulatedWorld

AT_ANY_TIME = 0.1
"""How likely it is over before an action that it is not in the way of."""


@dataclass(frozen=True, eq=False)
class _Late:
    """An action that goes on, the cluster it joins, and what was being destroyed."""

    action: Action
    cluster: Cluster | None
    dying: frozenset[PoolUid]


class Late:
    """Actions that go on. `say` hears of each as it ends."""

    def __init__(
        self, world: SimulatedWorld, rules: Rules, chance: random.Random, say: Callable[[str], None]
    ) -> None:
        self.world = world
        self.rules = rules
        self.chance = chance
        self._say = say
        self._going: list[_Late] = []

    def goes_on(self, action: Action) -> None:
        if not begins(action, self.world.machines[action.server]):
            self._say("    (refused)")
            return
        join = action if isinstance(action, act.Join) else None
        cluster = self.world.machines[join.through].cluster if join else None
        self._going.append(_Late(action, cluster, frozenset(self.rules.dying)))

    def in_hand(self) -> list[Action]:
        """Those that a server has past its guard, so that nothing refuses them any more."""
        joins = [its.action for its in self._going if isinstance(its.action, act.Join)]
        return [its for its in joins if self.world.machines[its.server].powered]

    def come_before(self, action: Action) -> None:
        """One that goes on holds its server's lock: it is over before the next one there that needs
        the server to itself. Else it comes at any time.
        """
        leaves = isinstance(action, act.SetPhase) and action.phase is Phase.LEAVING
        alone = leaves or isinstance(action, act.Reset | act.Join | act.Init | act.Prepare)
        for late in list(self._going):
            here = action.server == late.action.server and alone
            if here or self.chance.random() < AT_ANY_TIME:
                self._going.remove(late)
                self._finish(late)

    def end_on(self, server: ServerName) -> None:
        """As a fence does: what goes on there has the server's lock, or is refused from then on."""
        for late in [its for its in self._going if its.action.server == server]:
            self._going.remove(late)
            self._finish(late)

    def end_all(self) -> None:
        late, self._going = self._going, []
        for its in late:
            self._finish(its)

    def lost_on(self, server: ServerName) -> None:
        """The server has no power any more."""
        self._going = [its for its in self._going if its.action.server != server]

    def _finish(self, late: _Late) -> None:
        """By the guard of its time. What a destroy had begun stays a destroy's."""
        action, machine = late.action, self.world.machines[late.action.server]
        self._say(f"    (late: {action.doing} [{action.server}])")
        if not machine.powered:
            return

        def effect() -> None:
            if isinstance(action, act.Join):
                join_goes_on(action, late.cluster, machine)
            else:
                self.world.carry_out(action, 60)

        dying, self.rules.dying = self.rules.dying, self.rules.dying | late.dying
        try:
            self.rules.judged(action, effect)
        except RpoolError as error:
            self._say(f"    (refused: {error.summary})")
        finally:
            self.rules.dying = dying

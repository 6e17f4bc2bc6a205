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
"""Probability that a late action ends before an action that need not wait for it."""


@dataclass(frozen=True, eq=False)
class _Late:
    """An action that goes on, the cluster it joins, and the clusters that were being destroyed."""

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
        """The joins that are past a server's guard, so that nothing refuses them any more."""
        joins = [late.action for late in self._going if isinstance(late.action, act.Join)]
        return [join for join in joins if self.world.machines[join.server].powered]

    def come_before(self, action: Action) -> None:
        """Ends late actions before this one. A late action holds its server's lock, so it ends
        before the next one there that needs the server to itself; others end at any time.
        """
        leaves = isinstance(action, act.SetPhase) and action.phase is Phase.LEAVING
        alone = leaves or isinstance(action, act.Reset | act.Join | act.Init | act.Prepare)
        for late in list(self._going):
            here = action.server == late.action.server and alone
            if here or self.chance.random() < AT_ANY_TIME:
                self._going.remove(late)
                self._finish(late)

    def end_on(self, server: ServerName) -> None:
        """As a fence does: what goes on there has the server's lock and ends, or is refused."""
        for late in [other for other in self._going if other.action.server == server]:
            self._going.remove(late)
            self._finish(late)

    def end_all(self) -> None:
        going, self._going = self._going, []
        for late in going:
            self._finish(late)

    def lost_on(self, server: ServerName) -> None:
        """Nothing goes on there: the server has no power any more."""
        self._going = [late for late in self._going if late.action.server != server]

    def _finish(self, late: _Late) -> None:
        """The guard decides now. What a destroy had begun still counts as a part of the destroy."""
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

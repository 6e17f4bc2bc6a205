"""The world of a schedule: modelled servers, faults at chosen actions, and rules judged at each.

Actions that change something are counted, and a fault is due at the n-th of an operation. Faults
that fired are counted by kind: a run in which too little happened proves nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fault.half import half_done
from fault.history import History
from fault.in_turn import Stop
from fault.kinds import AT_PLAN, Fault
from fault.late import Late
from fault.looks import Looks
from fault.operators import BY_API, QUIET, Lock, Operator
from fault.rules import Rules
from rpool.errors import CommandFailed, OutcomeUnknown, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.action import Action, Prepare
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName
from rpool.model.step import News
from rpool.model.world import SessionLock
from rpool.simulate.machine import Machine
from rpool.simulate.world import SimulatedWorld

LOOKS_REFUSED = 3
CLOCK_JUMPS = (-86400.0, -30.0, 30.0, 86400.0)


class Fate(Looks):
    """The port `rpool.model.world.World` before modelled servers. `under_way` tells which actions
    the operator has started besides the one that is carried out.
    """

    at_once = 1

    def __init__(self, world: SimulatedWorld, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.rules = Rules(world)
        self.claims = History()
        self.fired: Counter[Fault] = Counter()
        self.clocks: Counter[ServerName] = Counter()
        self.history: list[str] = []
        self.second: Callable[[], bool] = lambda: False
        self.under_way: Callable[[], Sequence[Action]] = lambda: ()
        self.late = Late(world, self.rules, chance, lambda line: self.history.append(line))
        self.begin({})

    def begin(self, due: dict[int, Fault]) -> Stop:
        """Begins an operation with these faults, by the number of the action. Returns its stop."""
        self.at_work = Operator(dict(due))
        return self.at_work.stop

    @contextmanager
    def another(self) -> Iterator[None]:
        """Another operator, for which no fault is due, is at work in the block."""
        kept, self.at_work = self.at_work, Operator({})
        try:
            yield
        finally:
            self.at_work = kept

    def fires(self, fault: Fault) -> None:
        self.fired[fault] += 1
        self.history.append(f"  ! {fault.name}")

    def at_plan(self) -> list[Fault]:
        """The faults that are due once the operation is planned."""
        faults = [fault for fault in self.at_work.due.values() if fault in AT_PLAN]
        self.at_work.due = {n: f for n, f in self.at_work.due.items() if f not in AT_PLAN}
        return faults

    # -- acting --------------------------------------------------------------------------------

    def carry_out(self, action: Action, timeout_seconds: float) -> News:
        """Notes what the operator learns of the server's claim: see `fault.history`."""
        self._contact(action.server)
        if isinstance(action, BY_API):
            self._api(action.server)
        if isinstance(action, QUIET):
            return self.world.carry_out(action, 60)
        with self.claims.told(action):
            self.at_work.count += 1
            self.late.come_before(action)
            fault = self.at_work.due.pop(self.at_work.count, None)
            if fault is not None:
                self.fires(fault)
                self._strike(fault, action)
            else:
                self._effect(action)
        return ()

    def _strike(self, fault: Fault, action: Action) -> None:
        """Strikes before, inside or instead of the action; does it if it is still to come."""
        server, operator = action.server, self.at_work
        match fault:
            case Fault.KILLED_BEFORE | Fault.KILLED_AFTER | Fault.LATE:
                if fault is Fault.KILLED_AFTER:
                    self._effect_if_it_can(action)
                if fault is Fault.LATE:
                    self.late.goes_on(action)
                operator.dead = True
                raise Unreachable("killed")
            case Fault.CUT_BEFORE | Fault.CUT_AFTER | Fault.CUT_INSIDE:
                if fault is Fault.CUT_AFTER:
                    self._effect_if_it_can(action)
                if fault is Fault.CUT_INSIDE:
                    self.late.goes_on(action)
                operator.cut.add(server)
                raise OutcomeUnknown(f"contact with {server} was lost")
            case Fault.UNKNOWN_DONE:
                self._effect_if_it_can(action)
                raise OutcomeUnknown(f"contact with {server} was lost")
            case Fault.UNKNOWN_NOT_DONE:
                raise OutcomeUnknown(f"contact with {server} was lost")
            case Fault.FAILS:
                raise CommandFailed(f"{action.doing} failed on {server}")
            case Fault.HALF:
                self._half(action)
                raise CommandFailed(f"{action.doing} on {server} was killed in its middle")
            case Fault.POWER_INSIDE | Fault.REBOOTED:
                self._half(action)
                self.power_off(self.world.machines[server])
                if fault is Fault.REBOOTED:
                    self.world.machines[server].give_power()
                raise OutcomeUnknown(f"contact with {server} was lost")
            case Fault.NO_JOINS:
                operator.no_joins = True
            case Fault.NO_API:
                operator.no_api = True
            case Fault.PARTITION:
                names = sorted(self.world.machines)
                operator.cut |= set(self.chance.sample(names, len(names) // 2)) - {server}
            case Fault.LOCK_LOST:
                operator.locks_lost = True
            case Fault.PAUSED:
                self._sleep_through_the_lock()
            case Fault.SECOND_OPERATOR:
                self._another_applies(fault)
            case Fault.LOOKS_REFUSED:
                operator.refused = LOOKS_REFUSED
            case Fault.POWER_LOST:
                self.power_off(self.some_machine("loses power"))
            case Fault.REINSTALLED:
                self.reinstall(self.some_machine("is installed anew"))
            case Fault.CLOCK:
                name = self.some_machine("has another time").server.name
                self.clocks[name] = self.chance.choice(CLOCK_JUMPS)  # type: ignore[assignment]
            case Fault.STOPPED | Fault.OVERTAKEN | Fault.OUR_CLOCK:
                pass
        if isinstance(action, BY_API):
            self._api(server)
        self._effect(action)
        if fault is Fault.STOPPED:
            operator.stop.set()

    def _sleep_through_the_lock(self) -> None:
        """Servers free a lock whose holder is silent, and another operator takes it."""
        self.at_work.locks_lost = True
        self.world._locks -= self.at_work.held
        self._another_applies(Fault.PAUSED)

    def _another_applies(self, fault: Fault) -> None:
        """Takes the fault back from the count where there was nothing to apply."""
        if not self.second():
            self.fired[fault] -= 1

    def some_machine(self, what: str) -> Machine:
        used = [m for _, m in sorted(self.world.machines.items()) if m.claim and m.powered]
        machine = self.chance.choice(used or list(self.world.machines.values()))
        self.history.append(f"  ! {machine.server.name} {what}")
        return machine

    def power_off(self, machine: Machine, seconds_ago: float = 0.0) -> None:
        """Cuts the power, which ends whatever still goes on there."""
        self.late.lost_on(machine.server.name)
        machine.lose_power(seconds_ago)

    def reinstall(self, machine: Machine) -> None:
        self.power_off(machine)
        self.claims.happened(machine.server.name, machine.claim)
        machine.reinstall()

    def wipe(self, machine: Machine) -> None:
        """By hand, as errors and docs say of a server that its cluster gave up."""
        self.claims.happened(machine.server.name, machine.claim)
        machine.altered = ()
        machine.reset()

    def _effect_if_it_can(self, action: Action) -> None:
        self._if_it_can(lambda: self._effect(action))

    def _if_it_can(self, effect: Callable[[], None]) -> None:
        try:
            effect()
        except RpoolError as error:
            self.history.append(f"    (refused: {error.summary})")

    def _effect(self, action: Action) -> None:
        self.history.append(f"    {action.doing} [{action.server}]")
        if isinstance(action, act.Join) and self.at_work.no_joins:
            raise CommandFailed(f"{action.server}: {action.through} cannot be reached from here")
        others = [*self.under_way(), *self.late.in_hand()]
        self.rules.judged(action, lambda: self.world.carry_out(action, 60), others)

    def _half(self, action: Action) -> None:
        self.history.append(f"    half of {action.doing} [{action.server}]")
        self._if_it_can(lambda: self.rules.judged(action, lambda: half_done(action, self.world)))

    def prepare(
        self,
        actions: Sequence[Prepare],
        timeout_seconds: float,
        done: Callable[[ServerName, RpoolError | None], None],
    ) -> None:
        for action in actions:
            error: RpoolError | None = None
            try:
                self.carry_out(action, timeout_seconds)
            except RpoolError as raised:
                error = raised
            done(action.server, error)

    @contextmanager
    def lock(self, server: ServerName, uid: PoolUid) -> Iterator[SessionLock]:
        self._contact(server)
        operator = self.at_work
        with self.world.lock(server, uid) as held:
            operator.held.add((server, uid))
            yield Lock(held.number, lambda: operator.locks_lost or held.lost())
            operator.held.discard((server, uid))

    def close(self) -> None: ...

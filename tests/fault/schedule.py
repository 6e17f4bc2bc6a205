"""Random schedules of operations and faults, and the rules that they are judged by.

A schedule is some rounds: what an operator asks for (`events.OPERATIONS`), the apply with faults in
its middle (`kinds.Fault`), and what happens to servers, fleet and state after it (`events.EVENTS`).
The rules that hold at every moment are in `rules.py`. In the end everything is repaired, and the
rules of `ending.py` must hold, too.

Each round draws from a seed of its own, so that one can be left out (`shrink.py`) and the others
stay what they are.

Tampering from outside (a claim file that is deleted, an older record that is restored) is not among
the events: what is expected then is an error that names the server, and `tests/unit` has those.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from fault import events
from fault.fate import Fate
from fault.in_turn import InTurn, Stop
from fault.kinds import Fault
from fault.site import NAMES, fleet, requests
from fault.terraform import Run, Wanted, Workspace
from rpool.api import Advice, Site
from rpool.errors import RpoolError
from rpool.model.pool import PoolSpec
from rpool.model.secret import Secret
from rpool.model.server import ServerName
from rpool.model.site import SiteConfig, Ssh
from rpool.simulate.world import SimulatedWorld

LATEST = 45
"""The last action of an operation at which a fault is due."""

CLOCK_JUMPS = (timedelta(days=-1), timedelta(hours=1))


@dataclass(frozen=True)
class Round:
    """`faults` are by the number of the action; `event` is what happens afterwards, if anything."""

    seed: int
    operation: str
    faults: tuple[tuple[int, Fault], ...] = ()
    event: str = ""


def drawn(seed: int) -> tuple[Round, ...]:
    chance, kinds = random.Random(seed), sorted(Fault)  # noqa: S311 a schedule, and no secret
    rounds = []
    for _ in range(chance.randint(2, 7)):
        operation = chance.choice(events.OPERATIONS).__name__
        number = chance.choice([0, 1, 1, 1, 2, 3])
        faults = {chance.randint(1, LATEST): chance.choice(kinds) for _ in range(number)}
        event = chance.choice(events.EVENTS).__name__ if chance.random() < 0.5 else ""
        rounds.append(
            Round(chance.getrandbits(32), operation, tuple(sorted(faults.items())), event)
        )
    return tuple(rounds)


class QuickSite(Site):
    """A site that does not wait for other plans: none is made in this process."""

    def advise(self, spec: PoolSpec, quiet_seconds: float = 0.0) -> Advice:
        return super().advise(spec)


@dataclass
class Schedule:
    """One run. `broken` has the rules that did not hold; `history` tells how it came."""

    rounds: tuple[Round, ...]
    keeps_the_half_destroyed: bool = True
    names: tuple[str, ...] = NAMES
    history: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, seed: int) -> Schedule:
        return cls(drawn(seed))

    def __post_init__(self) -> None:
        self.chance = random.Random(0)  # noqa: S311 the same
        self.world = SimulatedWorld(fleet())
        self.in_turn = InTurn(self.chance)
        self.world.clock = self.in_turn.seconds
        self.fate = Fate(self.world, self.chance)
        self.fate.history = self.history
        self.fate.under_way = self.in_turn.under_way
        self.fate.second = self.second_operator
        self.broken = self.fate.rules.broken
        self.declared = fleet()
        self.wanted = Wanted()
        self.uids = count()
        self.state = Workspace(self.connect)
        self.states: list[Workspace] = []
        self.given_up: set[ServerName] = set()
        self.happened: Counter[str] = Counter()
        self.destroyed: set[str] = set()
        self.inside = False

    def connect(self) -> Site:
        """A new process: it knows nothing of what others have read."""
        self.world.fleet = self.declared
        return QuickSite(
            SiteConfig(self.declared, Ssh(Secret("key")), owner="anna@desk"),
            connect=lambda _: self.fate,
            new_uid=lambda: f"{next(self.uids):08x}",
        )

    # -- the run -------------------------------------------------------------------------------

    def run(self) -> Schedule:
        from fault.ending import end

        with self.in_turn.installed():
            try:
                for round_ in self.rounds:
                    if not self.broken:
                        self.round(round_)
                if not self.broken:
                    end(self)
            except RpoolError as error:
                self.broken.append(f"an error where none is expected: {error}")
            except Exception as error:  # that nothing else is raised is a rule, too
                self.broken.append(f"{type(error).__name__}: {error}")
                self.history.append(_place(error))
        self.broken += [
            f"no register could have told this of the claim of {name}"
            for name in self.fate.claims.not_linearizable()
        ]
        return self

    def round(self, round_: Round) -> None:
        self.chance.seed(round_.seed)
        getattr(events, round_.operation)(self)
        self.go_on_destroying()
        self.apply(dict(round_.faults))
        if round_.event:
            self.happened[round_.event] += 1
            self.history.append(round_.event)
            self.chance.seed(f"{round_.seed} {round_.event}")
            getattr(events, round_.event)(self)
            self.fate.rules.check()

    def go_on_destroying(self) -> None:
        """What an earlier apply began to destroy stays unwanted, unless it may be kept."""
        begun = [n for n in self.state.clusters if n in self.destroyed]
        if begun and not self.keeps_the_half_destroyed:
            clusters = {n: s for n, s in self.wanted.clusters.items() if n not in begun}
            nodes = {n: node for n, node in self.wanted.nodes.items() if node[0] not in begun}
            self.wanted = Wanted(clusters, nodes)

    def apply(self, faults: Mapping[int, Fault], say: str = "apply") -> bool:
        """Runs `terraform apply`; returns whether it was empty. If killed, the state stays."""
        stop = self.fate.begin(dict(faults))
        before = self.state.copy()
        clusters = sorted(
            (n, s.cores, s.control_plane.servers) for n, s in self.wanted.clusters.items()
        )
        self.history.append(f"{say} {clusters} {sorted(self.wanted.nodes)}")
        self.fate.rules.dying = self._dying(self.state, self.wanted)
        self.destroyed |= {n for n in before.clusters if n not in self.wanted.clusters}
        run = self._applied(self.state, self.wanted, stop)
        if self.fate.at_work.dead:
            self.state = before
        lost = {n for n, server in self.declared.servers.items() if server.lost}
        claimed = {n for n, m in self.world.machines.items() if m.claim}
        self.given_up |= (before.servers | self.state.servers | claimed) & lost
        self.history += [f"  -> {error}" for error in run.errors]
        self.states.append(self.state.copy())
        self.fate.begin({})
        return run.was_empty

    def _applied(self, state: Workspace, wanted: Wanted, stop: Stop) -> Run:
        return state.apply(wanted, stop, self._once_planned)

    def _once_planned(self) -> None:
        for fault in self.fate.at_plan():
            self.fate.fires(fault)
            if fault is Fault.OUR_CLOCK:
                self.in_turn.clock_ahead += self.chance.choice(CLOCK_JUMPS)
            elif not self.second_operator():
                self.fate.fired[fault] -= 1

    def _dying(self, state: Workspace, wanted: Wanted) -> set[str]:
        """Clusters that this apply may destroy: those that are not wanted, tainted, or replaced,
        and what is left of a create that no state knows, which the next one may begin anew.
        """
        unknown = {
            m.claim.uid
            for m in self.world.machines.values()
            if m.claim and m.claim.uid not in state.uids and not self.settled(m.claim.uid)
        }
        return unknown | {
            str(instance.values["id"])
            for name, instance in state.clusters.items()
            if name not in wanted.clusters
            or instance.tainted
            or not instance.values["kubernetes_version"]
            or not instance.values["ca_certificate"]
        }

    def settled(self, uid: str) -> bool:
        """Whether a cluster's create came to its end."""
        records = [m.cluster.record for m in self.world.machines.values() if m.cluster]
        return any(r is not None and r.uid == uid and r.settled is not None for r in records)

    def second_operator(self) -> bool:
        """Another process, with the same state or an older one, applies something else. Returns
        whether there was anything to apply. Its result does not get into our state.
        """
        if self.inside:
            return False
        self.inside = True
        other = self.chance.choice([self.state, self.state, *self.states[-1:]]).copy()
        name = self.chance.choice(self.names)
        clusters = {**self.wanted.clusters, name: requests(self.chance, name)}
        acts = name in other.clusters and name in self.wanted.clusters
        if acts:
            wanted, rules = Wanted(clusters, self.wanted.nodes), self.fate.rules
            kept, rules.dying = rules.dying, rules.dying | self._dying(other, wanted)
            with self.fate.another():
                run = self._applied(other, wanted, self.fate.at_work.stop)
            self.history += [f"  second: {error}" for error in run.errors]
            rules.dying = kept
        self.inside = False
        return acts


def _place(error: BaseException) -> str:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else ""

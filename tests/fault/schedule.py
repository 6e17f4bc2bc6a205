"""Random schedules of operations and faults: every event and every rule, in this one file.

A schedule is some operations of an operator (`OPERATIONS`), each with faults in its middle
(`fate.Fault`), and what happens to servers and fleet between them (`EVENTS`). While it runs, `fate`
checks the rules that hold at every moment. In the end everything is repaired, and the rules of
`check_the_end` must hold.

Rules at every moment
- A living cluster never loses etcd's quorum by an act of ours.
- No server is reset as a member of etcd of a living cluster, nor undrained as its member, unless
  its cluster is being destroyed or the fleet says that it is lost.
- No exception is anything but an RpoolError.

Rules at the end, with all servers up, marks gone and no more faults
- Within `PATIENCE` applies of the same configuration the last one changes nothing and says nothing.
- Each cluster is whole: its servers are in its state, claimed as members, its Nodes, and of its
  control planes etcd's members; nobody is cordoned; no join token is left.
- No server is claimed by a cluster that no state knows of and that nobody can import.
- After a destroy of everything every server is a spare.

Tampering from outside (a claim file that is deleted, an older record that is restored) is not among
the events: what is expected then is an error that names the server, and `tests/unit` has those.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from fault.fate import Fate, Fault
from fault.terraform import Wanted, Workspace
from rpool.api import Site
from rpool.errors import RpoolError
from rpool.model.claim import Phase
from rpool.model.pool import ControlPlane, Endpoint, NodeSpec, PoolSpec, Selector, Taint, Tolerance
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Role, Server, ServerName
from rpool.model.site import SiteConfig, Ssh
from rpool.simulate.machine import Machine
from rpool.simulate.world import SimulatedWorld

SERVERS = 18
PATIENCE = 6
NAMES = ("batch", "other")
RESERVED = frozenset({"r1u15", "r2u16", "r3u17"})
NODE_SPECS = (NodeSpec(), NodeSpec({"gpu": "h100"}, (Taint("gpu", "true", "NoSchedule"),)))


def fleet() -> Fleet:
    """Eighteen servers in three racks: six small ones, twelve twice as big, three reserved."""
    servers = {}
    for i in range(SERVERS):
        name = f"r{i % 3 + 1}u{i:02}"
        servers[name] = Server(
            name=name,
            address=f"10.0.1.{i + 10}",
            cores=4 if i < 6 else 8,
            memory_gib=8 if i < 6 else 16,
            zone=f"rack{i % 3 + 1}",
            host_key="ssh-ed25519 AAAA",
            reserved=name in RESERVED,
        )
    return Fleet(servers)


def requests(chance: random.Random, name: str) -> PoolSpec:
    cores = chance.choice([8, 16, 24, 32])
    return PoolSpec(
        name=name,
        kubernetes_version="1.36.3",
        cores=cores,
        memory_gib=2 * cores,
        control_plane=ControlPlane(
            chance.choice([1, 1, 3, 3, 5]), Endpoint(vip=f"10.0.1.{200 + NAMES.index(name)}")
        ),
        selector=chance.choice([Selector(), Selector(), Selector(frozenset({"rack1", "rack2"}))]),
        metallb_pools=chance.choice(
            [{}, {"default": (f"10.0.1.{210 + 10 * NAMES.index(name)}/32",)}]
        ),
        tolerate=chance.choice([Tolerance(), Tolerance(), Tolerance(servers=1)]),
    )


@dataclass
class Schedule:
    """One seed's run. `broken` has the rules that did not hold; `history` tells how it came."""

    seed: int
    faults: frozenset[Fault] = frozenset(Fault)
    keeps_the_half_destroyed: bool = True
    names: tuple[str, ...] = NAMES
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 a schedule, and no secret
        self.world = SimulatedWorld(fleet())
        self.fate = Fate(self.world, self.chance)
        self.fate.history = self.history
        self.declared = fleet()
        self.wanted = Wanted()
        self.uids = count()
        self.state = Workspace(self.connect)
        self.fate.second = self.second_operator
        self.broken = self.fate.broken
        self.given_up: set[ServerName] = set()
        self.destroyed: set[str] = set()
        self.applies = 0
        self.inside = False

    def connect(self) -> Site:
        """A new process: it knows nothing of what others have read."""
        self.world.fleet = self.declared
        return Site(
            SiteConfig(self.declared, Ssh(Secret("key"))),
            connect=lambda _: self.fate,
            new_uid=lambda: f"{next(self.uids):08x}",
        )

    # -- the run -------------------------------------------------------------------------------

    def run(self) -> Schedule:
        try:
            for _ in range(self.chance.randint(2, 7)):
                self.chance.choice(OPERATIONS)(self)
                self.go_on_destroying()
                self.apply(self.some_faults())
                if self.chance.random() < 0.5:
                    self.chance.choice(EVENTS)(self)
                if self.broken:
                    return self
            self.end()
        except RpoolError as error:
            self.broken.append(f"an error where none is expected: {error}")
        except Exception as error:  # a rule of its own
            self.broken.append(f"{type(error).__name__}: {error}")
            self.history.append(_place(error))
        return self

    def go_on_destroying(self) -> None:
        """What an earlier apply began to destroy stays unwanted, unless it may be kept."""
        half = [n for n in self.state.clusters if n in self.destroyed]
        if half and not self.keeps_the_half_destroyed:
            clusters = {n: s for n, s in self.wanted.clusters.items() if n not in half}
            nodes = {n: its for n, its in self.wanted.nodes.items() if its[0] not in half}
            self.wanted = Wanted(clusters, nodes)

    def some_faults(self) -> dict[int, Fault]:
        kinds = sorted(self.faults)
        many = self.chance.choice([0, 1, 1, 1, 2])
        return {self.chance.randint(1, 45): self.chance.choice(kinds) for _ in range(many)}

    def apply(self, faults: Mapping[int, Fault], say: str = "apply") -> bool:
        """One `terraform apply`; whether it was empty. A killed one has told Terraform nothing."""
        self.applies += 1
        stop = self.fate.begin(dict(faults))
        before = self.state.copy()
        clusters = sorted(
            (n, s.cores, s.control_plane.servers) for n, s in self.wanted.clusters.items()
        )
        self.history.append(f"{say} {clusters} {sorted(self.wanted.nodes)}")
        self.fate.dying = self._dying()
        self.destroyed |= {n for n in before.clusters if n not in self.wanted.clusters}
        run = self.state.apply(self.wanted, stop)
        if self.fate._dead:
            self.state = before
        lost = {n for n, its in self.declared.servers.items() if its.lost}
        claimed = {n for n, m in self.world.machines.items() if m.claim}
        self.given_up |= (before.servers | self.state.servers | claimed) & lost
        self.history += [f"  -> {error}" for error in run.errors]
        self.fate.begin({})
        return run.was_empty

    def _dying(self) -> set[str]:
        """Clusters that this apply may destroy: those that are not wanted, tainted, or replaced,
        and what is left of a create that no state knows, which the next one may begin anew.
        """
        unknown = {
            m.claim.uid
            for m in self.world.machines.values()
            if m.claim and m.claim.uid not in self.state.uids and not self._settled(m.claim.uid)
        }
        return unknown | {
            str(its.values["id"])
            for name, its in self.state.clusters.items()
            if name not in self.wanted.clusters
            or its.tainted
            or not its.values["kubernetes_version"]
            or not its.values["ca_certificate"]
        }

    def _settled(self, uid: str) -> bool:
        """Whether a cluster's create came to its end."""
        records = [m.cluster.record for m in self.world.machines.values() if m.cluster]
        return any(r is not None and r.uid == uid and r.settled is not None for r in records)

    def second_operator(self) -> None:
        """Another process with the same state applies something else in the middle."""
        if self.inside:
            return
        self.inside = True
        kept = (self.fate._due, self.fate._count, self.fate._stop)
        self.fate._due = {}
        other = self.state.copy()
        name = self.chance.choice(self.names)
        clusters = {**self.wanted.clusters, name: requests(self.chance, name)}
        if name in other.clusters and name in self.wanted.clusters:
            run = other.apply(Wanted(clusters, self.wanted.nodes), threading.Event())
            self.history += [f"  second: {error}" for error in run.errors]
        self.fate._due, self.fate._count, self.fate._stop = kept
        self.inside = False

    # -- the end -------------------------------------------------------------------------------

    def end(self) -> None:
        self.fate.finish_late()
        self.wipe_what_was_given_up()
        for machine in self.world.machines.values():
            machine.give_power()
        self.declared = fleet()
        self.history.append("everything is repaired")
        self.adopt()
        for _ in range(PATIENCE):
            if self.apply({}, "and again"):
                break
            if "does not fit" in self.history[-1]:
                self.ask_for_less()
            if "shows its API" in self.history[-1]:
                self.give_up_the_dead()
        else:
            self.broken.append("no end: " + self.history[-1])
            return
        self.check_the_end()
        if not self.broken:
            self.wanted = Wanted()
            for _ in range(3):
                if self.apply({}, "destroy"):
                    break
            left = sorted(n for n, m in self.world.machines.items() if m.claim or m.traces)
            if left:
                self.broken.append(f"not given back: {', '.join(left)}")

    def wipe_what_was_given_up(self) -> None:
        """As errors and docs say of a server that left its cluster marked lost: by hand."""
        for name in self.given_up - self.state.servers:
            self.world.machines[name].reset()

    def ask_for_less(self) -> None:
        clusters = {
            name: replace(
                spec,
                cores=8,
                memory_gib=16,
                selector=Selector(),
                tolerate=Tolerance(),
                control_plane=replace(spec.control_plane, servers=1),
            )
            for name, spec in self.wanted.clusters.items()
        }
        self.wanted = replace(self.wanted, clusters=clusters)

    def give_up_the_dead(self) -> None:
        """A cluster whose destroy was cut off may have lost its quorum: it is destroyed whole."""
        kept = self.wanted
        said = "".join(self.history[-9:])
        dead = {n for n in kept.clusters if f"cluster {n} shows its API" in said}
        clusters = {n: s for n, s in kept.clusters.items() if n not in dead}
        nodes = {n: its for n, its in kept.nodes.items() if its[0] not in dead}
        self.wanted = Wanted(clusters, nodes)
        for server, instance in list(self.state.nodes.items()):
            if kept.nodes.get(server, ("",))[0] in dead or server not in kept.nodes:
                del self.state.nodes[server]  # terraform state rm, as the error says
                self.history.append(f"state rm {server} of {instance.values['cluster']}")
        self.apply({}, "without the dead")
        self.wanted = kept

    def adopt(self) -> None:
        """What no state knows is imported, as README and errors say, and goes."""
        living_first = sorted(
            self.claims() - self.state.uids, key=lambda uid: (not self._settled(uid), uid)
        )
        for number, uid in enumerate(living_first):
            pool = next(m.claim.pool for m in self._claimed() if m.claim and m.claim.uid == uid)
            is_wanted = pool in self.wanted.clusters and pool not in self.state.clusters
            name = pool if is_wanted else f"orphan{number}"
            said = self.state.adopt(uid, name)
            if said is not None and "lost = true" in said:
                said = self.adopt_by_word(uid, name)
            self.history.append(f"import {uid}: {said or 'done'}")
            if said is not None:
                self.broken.append(f"a claimed server that nobody can import: {said}")
        for name, instance in self.state.clusters.items():
            if name.startswith("orphan"):
                continue
            uid = str(instance.values["id"])
            record = next(
                (
                    m.cluster.record
                    for m in self.world.machines.values()
                    if m.cluster and m.cluster.record and m.cluster.record.uid == uid
                ),
                None,
            )
            for server in sorted(
                (record.pinned if record else {}).keys() - self.state.nodes.keys()
            ):
                said = self.state.adopt_node(uid, server)
                self.history.append(f"import {uid}/{server}: {said or 'done'}")

    def adopt_by_word(self, uid: str, name: str) -> str | None:
        """By marking what is left of it, as the error says."""
        marked = [n for n, m in self.world.machines.items() if m.claim and m.claim.uid == uid]
        for server in marked:
            edit(self, server, lost=True)
        said = self.state.adopt(uid, name)
        for server in marked:
            edit(self, server, lost=False)
        return said

    def claims(self) -> set[str]:
        return {m.claim.uid for m in self._claimed() if m.claim}

    def _claimed(self) -> list[Machine]:
        return [m for m in self.world.machines.values() if m.claim]

    def check_the_end(self) -> None:
        for name, instance in self.state.clusters.items():
            self.check_cluster(name, str(instance.values["id"]), instance.values["servers"])
        if unknown := self.claims() - self.state.uids:
            self.broken.append(f"claimed by clusters that no state knows: {sorted(unknown)}")

    def check_cluster(
        self, name: str, uid: str, own: Mapping[ServerName, Mapping[str, object]]
    ) -> None:
        members = {n for n, m in self.world.machines.items() if m.claim and m.claim.uid == uid}
        pinned = {n for n, i in self.state.nodes.items() if i.values["cluster"] == uid}
        heads = {n for n, its in own.items() if its["role"] == Role.CONTROL_PLANE.value}
        cluster = self.world.machines[min(heads)].cluster
        claims = [self.world.machines[n].claim for n in members]
        rules: dict[str, Callable[[], bool]] = {
            "its claims are its state's servers": lambda: members == set(own) | pinned,
            "its Nodes are its servers": lambda: (
                cluster is not None and set(cluster.nodes) == members
            ),
            "its members run": lambda: all(
                self.world.machines[n].cluster is cluster for n in members
            ),
            "etcd has its control planes": lambda: (
                cluster is not None and set(cluster.members) == heads
            ),
            "its claims say member": lambda: all(c and c.phase is Phase.MEMBER for c in claims),
            "nobody is cordoned": lambda: cluster is not None and not cluster.cordoned,
            "no token is left": lambda: cluster is not None and not cluster.tokens,
        }
        self.broken += [f"{name}: not so: {rule}" for rule, holds in rules.items() if not holds()]


def _place(error: BaseException) -> str:
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    return f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""


# -- what an operator asks for -----------------------------------------------------------------


def another_request(schedule: Schedule) -> None:
    name = schedule.chance.choice(schedule.names)
    clusters = {**schedule.wanted.clusters, name: requests(schedule.chance, name)}
    schedule.wanted = replace(schedule.wanted, clusters=clusters)


def another_control_plane(schedule: Schedule) -> None:
    if not schedule.wanted.clusters:
        return another_request(schedule)
    name, spec = schedule.chance.choice(sorted(schedule.wanted.clusters.items()))
    planes = replace(spec.control_plane, servers=schedule.chance.choice([1, 3, 5]))
    clusters = {**schedule.wanted.clusters, name: replace(spec, control_plane=planes)}
    schedule.wanted = replace(schedule.wanted, clusters=clusters)
    return None


def one_cluster_less(schedule: Schedule) -> None:
    if not schedule.wanted.clusters:
        return another_request(schedule)
    gone = schedule.chance.choice(sorted(schedule.wanted.clusters))
    clusters = {n: s for n, s in schedule.wanted.clusters.items() if n != gone}
    nodes = {n: its for n, its in schedule.wanted.nodes.items() if its[0] != gone}
    schedule.wanted = Wanted(clusters, nodes)
    return None


def a_node(schedule: Schedule) -> None:
    if not schedule.wanted.clusters:
        return another_request(schedule)
    server = schedule.chance.choice(sorted(RESERVED))
    where = schedule.chance.choice(sorted(schedule.wanted.clusters))
    spec = schedule.chance.choice(NODE_SPECS)
    if server in schedule.wanted.nodes and schedule.wanted.nodes[server][0] != where:
        where = schedule.wanted.nodes[server][0]
    schedule.wanted = replace(
        schedule.wanted, nodes={**schedule.wanted.nodes, server: (where, spec)}
    )
    return None


def one_node_less(schedule: Schedule) -> None:
    if not schedule.wanted.nodes:
        return a_node(schedule)
    gone = schedule.chance.choice(sorted(schedule.wanted.nodes))
    nodes = {n: its for n, its in schedule.wanted.nodes.items() if n != gone}
    schedule.wanted = replace(schedule.wanted, nodes=nodes)
    return None


def the_same_again(schedule: Schedule) -> None:
    """Nothing was edited."""


OPERATIONS: tuple[Callable[[Schedule], None], ...] = (
    another_request,
    another_request,
    another_control_plane,
    one_cluster_less,
    a_node,
    one_node_less,
    the_same_again,
)

# -- what happens between operations -----------------------------------------------------------


def used(schedule: Schedule) -> list[ServerName]:
    return sorted(n for n, m in schedule.world.machines.items() if m.claim) or ["r1u00"]


def edit(schedule: Schedule, name: ServerName, **changes: bool) -> None:
    if name in schedule.declared.servers:
        servers = dict(schedule.declared.servers)
        servers[name] = replace(servers[name], **changes)  # type: ignore[arg-type]
        schedule.declared = Fleet(servers)


def power_goes(schedule: Schedule) -> None:
    schedule.world.machines[schedule.chance.choice(used(schedule))].powered = False


def power_comes_back(schedule: Schedule) -> None:
    for machine in schedule.world.machines.values():
        machine.give_power()


def marked_lost(schedule: Schedule) -> None:
    """The hardware is gone, or so it seems: it may come back at the end."""
    name = schedule.chance.choice(used(schedule))
    schedule.world.machines[name].powered = False
    edit(schedule, name, lost=True)


def marked_retire(schedule: Schedule) -> None:
    edit(schedule, schedule.chance.choice(used(schedule)), retire=True)


def marks_removed(schedule: Schedule) -> None:
    for name in schedule.declared.servers:
        edit(schedule, name, lost=False, retire=False)


def entry_removed(schedule: Schedule) -> None:
    gone = schedule.chance.choice(sorted(schedule.declared.servers))
    kept = {n: s for n, s in schedule.declared.servers.items() if n != gone}
    schedule.declared = Fleet(kept)


def entries_back(schedule: Schedule) -> None:
    marks = schedule.declared.servers
    schedule.declared = Fleet({n: marks.get(n, s) for n, s in fleet().servers.items()})


def state_lost(schedule: Schedule) -> None:
    """The state is gone, and what its clusters' uids give is imported; else a backup is found."""
    lost = schedule.state
    schedule.state = Workspace(schedule.connect)
    for name, instance in lost.clusters.items():
        if schedule.state.adopt(str(instance.values["id"]), name) is not None:
            schedule.state = lost
            return
    for server, instance in lost.nodes.items():
        if schedule.state.adopt_node(str(instance.values["cluster"]), server) is not None:
            schedule.state = lost
            return


def late_ends(schedule: Schedule) -> None:
    schedule.fate.finish_late()


EVENTS: tuple[Callable[[Schedule], None], ...] = (
    power_goes,
    power_goes,
    power_comes_back,
    power_comes_back,
    marked_lost,
    marked_retire,
    marks_removed,
    entry_removed,
    entries_back,
    entries_back,
    state_lost,
    late_ends,
)

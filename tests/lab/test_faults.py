"""What happens to real servers in the middle of a create, a change or a destroy: applies converge,
and nobody puts a hand on a server.

A fault is a step, what happens then to its server (or to terraform at the desk), and what ends that
before the next apply: power that comes back, a cable that is plugged in. Where nothing ends it, a
server may be gone for good, and nobody marks it. The faults are one story of one cluster.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from desk import Desk, wait_for
from killing import Point, struck_at
from protocol.process_tree import started_by
from real_pool import RealPool
from scenarios.pool import FAILED, NO_CHANGES
from scenarios.repairing import repair
from scenarios.state import resources

from rpool.model.claim import Phase

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("plain_start"),
]
soak = pytest.mark.soak
SMALL_SERVERS = {"labels": {"disk": "ssd"}}
LIMITS = """
resource "rpool_cluster" "demo" {
  timeouts {
    update = "5m"
  }
}
"""
"""An update waits so long for a server that hangs once it has joined."""

CONVERGED_SECONDS = 400.0
"""At most, from the end of the apply that was struck: a dead member has its grace, and its Node
takes 50 s to be NotReady.
"""

Terraform = subprocess.Popen[bytes]
Strike = Callable[[RealPool, str, Terraform], None]
Sizes = dict[str, int]


def sized(workers: int, control_planes: int = 1) -> Sizes:
    return {"cores": 4 * workers, "memory": 8 * workers, "control_planes": control_planes}


# -- what happens ----------------------------------------------------------------------------------


def power_fails_for_a_moment(pool: RealPool, server: str, terraform: Terraform) -> None:
    pool.desk.power("kill", server)
    pool.desk.power("power-on", server)


def power_is_gone(pool: RealPool, server: str, terraform: Terraform) -> None:
    pool.lose(server)


def cable_is_pulled(pool: RealPool, server: str, terraform: Terraform) -> None:
    pool.desk.power("cut", server)


def it_hangs(pool: RealPool, server: str, terraform: Terraform) -> None:
    pool.desk.power("freeze", server)


def it_hangs_for_a_while(pool: RealPool, server: str, terraform: Terraform) -> None:
    pool.desk.power("freeze", server)
    time.sleep(20)
    pool.desk.power("thaw", server)


def its_runtime_dies(pool: RealPool, server: str, terraform: Terraform) -> None:
    pool.desk.ssh(server, "systemctl kill --signal=KILL containerd")


def ctrl_c(pool: RealPool, server: str, terraform: Terraform) -> None:
    terraform.send_signal(signal.SIGINT)


def ctrl_c_twice(pool: RealPool, server: str, terraform: Terraform) -> None:
    terraform.send_signal(signal.SIGINT)
    time.sleep(1)
    terraform.send_signal(signal.SIGINT)


def ansible_dies(pool: RealPool, server: str, terraform: Terraform) -> None:
    processes = started_by(terraform.pid, "ansible.cli.playbook")
    assert processes
    for process in processes:
        os.kill(process, signal.SIGKILL)


# -- what ends it ----------------------------------------------------------------------------------


def nothing(pool: RealPool, server: str) -> None:
    """It is over, or it never ends."""


def cable_is_back(pool: RealPool, server: str) -> None:
    pool.desk.power("restore", server)


def it_goes_on(pool: RealPool, server: str) -> None:
    pool.desk.power("thaw", server)


@dataclass(frozen=True)
class Fault:
    """`before`: None for a create. `after`: None for a destroy."""

    before: Sizes | None
    after: Sizes | None
    point: Point
    strike: Strike
    end: Callable[[RealPool, str], None] = nothing


ONE, TWO, THREE_PLANES = sized(1), sized(2), sized(1, 3)
PREPARING = Point("prepare *", seconds=1)
JOINING = Point("join *", command="kubeadm join")
LEAVING = Point("drain *", seconds=0.2)
WIPING = Point("reset *", command="kubeadm reset")

FAULTS = {
    "create: power fails for a moment in kubeadm init": Fault(
        None, ONE, Point("init *", seconds=3, command="kubeadm init"), power_fails_for_a_moment
    ),
    "create: Ctrl-C in the preparation": Fault(None, ONE, PREPARING, ctrl_c),
    "create: Ctrl-C twice in kubeadm init": Fault(
        None, ONE, Point("init *", seconds=2, command="kubeadm init"), ctrl_c_twice
    ),
    "create: Ansible is killed": Fault(None, ONE, PREPARING, ansible_dies),
    "create: a worker's cable is pulled in its join": Fault(
        None, ONE, JOINING, cable_is_pulled, cable_is_back
    ),
    "create: a worker hangs for 20 s in its join": Fault(None, ONE, JOINING, it_hangs_for_a_while),
    "grow: who joins is gone in its preparation": Fault(ONE, TWO, PREPARING, power_is_gone),
    "grow: power fails for a moment in a join": Fault(ONE, TWO, JOINING, power_fails_for_a_moment),
    "grow: a cable is pulled in a join": Fault(ONE, TWO, JOINING, cable_is_pulled, cable_is_back),
    "grow: the runtime dies in a join": Fault(ONE, TWO, JOINING, its_runtime_dies),
    "grow: Ctrl-C in a join": Fault(ONE, TWO, JOINING, ctrl_c),
    "grow: who joins hangs": Fault(ONE, TWO, JOINING, it_hangs, it_goes_on),
    "more control planes: power fails for a moment in a join": Fault(
        ONE,
        THREE_PLANES,
        Point("join *", seconds=4, command="kubeadm join"),
        power_fails_for_a_moment,
    ),
    "shrink: who leaves is gone in its drain": Fault(TWO, ONE, LEAVING, power_is_gone),
    "shrink: power fails for a moment in a reset": Fault(
        TWO, ONE, WIPING, power_fails_for_a_moment
    ),
    "shrink: a cable is pulled in a reset": Fault(TWO, ONE, WIPING, cable_is_pulled, cable_is_back),
    "fewer control planes: power fails for a moment as one steps down": Fault(
        THREE_PLANES, ONE, Point("step down *", seconds=0.5), power_fails_for_a_moment
    ),
    "destroy: power fails for a moment in a reset": Fault(
        TWO, None, WIPING, power_fails_for_a_moment
    ),
    "destroy: a cable is pulled in a reset": Fault(
        TWO, None, WIPING, cable_is_pulled, cable_is_back
    ),
    "destroy: Ctrl-C in a reset": Fault(TWO, None, WIPING, ctrl_c),
}
EVERY_DAY = {
    "grow: who joins is gone in its preparation",
    "shrink: power fails for a moment in a reset",
}


@pytest.fixture(scope="module")
def pool(desk: Desk, figure: Callable[[str], None], plain_start: None) -> Iterator[RealPool]:
    pool = RealPool(desk, {**ONE, "selector": SMALL_SERVERS}, figure)
    with pool.also("demo_override", repair()), pool.also("limits_override", LIMITS):
        yield pool
        for name in sorted(pool.lost):
            pool.restore(name)
        give_back(pool)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in EVERY_DAY else soak) for n in FAULTS]
)
def test_a_fault(pool: RealPool, name: str) -> None:
    fault = FAULTS[name]
    prepare(pool, fault)
    if fault.after is not None:
        pool.write(**fault.after)
    words = () if fault.after is not None else ("destroy", "-auto-approve")
    struck: list[str] = []

    def strike(server: str, terraform: Terraform) -> None:
        struck.append(server)
        fault.strike(pool, server, terraform)

    try:
        ended = struck_at(pool.desk, fault.point, strike, *words)
    finally:
        for server in struck:
            fault.end(pool, server)
    begun = time.monotonic()
    applies = converge(pool, destroyed=fault.after is None)
    seconds = time.monotonic() - begun
    pool.figure(
        f"{name} ({ended.server}): it ended with {ended.status} after {ended.seconds:.0f} s, "
        f"saying: {first_words(ended.printed)}; {applies} more, and a plan is empty "
        f"{seconds:.0f} s later"
    )
    back = sorted(pool.lost)
    if fault.after is not None:
        pool.assert_settled()
        assert not set(back) & pool.members()
    owned = {} if fault.after is None else dict.fromkeys(pool.members(), Phase.MEMBER)
    claims = {n: claim["phase"] for n, claim in pool.desk.claims(*back).items()}
    assert claims == owned


def prepare(pool: RealPool, fault: Fault) -> None:
    """All servers run, and the cluster is as before the fault."""
    for name in sorted(pool.lost):
        pool.restore(name)
    if fault.before is None:
        give_back(pool)
        return
    pool.write(**fault.before)
    if pool.terraform("plan", "-detailed-exitcode").returncode != NO_CHANGES:
        pool.apply()
    assert pool.desk.claims().keys() == pool.members()


def give_back(pool: RealPool) -> None:
    if resources(pool.folder):
        destroyed = pool.terraform("destroy", "-auto-approve")
        assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert pool.desk.claims() == {}


def converge(pool: RealPool, *, destroyed: bool) -> int:
    """How many applies it takes until a plan is empty (or destroys, until nothing is left)."""
    words = ("destroy", "-auto-approve") if destroyed else ("apply", "-auto-approve")
    end, applies, output = time.monotonic() + CONVERGED_SECONDS, 0, ""
    while not is_over(pool, destroyed=destroyed):
        assert time.monotonic() < end, output
        done = pool.terraform(*words)
        applies, output = applies + 1, done.stdout + done.stderr
    return applies


def is_over(pool: RealPool, *, destroyed: bool) -> bool:
    if destroyed:
        return not resources(pool.folder)
    planned = pool.terraform("plan", "-detailed-exitcode")
    assert planned.returncode != FAILED, planned.stdout + planned.stderr
    return planned.returncode == NO_CHANGES


def first_words(printed: str) -> str:
    """The first error that terraform showed, else the first warning of the apply, else nothing."""
    for kind in ("Error", "Warning"):
        messages = re.findall(rf"^{kind}: (.+)$", printed.replace("│ ", ""), re.MULTILINE)
        messages = [text for text in messages if "development overrides" not in text]
        if messages:
            return f"{kind}: {messages[0]}"
    return "nothing"


@soak
def test_the_whole_site_loses_its_power_and_gets_it_back(pool: RealPool) -> None:
    """The cluster recovers without an apply."""
    prepare(pool, FAULTS["grow: Ctrl-C in a join"])
    names = sorted(pool.members())
    for name in names:
        pool.desk.power("kill", name)
    for name in names:
        pool.desk.power("power-on", name)
    begun = time.monotonic()
    empty = partial(is_over, pool, destroyed=False)
    wait_for("an empty plan", CONVERGED_SECONDS, empty)
    pool.figure(
        f"all servers of a cluster lose their power for a moment: a plan is empty "
        f"{time.monotonic() - begun:.0f} s later, after no apply"
    )
    wait_for("Ready nodes", 120, lambda: set(pool.nodes().values()) == {"Ready"})
    pool.assert_settled()

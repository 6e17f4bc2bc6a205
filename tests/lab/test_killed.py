"""Terraform and the plugin are killed in the middle, on real servers: the next apply of the same
configuration finishes what they had begun, with nothing imported by hand, and then a plan is empty.

Two of these run with the other tests, in the order in which they stand here; all of them are `make
soak`. A create starts on servers without a claim. The changes are one story of one cluster:
each starts where the one before it ended.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from canary import Canary
from desk import Desk
from killing import Point, killed_at
from real_pool import RealPool
from scenarios.pool import NO_CHANGES
from scenarios.state import resources

from rpool.model.claim import Phase
from rpool.model.event import Result

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("plain_start"),
]
soak = pytest.mark.soak
LIMITS = """
resource "rpool_cluster" "demo" {
  timeouts {
    create = "4m"
    update = "4m"
  }
}
"""
SMALL_SERVERS = {"labels": {"disk": "ssd"}}  # each has 4 cores and 8 GiB
SECRETS = "ls -d /run/rpool/secret.* 2>/dev/null || :"


@dataclass(frozen=True)
class Change:
    """From a cluster of one size to another, killed at a point; a busy one has an application on
    each worker.
    """

    before: dict[str, int]
    after: dict[str, int]
    point: Point
    busy: bool = False


CREATES = [
    pytest.param(Point("claim *", Result.DONE), id="after-the-first-claim", marks=soak),
    pytest.param(Point("prepare *", seconds=0.5), id="in-prepare", marks=soak),
    pytest.param(Point("init *"), id="before-init", marks=soak),
    pytest.param(Point("init *", seconds=4, command="kubeadm init"), id="in-init"),
    pytest.param(Point("init *", Result.DONE), id="after-init", marks=soak),
    pytest.param(Point("metallb", seconds=0.7), id="in-network-and-metallb", marks=soak),
    pytest.param(Point("join *", command="kubeadm join"), id="in-worker-join", marks=soak),
    pytest.param(Point("join *", Result.DONE), id="joined-and-no-member-yet", marks=soak),
    # The record itself is written faster than a process is killed.
    pytest.param(Point("revoke *"), id="before-the-record-is-settled", marks=soak),
]


def sized(workers: int, control_planes: int = 1) -> dict[str, int]:
    return {"cores": 4 * workers, "memory": 8 * workers, "control_planes": control_planes}


CHANGES = [
    pytest.param(Change(sized(1), sized(2), Point("join *", command="kubeadm join")), id="in-join"),
    pytest.param(
        Change(sized(2), sized(3), Point("prepare *", seconds=2)), id="in-prepare", marks=soak
    ),
    pytest.param(
        Change(sized(3), sized(4), Point("join *", Result.DONE)), id="no-member-yet", marks=soak
    ),
    pytest.param(
        Change(sized(4), sized(3), Point("drain *", seconds=0.5, command=" drain "), busy=True),
        id="in-drain",
        marks=soak,
    ),
    pytest.param(
        Change(sized(3), sized(2), Point("reset *", command="kubeadm reset")),
        id="in-reset",
        marks=soak,
    ),
    pytest.param(
        Change(sized(2), sized(2, 3), Point("join *", seconds=4, command="kubeadm join")),
        id="in-control-plane-join",
        marks=soak,
    ),
    pytest.param(
        Change(sized(2, 3), sized(2), Point("step down *", seconds=0.5)),
        id="in-step-down",
        marks=soak,
    ),
]


@pytest.fixture(scope="module")
def pool(desk: Desk, figure: Callable[[str], None], plain_start: None) -> Iterator[RealPool]:
    pool = RealPool(desk, {**sized(1), "selector": SMALL_SERVERS}, figure)
    with pool.also("demo_override", LIMITS):
        yield pool
        give_back(pool)


@pytest.mark.parametrize("point", CREATES)
def test_a_killed_create_is_finished_by_the_next_apply(pool: RealPool, point: Point) -> None:
    give_back(pool)
    pool.write(**sized(1))
    finish(pool, "create", point)


@soak
def test_a_create_that_was_made_to_its_end_and_never_told_is_imported_as_its_error_says(
    pool: RealPool,
) -> None:
    """Another state may have it, so a settled cluster is never adopted."""
    give_back(pool)
    pool.write(**sized(1))
    killed_at(pool.desk, Point("record settled", Result.DONE))
    refused = pool.refused("apply", "-auto-approve")
    command = re.search(r"terraform import rpool_cluster\.NAME (\w+)", " ".join(refused.split()))
    assert command is not None, refused
    imported = pool.terraform("import", "rpool_cluster.demo", command[1])
    assert imported.returncode == 0, imported.stdout + imported.stderr
    pool.apply()
    pool.assert_settled()


@pytest.mark.parametrize("change", CHANGES)
def test_a_killed_change_is_finished_by_the_next_apply(pool: RealPool, change: Change) -> None:
    start_from(pool, change)
    with busy(pool) if change.busy else nullcontext():
        pool.write(**change.after)
        finish(pool, "change", change.point)
    workers = set(pool.with_role("worker"))
    control_planes = len(pool.with_role("control_plane"))
    assert sized(len(workers), control_planes) == change.after


def give_back(pool: RealPool) -> None:
    """Destroy the cluster. What a killed apply left and nothing finished is taken off by force."""
    desk = pool.desk
    if resources(desk.folder):
        destroyed = desk.terraform("destroy", "-auto-approve")
        assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    desk.reinstall(desk.claims().keys())


def start_from(pool: RealPool, change: Change) -> None:
    """Make a cluster of the size before, unless the test before this one left it like that."""
    pool.write(**change.before)
    if pool.terraform("plan", "-detailed-exitcode").returncode != NO_CHANGES:
        give_back(pool)
        pool.apply()


@contextmanager
def busy(pool: RealPool) -> Iterator[None]:
    """Each worker has a pod of the application, which takes its time to go."""
    pool.install_application()
    pool.kubectl(f"scale deployment hello --replicas={len(pool.with_role('worker'))}")
    pool.kubectl("rollout status deployment/hello --timeout=120s")
    yield
    pool.kubectl("scale deployment hello --replicas=1")


def finish(pool: RealPool, what: str, point: Point) -> None:
    """Apply and kill, apply again: that succeeds, and all is as if nothing had been killed."""
    killed = killed_at(pool.desk, point)
    begun = time.monotonic()
    applied = pool.terraform("apply", "-auto-approve")
    seconds = time.monotonic() - begun
    assert applied.returncode == 0, f"{killed}\n{applied.stdout}{applied.stderr}"
    pool.figure(
        f"{what} killed after {killed.seconds:.1f} s ({point}; running: "
        f"{', '.join(sorted(killed.running)) or 'nothing'}; all that it had started here ended "
        f"{killed.ended_after_seconds:.1f} s later), finished in {seconds:.1f} s"
    )
    pool.assert_settled()
    assert_claimed_by_this_cluster_alone(pool, killed.servers)
    assert_no_secret_is_left(pool)


def assert_claimed_by_this_cluster_alone(pool: RealPool, touched: frozenset[str]) -> None:
    """Its servers have its claim, as members; all others have none, and those that were touched
    have nothing of a cluster.
    """
    claims = {n: (claim["uid"], claim["phase"]) for n, claim in pool.desk.claims().items()}
    assert claims == dict.fromkeys(pool.members(), (pool.state()["id"], Phase.MEMBER))
    others = touched - pool.members()
    assert {name: pool.leftovers(name) for name in others} == dict.fromkeys(others, "")


def assert_no_secret_is_left(pool: RealPool) -> None:
    """No join token, no uploaded certificate, no folder of a script; none of it at the desk."""
    names = pool.kubectl("-n kube-system get secrets -o name")
    assert "bootstrap-token" not in names
    assert "kubeadm-certs" not in names
    folders = {name: pool.desk.ssh(name, SECRETS) for name in pool.members()}
    assert folders == dict.fromkeys(folders, "")
    canary = Canary.of(Path(pool.desk.site["key_file"]).read_text())
    files = [path for path in pool.desk.temporary.rglob("*") if path.is_file()]
    findings = {path: canary.in_(path.read_bytes()) for path in files}
    assert {path: secrets for path, secrets in findings.items() if secrets} == {}

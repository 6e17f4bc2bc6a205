"""Each invariant catches a plan that breaks it, and lets pass what looks alike and does not."""

from __future__ import annotations

import re

import pytest

from plan.planned import situation
from plan.table import Case, Wish
from rpool.decide import plan as ladder
from rpool.decide.plan import invariants
from rpool.errors import Bug
from rpool.model import action as act
from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.pool import PoolSpec
from rpool.model.record import Record
from rpool.model.server import Role
from rpool.model.step import Step

SERVERS = {
    "m1": "control_plane",
    "m2": "control_plane",
    "m3": "control_plane, silent, lost",
    "w1": "worker",
    "w2": "worker, silent, lost",
    "w3": "spare",
    "m4": "spare",
}
OURS = Ownership("0badcafe", 1)


def before(*names: str) -> frozenset[str]:
    return frozenset(names)


def join(name: str, *needs: str, control_plane: bool = False) -> Step:
    case = observed()
    server, spec = case.fleet.servers[name], case.spec
    action = act.Join(name, OURS, server, spec, act.NOT_DRAWN, control_plane, "m1")
    return Step(action, name, before(*needs))


def claim(name: str) -> Step:
    taken = Claim(
        uid=OURS.uid,
        pool="batch",
        owner="ann",
        role=Role.WORKER,
        phase=Phase.BOOTSTRAPPING,
        epoch=OURS.epoch,
        since="2026-11-30T10:02:40+00:00",
        server=name,
        machine_id="",
    )
    return Step(act.TakeClaim(name, taken), name)


def ready(name: str, *needs: str) -> Step:
    return Step(act.AwaitReady("m1", (name,)), name, before(*needs))


def drain(name: str, *needs: str) -> Step:
    return Step(act.Drain("m1", OURS, (name,), 60, act.Budgets.RESPECTED), name, before(*needs))


def step_down(name: str, *needs: str) -> Step:
    return Step(act.StepDown(name, OURS), name, before(*needs))


def reset(name: str, *needs: str) -> Step:
    return Step(act.Reset(name, OURS, None), name, before(*needs))


def leave_etcd(name: str, *needs: str) -> Step:
    return Step(act.RemoveEtcdMember("m1", OURS, name), name, before(*needs))


def record(*needs: str) -> Step:
    spec: PoolSpec = observed().spec
    written = Record(OURS.uid, "c0ffee", 2, 1, spec, None, {})
    return Step(act.WriteRecord("m1", OURS, written, ""), needs=before(*needs))


def observed(api: bool = True) -> ladder.Case:
    wish = Wish(control_planes=("m1", "m2"), workers=("w1",))
    row = {"servers": SERVERS, "desired": wish, "steps": {}}
    case = Case.model_validate(row if api else {**row, "api": None})
    return ladder.Case(*situation(case))


BROKEN: dict[str, tuple[list[Step], str]] = {
    "two steps of one name": ([drain("w1"), drain("w1")], "two steps of one name"),
    "a step that waits for a later one": (
        [drain("w1", "reset m2"), reset("m2")],
        "drain w1 waits for reset m2, which comes later",
    ),
    "a step that waits for one that is not there": (
        [drain("w1", "join w9")],
        "drain w1 waits for join w9, which comes later",
    ),
    "a step that waits for itself": ([drain("w1", "drain w1")], "which comes later"),
    "a join beside its claim": ([claim("w3"), join("w3")], "join w3 would not wait for claim w3"),
    "a join once its claim is over, however it ended": (
        [claim("w3"), Step(join("w3").action, "w3", after=before("claim w3"))],
        "join w3 would not wait for claim w3",
    ),
    "a drain beside a join": (
        [join("w3"), drain("w1")],
        "drain w1 would not wait for those that join",
    ),
    "a drain after a join and beside the wait": (
        [join("w3"), ready("w3", "join w3"), drain("w1", "join w3")],
        "drain w1 would not wait",
    ),
    "a reset that waits for one of two": (
        [join("w3"), join("m4", control_plane=True), reset("w1", "join w3")],
        "reset w1 would not wait",
    ),
    "a drain once a join is over, however it ended": (
        [join("w3"), Step(drain("w1").action, "w1", after=before("join w3"))],
        "drain w1 would not wait",
    ),
    "a reset that needs what comes once a join is over": (
        [
            join("w3"),
            Step(leave_etcd("m3").action, "m3", after=before("join w3")),
            reset("w1", "leave etcd m3"),
        ],
        "reset w1 would not wait",
    ),
    "a control plane that steps down beside a join": (
        [join("w3"), step_down("m2")],
        "step down m2 would not wait",
    ),
    "two control planes that join at once": (
        [join("m3", control_plane=True), join("m4", control_plane=True)],
        "join m3 and join m4 would move two control planes at once",
    ),
    "one that joins while another leaves etcd": (
        [leave_etcd("m3"), join("m4", control_plane=True)],
        "leave etcd m3 and join m4 would move two",
    ),
    "two that step down at once": (
        [step_down("m1"), step_down("m2")],
        "step down m1 and step down m2 would move two",
    ),
    "the first and the third at once": (
        [
            leave_etcd("m1"),
            leave_etcd("m2", "leave etcd m1"),
            leave_etcd("m3", "leave etcd m1"),
        ],
        "leave etcd m2 and leave etcd m3 would move two",
    ),
    "one of the last two that answer": (
        [leave_etcd("m2")],
        "leave etcd m2 would cost etcd its quorum",
    ),
    "both, after the dead": (
        [
            leave_etcd("m3"),
            leave_etcd("m2", "leave etcd m3"),
            leave_etcd("m1", "leave etcd m2"),
        ],
        "leave etcd m1 would cost etcd its quorum: m1 is the last",
    ),
}


@pytest.mark.parametrize(("steps", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plan_is_a_bug(steps: list[Step], message: str) -> None:
    with pytest.raises(Bug, match=re.escape(message)):
        invariants.check(steps, observed())


SOUND: dict[str, list[Step]] = {
    "nothing": [],
    "one after the other": [
        record(),
        join("w3", "record"),
        ready("w3", "join w3"),
        drain("w1", "ready w3"),
        reset("w1", "drain w1"),
    ],
    "workers side by side": [join("w3"), join("w1")],
    "the dead before those that join": [
        leave_etcd("m3"),
        join("m4", "leave etcd m3", control_plane=True),
    ],
    "one of the last two that answer, after the dead and a new one": [
        leave_etcd("m3"),
        join("m4", "leave etcd m3", control_plane=True),
        step_down("m2", "join m4"),
        leave_etcd("m2", "step down m2"),
    ],
    "a worker that joins while a control plane does": [
        join("m4", control_plane=True),
        join("w3"),
    ],
    "the lost, whenever": [join("w3"), reset("w2")],
}


@pytest.mark.parametrize("steps", SOUND.values(), ids=SOUND)
def test_a_sound_plan_passes(steps: list[Step]) -> None:
    invariants.check(steps, observed())


def test_before_there_is_an_api_nobody_is_a_living_member() -> None:
    """A server that a create began with and drops is reset beside those that it goes on with."""
    invariants.check([join("w3"), reset("w1")], observed(api=False))

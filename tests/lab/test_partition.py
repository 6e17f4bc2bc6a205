"""An operator that is cut off in the middle of an apply, while a second one works on its cluster:
once it is back it changes nothing more.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, wait_for
from killing import Point, reach
from lab.command import run
from real_pool import RealPool
from scenarios.pool import NO_CHANGES

pytestmark = [
    pytest.mark.lab,
    pytest.mark.soak,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("plain_start"),
]
CUT_OFF = 4242
"""The group whose packets are dropped."""

ENDS_SECONDS = 300.0
RULES = f"""table inet rpool-partition {{
    chain out {{
        type filter hook output priority 0;
        meta skgid {CUT_OFF} drop
    }}
}}"""


@contextmanager
def partitioned(desk: Desk) -> Iterator[None]:
    """Nothing that a process of that group sends leaves the desk."""
    run(*desk.words("nft", "-f", "-"), stdin=RULES.encode())
    try:
        yield
    finally:
        run(*desk.words("nft", "delete", "table", "inet", "rpool-partition"))


def seen(pool: RealPool, desk: Desk) -> dict[str, Any]:
    """What an operator may change: the claims, the record, and the Nodes but for their health."""
    record = pool.kubectl(
        "-n kube-system get configmap rpool -o jsonpath='{.metadata.uid} {.data}'"
    )
    path = "jsonpath='{range .items[*]}{.metadata.name} {.metadata.labels} {.spec}{\"\\n\"}{end}'"
    nodes = pool.kubectl(f"get nodes -o {path}")
    return {"claims": desk.claims(), "record": record, "nodes": nodes}


@pytest.mark.parametrize(
    "point",
    [Point("prepare *", seconds=1), Point("join *", command="kubeadm join")],
    ids=["in a preparation", "in a join"],
)
def test_an_operator_that_was_cut_off_changes_nothing_more(
    desk: Desk, figure: Callable[[str], None], tmp_path: Path, point: Point
) -> None:
    small = {"cores": 4, "memory": 8, "control_planes": 1}
    pool = RealPool(desk, {**small, "selector": {"labels": {"disk": "ssd"}}}, figure)
    pool.apply()
    other = replace(desk, folder=tmp_path / "another desk")
    pool.write(**small | {"cores": 8, "memory": 16})
    # Its temporary files stay behind: plugins that were killed have left sockets there.
    shutil.copytree(desk.folder, other.folder, ignore=shutil.ignore_patterns("tmp"))
    log = desk.folder / "cut-off.log"
    first = desk.start_terraform("apply", "-auto-approve", log=log, group=CUT_OFF)
    begun = time.monotonic()
    reach(point, desk.lab, first, log)
    time.sleep(point.seconds)
    with partitioned(desk):
        tried = 0

        def takes_over() -> bool:
            nonlocal tried
            tried += 1
            return other.terraform("apply", "-auto-approve").returncode == 0

        wait_for("the second operator's apply", 300, takes_over)
        taken_over = time.monotonic() - begun
        planned = other.terraform("plan", "-detailed-exitcode")
        assert planned.returncode == NO_CHANGES, planned.stdout + planned.stderr
        before = seen(pool, desk)
    first.wait(ENDS_SECONDS)
    printed = log.with_suffix(".out").read_text()
    assert first.returncode == 1, printed
    assert seen(pool, desk) == before
    figure(
        f"cut off {point}: a second operator was done {taken_over:.0f} s later, in {tried} tries; "
        f"the first ended {time.monotonic() - begun:.0f} s later, saying: "
        f"{next(line for line in printed.splitlines() if 'Error: ' in line).strip('│ ')}"
    )
    assert desk.terraform("plan", "-detailed-exitcode").returncode == NO_CHANGES
    assert pool.terraform("destroy", "-auto-approve").returncode == 0

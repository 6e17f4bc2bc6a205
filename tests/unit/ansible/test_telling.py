"""What a reset tells of a server that preparation has changed, and what happens where its output is
lost. More of it is in tests/unit/reach/test_reach_footholds.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from worlds.fakes import site
from worlds.machine import Machine
from worlds.samples import CLAIM

from rpool.model import action as act
from rpool.reach.render import render

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

WRITE = """
put /etc/containerd/config.toml '# Written by rpool'
put /etc/systemd/system/rpool-later.timer '# Written by rpool'
put /etc/apt/sources.list.d/rpool-kubernetes.sources '# Written by rpool'
"""
RESET = render(act.Reset("r1u04", CLAIM.ownership, None), site(), 60)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A server that was claimed just now."""
    machine = Machine.make(tmp_path)
    machine.path("/var/lib/rpool/claim").unlink()
    claimed = machine.run(render(act.TakeClaim("r1u04", CLAIM), site(), 60))
    assert claimed.returncode == 0, claimed.stderr
    return machine


def test_what_preparation_writes_is_no_news(machine: Machine) -> None:
    assert machine.role(WRITE).returncode == 0
    done = machine.run(RESET)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_reset_that_cannot_tell_its_news_keeps_the_claim_and_tells_them_again(
    machine: Machine,
) -> None:
    machine.file("/etc/cron.d/came", "came")
    lost = machine.run(f"sh -s >/dev/full <<'END'\n{RESET}END\n")
    assert lost.returncode != 0
    assert machine.path("/var/lib/rpool/claim").exists()
    done = machine.run(RESET)
    assert (done.returncode, done.stdout) == (0, "new /etc/cron.d/came\n")
    remaining = [path.name for path in machine.path("/var/lib/rpool").iterdir()]
    assert remaining == ["trust"]  # the mark of its domain outlives a reset

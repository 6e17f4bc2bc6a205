"""A claim is there whole or not at all, wherever a script or the power is cut off."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.fakes import site
from worlds.machine import Machine

from rpool.model import action as act
from rpool.model.claim import Claim, Phase
from rpool.model.server import Role
from rpool.reach.render import render

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

FILE = "/var/lib/rpool/claim"
FOOTHOLDS = "/var/lib/rpool/footholds"
CLAIM = Claim(
    "0badcafe", "batch", "ann", Role.WORKER, Phase.BOOTSTRAPPING, 3, "2026-11-24", "r1u04", ""
)
LEAVING = replace(CLAIM, phase=Phase.LEAVING)
TAKE = render(act.TakeClaim("r1u04", CLAIM), site(), 60)
LEAVE = render(act.SetPhase("r1u04", CLAIM.ownership, Phase.LEAVING), site(), 60)
KILL = "kill -9 $$"


CUT_AT_ITS_NAME = TAKE.replace('"$CLAIM"\n    finish\n', f'"$CLAIM"\n    {KILL}\n')
"""The claim has its name, and also still the name under which it was written."""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A server without a claim, which records what is synced, linked and renamed, in order."""
    machine = Machine.make(tmp_path)
    machine.path(FILE).unlink()
    for name in ("sync", "ln", "mv"):
        machine.program(name, f'exec /bin/{name} "$@"')
    return machine


def run(machine: Machine, script: str) -> int:
    """The script's exit code. It is a child: no namespace's first process is killed from inside."""
    return machine.run(f"sh -s <<'END'\n{script}END\n").returncode


def claim_on(machine: Machine) -> Claim | None:
    """The claim, or None when no file of that name is there; half a claim is an error."""
    path = machine.path(FILE)
    return Claim.from_dict(json.loads(path.read_text())) if path.exists() else None


def cut_while_writing(script: str) -> str:
    """The script, killed when half of what it writes to a file is written."""
    write = """write_file() { printf '%s\\n' "$2" >"$1"; }"""
    assert write in script
    return script.replace(write, f"write_file() {{ printf '%s' '{{' >\"$1\"; {KILL}; }}")


def changes(machine: Machine) -> list[str]:
    """What was synced, linked and renamed, with NEW for the name of the file that was made."""
    kinds = ("sync ", "ln ", "mv ")
    words = [line.split() for line in machine.calls.splitlines() if line.startswith(kinds)]
    return [" ".join("NEW" if word.endswith(".new") else word for word in call) for call in words]


MARK = "/var/lib/rpool/trust"


def test_the_mark_is_on_the_disk_before_the_claim_and_each_before_it_has_its_name(
    machine: Machine,
) -> None:
    assert machine.run(TAKE).returncode == 0
    assert changes(machine) == [
        "sync NEW",
        f"mv -f NEW {MARK}",
        "sync /var/lib/rpool",
        "sync NEW",  # the list of what was there when it was claimed
        f"mv -f NEW {FOOTHOLDS}",
        "sync /var/lib/rpool",
        "sync NEW",
        f"ln NEW {FILE}",
        "sync /var/lib/rpool",
        "sync /var/lib",
    ]


def test_a_claim_that_was_cut_off_before_it_was_on_the_disk_is_by_the_next(
    machine: Machine,
) -> None:
    assert run(machine, CUT_AT_ITS_NAME) == 137
    (machine.root / "calls").unlink()
    assert machine.run(TAKE).returncode == 0
    assert changes(machine) == ["sync /var/lib/rpool", "sync /var/lib"]


def test_a_phase_is_on_the_disk_before_it_has_the_claim_s_name(machine: Machine) -> None:
    machine.run(TAKE)
    (machine.root / "calls").unlink()
    assert machine.run(LEAVE).returncode == 0
    assert changes(machine) == ["sync NEW", f"mv -f NEW {FILE}", "sync /var/lib/rpool"]


@pytest.mark.parametrize(
    ("before", "script", "there"),
    [(None, TAKE, None), (TAKE, LEAVE, CLAIM), (CUT_AT_ITS_NAME, LEAVE, CLAIM)],
    ids=["claiming", "a phase", "a phase after a cut"],
)
def test_what_was_cut_off_while_it_was_written_is_no_claim(
    machine: Machine, before: str | None, script: str, there: Claim | None
) -> None:
    """Cuts between lines are in tests/cuts; here half of the text is written."""
    if before is not None:
        run(machine, before)
    assert run(machine, cut_while_writing(script)) == 137
    assert claim_on(machine) == there
    assert machine.run(TAKE).returncode == 0
    assert claim_on(machine) == CLAIM

"""Which processes are killed, and which are not: else a test of killing proves nothing."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from protocol.process_tree import Tree
from protocol.step_log import Said, said

from rpool.model.event import Result

TERRAFORM = (
    "sh -c '{ sleep 1; echo $$ >ended; } & echo >started; wait; echo >told' & wait; echo >told"
)


def test_terraform_and_the_plugin_are_killed_and_what_it_started_ends_by_itself(
    tmp_path: Path,
) -> None:
    terraform = subprocess.Popen(["sh", "-c", TERRAFORM], cwd=tmp_path)
    while not (tmp_path / "started").exists():
        assert terraform.poll() is None
    with ExitStack() as stack:
        tree = Tree(terraform, stack)
        tree.kill()
        assert not (tmp_path / "ended").exists()
        assert tree.await_end() > 0
    assert (tmp_path / "ended").exists()
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            'demo: join r1: started: server=r1 step="join r1" outcome=started @module=rpool\n',
            [Said("r1", "join r1", Result.STARTED)],
        ),
        (
            "demo: network: done in 0.9 s: pool=demo server=r1 step=network outcome=done\n",
            [Said("r1", "network", Result.DONE)],
        ),
        ('demo: join r1: started: server=r1 step="join r1" outcome=start', []),
        ("[INFO]  provider: configuring client automatic mTLS\n", []),
    ],
)
def test_a_log_is_read_while_it_is_written(line: str, expected: list[Said], tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert said(log) == []
    log.write_text(line)
    assert said(log) == expected

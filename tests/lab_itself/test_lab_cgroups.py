"""Groups come and go while the lab looks at them: systemd on a server starts and stops services."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from lab.site import cgroups


@pytest.fixture
def fleeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A group that goes after it was listed and before it is looked into."""
    monkeypatch.setattr(cgroups, "unified", lambda: tmp_path)
    group = tmp_path / cgroups.TOP / "r1u04" / "kubelet.service"
    group.mkdir(parents=True)
    look_into = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == group:
            group.rmdir()
        return look_into(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return group


def test_a_look_at_commands_passes_by_a_group_that_goes(fleeting: Path) -> None:
    own = fleeting.parent / "sshd.service"
    own.mkdir()
    (own / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (command,) = cgroups.commands("r1u04")
    assert command.startswith(Path("/proc/self/cmdline").read_bytes().partition(b"\0")[0].decode())
    assert not fleeting.exists()


def test_a_group_is_removed_though_one_in_it_goes_by_itself(
    fleeting: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    cgroups.remove("r1u04")
    assert not fleeting.parent.exists()

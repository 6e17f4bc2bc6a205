"""Groups come and go while the lab looks at them: systemd on a server starts and stops services."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from lab.site import cgroups


def test_a_look_at_commands_passes_by_a_group_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "unified", lambda: tmp_path)
    fleeting = [tmp_path / cgroups.TOP / "r1u04" / f"{n}.service" / "init" for n in range(20)]
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            for group in fleeting:
                group.mkdir(parents=True)
            for group in fleeting:
                group.rmdir()
                group.parent.rmdir()

    service_manager = threading.Thread(target=come_and_go)
    service_manager.start()
    try:
        looks = [cgroups.commands("r1u04") for _ in range(300)]
    finally:
        over.set()
        service_manager.join()
    assert looks == [[]] * 300

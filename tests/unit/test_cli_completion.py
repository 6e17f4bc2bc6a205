"""Completion: what bash asks of rpool, and what it gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rpool.cli.main import main


def completed(folder: Path, line: str) -> set[str]:
    """What bash would offer at the end of `line`."""
    environment = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(folder / "said"),
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    program = "from rpool.cli.main import main; main()"
    command = [sys.executable, "-c", program]
    subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True)
    return {word.strip() for word in (folder / "said").read_text().split("\n")}


def test_commands_and_servers_are_completed(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("simulate: {servers: 12}\n")
    assert completed(tmp_path, "rpool re") == {"release"}
    assert completed(tmp_path, "rpool release r2") == {"r2u01", "r2u02", "r2u03", "r2u04"}
    assert completed(tmp_path, "rpool simulate lose r3u04") == {"r3u04"}


def test_a_site_that_cannot_be_read_completes_no_server(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("simulate: {")
    assert completed(tmp_path, "rpool release r2") == {""}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_ask(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_ARGCOMPLETE" in capsys.readouterr().out

"""Every command that asks servers says SIMULATED once where they are modelled, on stderr."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds.folder import SIMULATED, made_in

from rpool.cli import completion
from rpool.cli.main import main, parser

Output = pytest.CaptureFixture[str]
SPARE = "r3u04"
WITH_CLUSTER = ("explain", "journal", "kubeconfig", "show", "watch")
CALLED = {**{name: [name, "batch"] for name in WITH_CLUSTER}, "list": ["list"]}
CALLED["release"] = ["release", SPARE]


def commands_of_a_site() -> Iterator[str]:
    """Those that take `--site`, but scan: it takes the login from that and asks what it is told."""
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                if "--site" in command._option_string_actions and name != "scan":
                    yield name


def test_no_command_is_missing_here() -> None:
    assert set(commands_of_a_site()) == CALLED.keys()


@pytest.mark.parametrize("name", sorted(CALLED.keys() - {"watch", "release"}))
def test_a_command_says_that_servers_are_modelled_beside_its_document(
    name: str, tmp_path: Path, capsys: Output
) -> None:
    made_in(tmp_path)
    assert main([*CALLED[name], "--json", "--site", str(tmp_path / "site.yaml")]) == 0
    captured = capsys.readouterr()
    assert captured.err == SIMULATED
    assert all(json.loads(document) for document in [captured.out] if name != "journal")
    assert "SIMULATED" not in captured.out


def test_so_does_one_that_is_refused(tmp_path: Path, capsys: Output) -> None:
    made_in(tmp_path)
    assert main([*CALLED["release"], "--site", str(tmp_path / "site.yaml")]) == 1
    assert capsys.readouterr().err.startswith(SIMULATED)


def test_a_shell_that_completes_a_name_is_told_nothing_else(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "site.yaml").write_text("simulate: {servers: 3}\n")
    arguments = argparse.Namespace(site=tmp_path / "site.yaml")
    assert completion._servers("", arguments) == ["r1u01", "r2u01", "r3u01"]
    assert capsys.readouterr() == ("", "")

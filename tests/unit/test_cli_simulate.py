"""`rpool simulate`: servers lose their power and get it back; a wrong call is told how."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from worlds.stage import FOREIGN

from rpool.cli.main import main
from rpool.errors import Unreachable
from rpool.model import action as act
from rpool.model.claim import Fence
from rpool.model.generated_fleet import generated
from rpool.simulate import FILE_NAME
from rpool.simulate.store import Store
from rpool.simulate.stored import StoredWorld

Output = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with closing(world(tmp_path / FILE_NAME)) as made:
        made.carry_out(act.TakeClaim("r1u02", FOREIGN), 1)
    return tmp_path / FILE_NAME


def world(file: Path) -> StoredWorld:
    return StoredWorld(generated(12), Store(file))


def simulate(file: Path, *words: str) -> int:
    return main(["simulate", *words, "--file", str(file)])


def test_a_crash_of_the_command_writes_no_core_to_disk(file: Path) -> None:
    program = (
        "import resource; from rpool.cli.main import main;"
        f"main(['simulate', 'restore', 'r1u01', '--file', {str(file)!r}]);"
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "(0, 0)"


def test_a_lost_server_is_out_of_reach_and_a_restored_one_as_it_was(
    file: Path, capsys: Output
) -> None:
    before = file.read_bytes()
    assert simulate(file, "lose", "r1u02") == 0
    assert "r1u02 is lost" in capsys.readouterr().out
    with closing(world(file)) as opened, pytest.raises(Unreachable):
        opened.probe("r1u02")
    assert simulate(file, "restore", "r1u02") == 0
    assert "cluster other has a claim on it" in capsys.readouterr().out
    with closing(world(file)) as opened:
        assert opened.probe("r1u02").claim == FOREIGN
    assert file.read_bytes() == before


def test_a_blocked_port_stays_so_until_it_is_opened(file: Path, capsys: Output) -> None:
    before = file.read_bytes()
    assert simulate(file, "block", "r2u01", "tcp/6443", "udp/8472") == 0
    assert "r2u01 blocks tcp/6443, udp/8472." in capsys.readouterr().out
    with closing(world(file)) as opened:
        opened.probe("r2u01")
        assert opened.machines["r2u01"].blocked == ("tcp/6443", "udp/8472")
    assert simulate(file, "block", "r2u01") == 0
    assert file.read_bytes() == before
    assert simulate(file, "block", "r2u01", "sctp/6443") == 1
    assert "Ports are such as tcp/6443" in capsys.readouterr().err


def test_a_server_that_has_lost_its_power_knows_no_session_any_more(file: Path) -> None:
    """Sessions are in memory, like the commands that they refuse; its disk has none."""
    before = file.read_bytes()
    with closing(world(file)) as opened:
        opened.probe("r1u02", Fence("0863513a9c41d07e", 4))
    assert file.read_bytes() != before
    assert simulate(file, "lose", "r1u02") == simulate(file, "restore", "r1u02") == 0
    assert file.read_bytes() == before


def test_a_server_that_is_installed_anew_has_nothing_on_it_and_no_domain_of_trust(
    file: Path, capsys: Output
) -> None:
    with closing(world(file)) as opened:
        assert opened.probe("r1u02").served == ""
    assert simulate(file, "lose", "r1u02") == simulate(file, "reinstall", "r1u02") == 0
    output = capsys.readouterr().out
    assert "r1u02 is reinstalled: its disk is empty.\nCluster other has lost it thereby" in output
    with closing(world(file)) as opened:
        probed = opened.probe("r1u02")
    assert (probed.is_spare, probed.served) == (True, None)
    assert simulate(file, "reinstall", "r1u01") == 0
    assert capsys.readouterr().out == "r1u01 is reinstalled: its disk is empty.\n"


def test_what_is_so_already_is_said(file: Path, capsys: Output) -> None:
    assert simulate(file, "restore", "r1u01") == 0
    assert "already" in capsys.readouterr().out
    assert simulate(file, "lose", "r1u01") == simulate(file, "lose", "r1u01") == 0
    assert "already" in capsys.readouterr().out


def test_one_that_is_lost_already_can_have_been_so_for_longer(file: Path, capsys: Output) -> None:
    """Losing it advises that, to have its cluster replace it at once."""
    assert simulate(file, "lose", "r1u02") == 0
    assert "--ago 10m, at once" in capsys.readouterr().out
    assert simulate(file, "lose", "r1u02", "--ago", "10m") == 0
    assert "r1u02 is lost: it has no power" in capsys.readouterr().out
    with closing(world(file)) as opened, pytest.raises(Unreachable):
        opened.probe("r1u02")
    with closing(world(file)) as opened:
        assert time.time() - opened.machines["r1u02"].down_since > 10 * 60 - 1


def test_an_unknown_server_names_the_known_ones(file: Path, capsys: Output) -> None:
    assert simulate(file, "lose", "r1u99") == 1
    errors = capsys.readouterr().err
    assert "there is no server r1u99" in errors
    assert "r1u01, r1u02" in errors


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (("lose", "r1u02"), {"powered": False, "changed": True}),
        (("restore", "r1u02"), {"powered": True, "changed": False}),
        (("reinstall", "r1u02"), {"powered": True, "changed": True}),
        (("block", "r1u02", "tcp/6443"), {"powered": True, "changed": True}),
        (("block", "r1u02"), {"powered": True, "changed": False}),
    ],
)
def test_json_has_how_a_server_is_and_whose_it_was(
    file: Path, capsys: Output, words: tuple[str, ...], facts: dict[str, bool]
) -> None:
    assert simulate(file, *words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "server": "r1u02",
        "blocked": list(words[2:]),
        "cluster": FOREIGN.pool,
        "cluster_id": FOREIGN.uid,
        **facts,
    }
    with closing(Store(file)) as store:
        machine = (store.load() or {})["r1u02"]
    assert machine.powered is facts["powered"]
    assert machine.blocked == words[2:]


def test_json_of_a_server_that_is_nobody_s_says_so(file: Path, capsys: Output) -> None:
    assert simulate(file, "lose", "r1u01", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["cluster"], facts["cluster_id"]) == (None, None)


@pytest.mark.parametrize("words", [("lose", "r1u01"), ("restore", "r1u01"), ("reinstall", "r1u01")])
def test_without_a_simulated_site_it_says_what_to_do(
    tmp_path: Path, capsys: Output, words: tuple[str, ...]
) -> None:
    assert simulate(tmp_path / "none.json", *words) == 1
    errors = capsys.readouterr().err
    assert "there is no simulated site in" in errors
    assert "terraform apply" in errors
    assert list(tmp_path.iterdir()) == []


def test_it_runs_from_a_checkout_on_the_file_of_the_folder_it_is_called_in(file: Path) -> None:
    command = [sys.executable, "-m", "rpool", "simulate", "lose", "r1u02"]
    ran = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, check=True)
    assert "r1u02" in ran.stdout

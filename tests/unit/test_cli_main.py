"""What `rpool` says of itself."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rpool.cli.main import main, parser

Output = pytest.CaptureFixture[str]
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_alone_it_prints_the_help(capsys: Output) -> None:
    assert main([]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (parser().format_help(), "")


def test_its_version_is_that_of_the_release(capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
    assert capsys.readouterr().out == f"rpool {version}\n"


def test_a_command_that_there_is_not_is_bad_usage(capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lsit"])
    assert ended.value.code == 2
    assert "invalid choice: 'lsit'" in capsys.readouterr().err

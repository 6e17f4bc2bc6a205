"""docs/guides/command.md has each command and its options, and none that does not exist."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpool.cli.main import parser

DOC = Path(__file__).parents[2] / "docs/guides/command.md"


def commands() -> dict[str, argparse.ArgumentParser]:
    return dict(_below(parser()))


def _below(command: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def options(command: argparse.ArgumentParser) -> set[str]:
    """The long options of a command and of all its verbs."""
    own = {word for action in command._actions for word in action.option_strings}
    below = {word for _, verb in _below(command) for word in options(verb)}
    return {word for word in own | below if word.startswith("--")} - {"--help"}


def sections() -> dict[str, str]:
    parts = re.split(r"^## `rpool ([a-z]+)`$", DOC.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_command_has_its_section() -> None:
    assert sections().keys() == commands().keys()


@pytest.mark.parametrize("name", commands())
def test_a_section_has_the_options_and_verbs_of_its_command(name: str) -> None:
    text = sections()[name]
    assert set(re.findall(r"--[a-z][-a-z]*", text)) == options(commands()[name])
    for verb, _ in _below(commands()[name]):
        assert f"`{verb}`" in text


def leaves(command: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A command's verbs; the command itself where it has none."""
    below = [verb for _, verb in _below(command)]
    yield from below or [command]


@pytest.mark.parametrize("name", sorted(commands().keys() - {"completion"}))
def test_each_command_prints_for_programs_but_for_a_shell_s_own(name: str) -> None:
    assert all("--json" in options(verb) for verb in leaves(commands()[name]))

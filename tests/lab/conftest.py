"""A lab of the tests' own, a desk at it, and the figures that the tests measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from desk import CHECKOUT, Desk, wait_for
from lab.cache import default_cache
from lab.settings import write_variables
from lab.site import bring_up
from lab.versions import DEFAULT_KUBERNETES
from scenarios.state import resources

NAME = os.environ.get("RPOOL_TESTS_LAB", "tests")  # another one where several people test
SERVERS = 9
FIGURES: list[str] = []
KEPT = CHECKOUT / "build" / "figures.txt"


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The operator's desk at a lab of nine plain servers, with the example's configuration."""
    cache = default_cache()
    bring_up.down(cache, NAME)
    lab = bring_up.up(cache, NAME, SERVERS, DEFAULT_KUBERNETES)
    folder = tmp_path_factory.mktemp("configuration")
    yield Desk.at(lab, folder)
    bring_up.down(cache, NAME)


@pytest.fixture(scope="module")
def plain_start(desk: Desk) -> None:
    """Each file of tests starts with running servers that no cluster has claimed, and with the
    example's own variables, whatever the file before it left.
    """
    for server in desk.lab.fleet:
        desk.power("power-on", server.name)
    for server in desk.lab.fleet:
        wait_for(f"{server.name}'s sshd", 60, partial(desk.is_up, server.name))
    for path in desk.folder.glob("*.auto.tfvars.json"):
        path.unlink()
    write_variables(desk.lab, desk.folder)
    if resources(desk.folder):
        destroyed = desk.terraform("destroy", "-auto-approve")
        assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    desk.reinstall(desk.claims().keys())


@pytest.fixture(scope="session")
def figure() -> Callable[[str], None]:
    """Call it with a sentence: it is kept in build/ at once, and shown at the end of the run."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text("")

    def keep(sentence: str) -> None:
        FIGURES.append(sentence)
        with KEPT.open("a") as file:
            file.write(f"{sentence}\n")

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not FIGURES:
        return
    terminalreporter.section("figures")
    for line in FIGURES:
        terminalreporter.write_line(line)

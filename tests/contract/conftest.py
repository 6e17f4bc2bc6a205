"""Each test of the contract runs twice, on `half`: a modelled server, or one behind a real sshd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from worlds.sshd import running_sshd

from contract.half import Half, Modelled, Sshd


@pytest.fixture(scope="module", params=["modelled", "sshd"])
def as_new(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Half]]:
    """Makes a half whose server is as new."""
    if request.param == "modelled":
        yield Modelled
        return
    with running_sshd(tmp_path_factory.mktemp("contract") / "server") as server:
        half = Sshd(server)

        def renewed() -> Half:
            half.renew()
            return half

        with closing(half.world):
            yield renewed


@pytest.fixture
def half(as_new: Callable[[], Half]) -> Half:
    return as_new()

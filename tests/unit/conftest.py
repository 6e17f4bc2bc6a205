"""Tests that kill an operation meet one order of its steps, drawn from a seed.

Why it exists: steps that are allowed at once run in threads, so which of them are done when a test
kills the operation would be chance, and a failure could not be reproduced. So each test of a file
that uses `killed` has one thread (see `fault/in_turn.py`), and meets the order that its name draws:
the same in each run. RPOOL_ORDER, any word, draws another order; `make soak` runs twenty:

    RPOOL_ORDER=7 pytest -m in_turn tests/unit

A test that needs threads of its own beside the engine's is marked `threads`, and keeps both.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

ORDER = os.environ.get("RPOOL_ORDER", "0")


def pytest_itemcollected(item: pytest.Item) -> None:
    kills = isinstance(item, pytest.Function) and hasattr(item.module, "killed")
    if kills and item.get_closest_marker("threads") is None:
        item.add_marker("in_turn")


@pytest.fixture(autouse=True)
def _in_turn(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("in_turn") is None:
        yield
        return
    from fault.in_turn import InTurn

    seed = f"{ORDER} {request.node.name}"
    random.seed(seed)  # for what a stage draws
    with InTurn(random.Random(seed)).one_thread():  # noqa: S311 not for secrets
        yield

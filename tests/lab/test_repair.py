"""The story of repair on real servers, while an HTTP client asks the application all the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from desk import Desk
from real_pool import RealPool
from scenarios.repairing import REPAIR, START, Repairing

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("plain_start"),
]


@pytest.fixture(scope="module")
def pool(desk: Desk, figure: Callable[[str], None], plain_start: None) -> Iterator[RealPool]:
    pool = RealPool(desk, dict(START), figure)
    with pool.also("demo_override", REPAIR):
        pool.apply()
        pool.install_application()
        pool.await_application()
        pool.kubectl("rollout status deployment/hello --timeout=60s")
        yield pool
        destroyed = desk.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr


class TestRepairing(Repairing):
    pass

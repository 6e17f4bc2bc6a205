"""The stories of repair on real servers, while an HTTP client asks the application all the time,
and the way back from a lost quorum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from desk import Desk
from real_pool import RealPool
from scenarios.pool import CHANGES
from scenarios.repairing import START, Repairing, RepairingAtOnce, repair

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("plain_start"),
]
RECOVER = """
resource "rpool_cluster" "demo" {
  repair {
    grace = "30s"
  }
  control_plane {
    servers      = 3
    recover_from = "SERVER"
    endpoint {
      vip = var.api_vip
    }
  }
}
"""


@contextmanager
def cluster(desk: Desk, figure: Callable[[str], None], most: int) -> Iterator[RealPool]:
    """Three control planes, two workers, and an application that has a copy on each of these."""
    pool = RealPool(desk, dict(START), figure)
    with pool.also("demo_override", repair(most)):
        pool.apply()
        pool.install_application()
        pool.await_application()
        pool.kubectl("rollout status deployment/hello --timeout=60s")
        yield pool
        for name in sorted(pool.lost):
            pool.restore(name)
    with pool.also("demo_override", repair(most)):
        destroyed = desk.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr


class TestRepairingAtOnce(RepairingAtOnce):
    @pytest.fixture(scope="class")
    @staticmethod
    def pool(desk: Desk, figure: Callable[[str], None], plain_start: None) -> Iterator[RealPool]:
        with cluster(desk, figure, 3) as pool:
            yield pool


@pytest.mark.soak
class TestRepairing(Repairing):
    @pytest.fixture(scope="class")
    @staticmethod
    def pool(desk: Desk, figure: Callable[[str], None], plain_start: None) -> Iterator[RealPool]:
        with cluster(desk, figure, 1) as pool:
            yield pool

    def test_two_of_three_control_planes_are_lost_for_good(self, pool: RealPool) -> None:
        """What is in the API is there still, and so is the application."""
        survivor, *lost = pool.with_role("control_plane")
        pool.kubectl("create configmap kept --from-literal=word=here")
        for name in lost:
            pool.lose(name)
            pool.mark(name, "lost")
        planned = pool.terraform("plan", "-detailed-exitcode")
        assert planned.returncode == CHANGES, planned.stdout + planned.stderr
        assert "set control_plane.recover_from" in " ".join(planned.stdout.split())
        with pool.also("demo_override", RECOVER.replace("SERVER", survivor)):
            seconds = pool.apply()
            pool.assert_settled()
            assert pool.kubectl("get configmap kept -o jsonpath='{.data.word}'") == "here"
            assert len(pool.with_role("control_plane")) == 3
            pool.await_application()
        pool.figure(f"recovered from one of three control planes, with two new: {seconds:.1f} s")
        pool.unmark()

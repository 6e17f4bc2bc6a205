"""The story of resizing on modelled servers, with the real Terraform."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenarios import repairing
from scenarios.modelled import ModelledPool
from scenarios.repairing import Repairing
from scenarios.resizing import START, Resizing


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelledPool]:
    pool = ModelledPool(tmp_path_factory.mktemp("modelled"), 9, dict(START))
    pool.apply()
    yield pool
    destroyed = pool.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr


class TestResizing(Resizing):
    pass


class TestRepairing(Repairing):
    @pytest.fixture(scope="class")
    def pool(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelledPool]:
        pool = ModelledPool(tmp_path_factory.mktemp("repaired"), 9, dict(repairing.START))
        with pool.also("demo_override", repairing.REPAIR):
            pool.apply()
            yield pool
            destroyed = pool.terraform("destroy", "-auto-approve")
        assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr

"""The story of resizing on modelled servers, with the real Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scenarios import repairing
from scenarios.modelled import ModelledPool
from scenarios.repairing import Repairing, RepairingAtOnce
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


@contextmanager
def repaired(folder: Path, most: int) -> Iterator[ModelledPool]:
    pool = ModelledPool(folder, 9, dict(repairing.START))
    with pool.also("demo_override", repairing.repair(most)):
        pool.apply()
        yield pool
        destroyed = pool.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr


class TestRepairing(Repairing):
    @pytest.fixture(scope="class")
    @staticmethod
    def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelledPool]:
        with repaired(tmp_path_factory.mktemp("repaired"), 1) as pool:
            yield pool


class TestRepairingAtOnce(RepairingAtOnce):
    @pytest.fixture(scope="class")
    @staticmethod
    def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelledPool]:
        with repaired(tmp_path_factory.mktemp("repaired-at-once"), 3) as pool:
            yield pool

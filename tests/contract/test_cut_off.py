"""What is known of a server that loses its power. It stays off: there is one test here."""

from __future__ import annotations

import time

import pytest
from worlds.samples import OURS

from contract.half import HERE, Half
from rpool.errors import Unreachable


def test_a_lock_is_lost_with_its_server(half: Half) -> None:
    with half.world.lock(HERE, OURS.uid) as lock:
        half.cut_off()
        with pytest.raises(Unreachable):
            half.world.probe(HERE)
        end = time.monotonic() + 10
        while not lock.lost():
            assert time.monotonic() < end
            time.sleep(0.05)

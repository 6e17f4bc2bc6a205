"""A create refuses another cluster of its name, also where neither sees the other's claims."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds.stage import ONE, Stage

from rpool.api import Attempt
from rpool.flow.neighbours import Neighbours, Taken
from rpool.model.pool import ControlPlane, Endpoint


def test_a_cluster_of_that_name_is_in_the_way_whatever_its_addresses() -> None:
    stage = Stage(12)
    view = stage.site.create_pool(ONE, stage.attempt())
    elsewhere = ControlPlane(1, Endpoint(vip="10.0.1.250"))
    spec = replace(ONE, control_plane=elsewhere, metallb_pools={})
    ours = ("2026-01-01", "00000000")
    look = Neighbours(ours, spec, stage.site.config.fleet, stage.world, Attempt(60))
    with pytest.raises(Taken) as taken:
        look.refuse({"00000000"})
    assert f"uid {view.uid}" in taken.value.detail
    assert "it has the same name" in taken.value.detail

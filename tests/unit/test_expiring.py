"""A plan warns of certificates that end soon, also where they have ended and no API serves."""

from __future__ import annotations

import time

import pytest
from following import follows, read, with_cluster

from rpool.advice import Do

DAY = 86400.0


@follows(Do.RENEW)
@pytest.mark.parametrize(
    ("days", "says"),
    [
        (59.5, "certificates of its control planes expire within 59 days"),
        (-3.0, "certificates of its control planes have expired"),
    ],
)
def test_a_certificate_that_ends_soon_is_told(days: float, says: str) -> None:
    desk = with_cluster()
    control_plane = desk.view().control_planes[1]
    desk.stage.machine(control_plane).certificates_end = time.time() + days * DAY
    warnings = desk.apply()
    assert says in warnings
    assert f"{control_plane}: /etc/kubernetes/pki/apiserver.crt expire" in warnings
    read(Do.RENEW, warnings)
    desk.stage.machine(control_plane).certificates_end = time.time() + 365 * DAY
    assert "certificates" not in desk.apply()
    desk.is_whole()


def test_one_that_ends_later_is_not_told() -> None:
    desk = with_cluster()
    for control_plane in desk.view().control_planes:
        desk.stage.machine(control_plane).certificates_end = time.time() + 61 * DAY
    assert desk.apply() == ""


def test_it_is_told_where_no_api_serves() -> None:
    desk = with_cluster()
    for control_plane in desk.view().control_planes:
        machine = desk.stage.machine(control_plane)
        machine.certificates_end, machine.stepped_down = time.time() - 2 * DAY, True
    desk.stage.open()
    result = desk.stage.site.read_pool(desk.view())
    assert any("have expired" in warning for warning in result.warnings)

"""What a scan makes of a server's memory, name and groups."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rpool.decide.preflight import SIZE_TOLERANCE
from rpool.decide.scanned import Host, fleet_of, nominal_gib, zone_of
from rpool.model.quantity import gib


@pytest.mark.parametrize(
    ("real_gib", "hardware"),
    [
        (1.91, 2), (3.8, 4), (7.7, 8), (15.5, 16), (23.54, 24), (31.2, 32), (62.7, 64),
        (94.1, 96), (125.6, 128), (188.5, 192), (251.4, 256), (376.5, 384), (503.6, 512),
        (754.3, 768), (1007.2, 1024), (2014.9, 2048), (64.0, 64),
    ],
)  # fmt: skip
def test_the_memory_of_the_hardware_is_told_from_what_linux_has(
    real_gib: float, hardware: int
) -> None:
    assert nominal_gib(int(real_gib * 1024)) == hardware


@given(st.integers(1024, 1 << 24))
@example(8193)
@example(2200)
def test_a_scanned_size_is_never_one_that_preparation_refuses(memory_mib: int) -> None:
    declared_mib = nominal_gib(memory_mib) * 1024
    assert memory_mib >= SIZE_TOLERANCE * declared_mib
    assert declared_mib > memory_mib - max(1024, memory_mib / 16)


@pytest.mark.parametrize(
    ("name", "groups", "zone"),
    [
        ("x", ["web", "rack_b"], "rack-b"),
        ("x", ["zone-a"], "zone-a"),
        ("x", ["Rack3"], "rack3"),
        ("x", ["racks", "rows", "azure", "hallway"], None),
        ("r1u04", [], "rack1"),
        ("r1u04", ["room2"], "room2"),
        ("rack12-node3", [], "rack12"),
        ("az1a-7", [], "az1"),
        ("node3", [], None),
    ],
)
def test_a_zone_is_told_by_a_group_or_else_by_the_name(
    name: str, groups: list[str], zone: str | None
) -> None:
    assert zone_of(name, groups) == zone


def test_an_inventory_becomes_a_fleet() -> None:
    variables = {"rpool_cores": 16, "rpool_memory": "64Gi", "ansible_user": "ops", "x": "{{ y }}"}
    hosts = [Host("R1_U04.example.org", "10.0.1.4", 2222, "ops", ("rack1",), variables)]
    entry = {"address": "10.0.1.4", "port": 2222, "cores": 16, "memory": 64, "zone": "rack1"}
    assert fleet_of(hosts) == {"r1-u04": entry}


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ([Host("a", "10.0.1.1", variables={"rpool_core": 4})], "a has rpool_core, which is no"),
        ([Host("a.x", "10.0.1.1"), Host("a.y", "10.0.1.2")], "two hosts .* are called a"),
        ([Host("a", "10.0.1.1", variables={"rpool_memory": "1.5Gi"})], "is 1.5 GiB"),
    ],
)
def test_what_is_wrong_with_an_inventory_is_said(hosts: list[Host], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fleet_of(hosts)


@pytest.mark.parametrize(
    ("text", "expected"), [("192Gi", 192), ("1Ti", 1024), (" 64Gi ", 64), ("2048Mi", 2)]
)
def test_memory_is_told_in_gib(text: str, expected: int) -> None:
    assert gib(text) == expected


@pytest.mark.parametrize("text", ["", "192", "200G", "1500Mi", "0Gi", "-1Gi", "64GB", "9" * 400])
def test_what_is_no_whole_number_of_gib_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"GiB|quantity|computed"):
        gib(text)

"""The fleet that a number stands for."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import yaml
from worlds.declared import SITE

from rpool.config import parse_site
from rpool.decide.placement import CONTROL_PLANE_CORES, CONTROL_PLANE_MEMORY_GIB
from rpool.model.generated_fleet import MOST_SERVERS, generated

LARGEST = generated(MOST_SERVERS)


@pytest.mark.parametrize("count", [1, 2, 11, 12, 300])
def test_a_longer_fleet_begins_with_a_shorter_one(count: int) -> None:
    assert list(generated(count).servers.items()) == list(LARGEST.servers.items())[:count]


def test_twelve_servers_have_three_racks_and_three_sizes() -> None:
    fleet = generated(12)
    assert fleet.zones == {"rack1", "rack2", "rack3"}
    assert {(s.cores, s.memory_gib) for s in fleet.servers.values()} == {
        (4, 16),
        (16, 64),
        (32, 128),
    }
    assert fleet.servers["r1u04"].address == "10.0.1.4"


def test_every_server_can_be_a_control_plane() -> None:
    assert all(
        s.cores >= CONTROL_PLANE_CORES and s.memory_gib >= CONTROL_PLANE_MEMORY_GIB
        for s in generated(12).servers.values()
    )


def test_addresses_are_unique_and_leave_room_for_what_a_cluster_needs() -> None:
    addresses = [IPv4Address(server.address) for server in LARGEST.servers.values()]
    assert len(set(addresses)) == MOST_SERVERS
    for network in ("10.244.0.0/16", "10.96.0.0/12", "10.0.1.128/25"):
        assert not any(address in IPv4Network(network) for address in addresses)


def test_names_are_unique_and_those_of_their_racks() -> None:
    assert len(LARGEST.servers) == MOST_SERVERS
    assert all(name[1] == s.zone[-1] for name, s in LARGEST.servers.items())


def test_the_sample_of_a_fleet_is_one() -> None:
    folder = Path(__file__).parent.parent.parent / "examples/terraform/one-cluster"
    fleet = yaml.safe_load((folder / "fleet.sample.yaml").read_text())
    site = parse_site(SITE | {"fleet": fleet})
    assert site is not None
    assert len(site.fleet.servers) == 6

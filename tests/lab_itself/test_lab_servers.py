"""The lab's fleet has the variety that placement is tested with."""

from __future__ import annotations

import pytest
import yaml
from lab.command import LabError
from lab.site.servers import as_yaml, servers


def test_six_servers_have_three_sizes_and_three_zones() -> None:
    fleet = servers(6, "10.88.0")
    assert len({(server.cores, server.memory_gib) for server in fleet}) == 3
    assert {server.zone for server in fleet} == {"rack1", "rack2", "rack3"}


def test_no_two_servers_share_name_address_or_card() -> None:
    fleet = servers(27, "10.88.7")
    for fact in ("name", "address", "mac"):
        assert len({getattr(server, fact) for server in fleet}) == 27


def test_servers_leave_the_addresses_from_200_on_free() -> None:
    assert all(int(server.address.rsplit(".", 1)[1]) < 200 for server in servers(27, "10.88.0"))


def test_a_bigger_lab_keeps_the_servers_of_a_smaller_one() -> None:
    assert servers(9, "10.88.0")[:6] == servers(6, "10.88.0")


@pytest.mark.parametrize("count", [0, 28])
def test_a_lab_of_impossible_size_is_refused(count: int) -> None:
    with pytest.raises(LabError, match="1 to 27"):
        servers(count, "10.88.0")


def test_the_fleet_is_yaml_as_the_provider_block_takes_it() -> None:
    fleet = servers(1, "10.88.0")
    printed = yaml.safe_load(as_yaml(fleet, {"r1u04": "ssh-ed25519 AAAA"}))
    assert printed == {
        "r1u04": {
            "address": "10.88.0.44",
            "cores": 4,
            "memory": 8,
            "zone": "rack1",
            "host_key": "ssh-ed25519 AAAA",
            "labels": {"disk": "ssd"},
        }
    }

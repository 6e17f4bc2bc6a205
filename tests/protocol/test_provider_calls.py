"""The calls about the provider itself, and what holds for every call."""

from __future__ import annotations

import json
from typing import Any

from protocol.cluster_calls import Calls, errors, problems, values
from protocol.site_config import PRIVATE_KEY, cluster, packed, server, site


def test_destruction_is_planned_by_the_provider(shared: Calls) -> None:
    capabilities = shared.plugin.call("GetProviderSchema").server_capabilities
    assert capabilities.plan_destroy
    assert capabilities == shared.plugin.call("GetMetadata").server_capabilities


def test_only_the_private_key_is_sensitive(shared: Calls) -> None:
    reply = shared.plugin.call("GetProviderSchema")

    def sensitive(block: Any) -> list[str]:
        inner = [name for nested in block.block_types for name in sensitive(nested.block)]
        return [a.name for a in block.attributes if a.sensitive] + inner

    assert sensitive(reply.provider.block) == ["private_key"]
    assert sensitive(reply.resource_schemas["rpool_cluster"].block) == []


def test_a_good_site_has_no_diagnostics(shared: Calls) -> None:
    assert errors(shared.configured) == []


def test_a_mistake_in_the_site_is_told_with_its_path(shared: Calls) -> None:
    bad = site()
    bad["fleet"]["s2"]["cores"] = 0
    reply = shared.plugin.call("ValidateProviderConfig", config=packed(shared.site_schema, bad))
    assert problems(reply) == [(("fleet", "s2"), "fleet.s2.cores must be at least 1")]


def test_a_command_knows_nothing_of_what_another_one_has_planned(
    shared: Calls, created: Any
) -> None:
    assert errors(shared.plan(cluster(cores=8))) == []
    assert errors(shared.plan(cluster(), created)) == []


def test_a_state_of_many_megabytes_passes_both_ways(shared: Calls, created: Any) -> None:
    state = values(created) | {
        "ca_certificate": "x" * 6_000_000,
    }
    reply = shared.plugin.call(
        "UpgradeResourceState",
        type_name="rpool_cluster",
        version=0,
        raw_state={"json": json.dumps(state).encode()},
    )
    assert values(reply.upgraded_state) == state


def test_an_unknown_type_is_a_bug_that_says_so(shared: Calls) -> None:
    reply = shared.plugin.call("ReadResource", type_name="rpool_moon", private=b"")
    assert "rpool_moon" in errors(reply)[0]


def test_an_unexpected_failure_says_where_and_quotes_no_value(shared: Calls) -> None:
    damaged = packed(shared.site_schema, site())
    damaged["msgpack"] = damaged["msgpack"][:-20]
    reply = shared.plugin.call("ValidateProviderConfig", config=damaged)
    detail = reply.diagnostics[0].detail
    assert "report" in detail and "values.py" in detail
    assert PRIVATE_KEY[40:60] not in detail


def test_a_server_with_every_attribute_is_accepted(shared: Calls) -> None:
    full = server(9, port=2222, labels={"disk": "nvme"}, reserved=True, retire=False, lost=False)
    mirrors = {"packages": "http://m/p", "images": "https://m/i", "manifests": "http://m/m"}
    whole = site() | {"fleet": {"s9": full}, "mirrors": mirrors}
    whole["ssh"]["user"] = "ops"
    config = packed(shared.site_schema, whole)
    assert errors(shared.plugin.call("ValidateProviderConfig", config=config)) == []

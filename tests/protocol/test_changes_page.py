"""Each row of the page "What a change does" is what a plan does."""

from __future__ import annotations

import re
from typing import Any

import pytest

from protocol.cluster_calls import Calls, errors, path, problems, values
from protocol.site_config import cluster, server, site
from rpool_docs.changes import changes

ROWS = dict(re.findall(r"^\| `rpool_cluster` \| `([\w.]+)` \| (.+) \|$", changes(), re.MULTILINE))
CHANGES: dict[str, dict[str, Any]] = {
    "name": {"name": "other"},
    "control_plane.endpoint": {
        "control_plane": {"servers": 3, "endpoint": {"address": "api.example.org:6443"}}
    },
    "networking.pod_cidr": {"networking": {"pod_cidr": "10.50.0.0/16"}},
    "networking.service_cidr": {"networking": {"service_cidr": "10.51.0.0/16"}},
    "networking.cni": {"networking": {"cni": "none"}},
    "kubernetes_version": {"kubernetes_version": "1.36.4"},
    "kubeadm": {"kubeadm": {"kubelet": "maxPods: 200"}},
    "trust": {"trust": "team-a"},
    "api_server": {"api_server": {"pod_security": "restricted"}},
    "deletion_protection": {"deletion_protection": True},
    "destroy": {"destroy": {"on_unreachable": "abandon"}},
    "timeouts": {"timeouts": {"update": "90m"}},
}


def test_every_row_is_tried() -> None:
    assert CHANGES.keys() == ROWS.keys()


@pytest.mark.parametrize("row", CHANGES)
def test_a_plan_does_what_the_page_says(shared: Calls, created: Any, row: str) -> None:
    other_domain = {f"t{n}": server(20 + n, trust="team-a") for n in range(6)}
    shared.configure(site() | {"fleet": site()["fleet"] | other_domain})
    reply = shared.plan(cluster(**CHANGES[row]), created)
    replaced = [".".join(map(str, path(attribute))) for attribute in reply.requires_replace]
    if ROWS[row] == "replaces it":
        assert errors(reply) == []
        assert replaced
        assert all(place == row or place.startswith(f"{row}.") for place in replaced)
    elif ROWS[row].startswith("is an error of the plan"):
        ((place, summary),) = problems(reply)
        assert place[0] == row
        assert summary.endswith(ROWS[row].partition(": ")[2])
    else:
        assert ROWS[row] == "reaches no server"
        assert (errors(reply), replaced) == ([], [])
        before, after = values(created), values(reply.planned_state)
        assert {name for name in before if before[name] != after[name]} == {row}

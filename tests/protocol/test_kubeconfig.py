"""Ephemeral `rpool_kubeconfig`: what it gives to whom, and that nothing of it stays."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from protocol.cluster_calls import UNKNOWN, Calls, errors, problems, values
from protocol.plugin_process import PluginProcess, simulated
from protocol.simulated_provider import Kept, keep, recall
from protocol.site_config import cluster, packed, site
from protocol.workspace import Workspace, is_opentofu
from rpool.advice import Do

NO_CHANGES, CHANGES = 0, 2
NAME = "rpool_kubeconfig"


class Ephemeral:
    """The calls for it, in the order in which Terraform makes them."""

    def __init__(self, plugin: PluginProcess) -> None:
        self.plugin = plugin
        self.schema = plugin.call("GetProviderSchema").ephemeral_resource_schemas[NAME]

    def validate(self, **config: Any) -> Any:
        return self._call("ValidateEphemeralResourceConfig", config)

    def open(self, **config: Any) -> Any:
        return self._call("OpenEphemeralResource", config)

    def _call(self, call: str, config: dict[str, Any]) -> Any:
        packed_config = packed(self.schema, config)
        return self.plugin.call(call, type_name=NAME, config=packed_config)


@pytest.fixture
def ephemeral(shared: Calls) -> Ephemeral:
    return Ephemeral(shared.plugin)


def test_it_is_announced(shared: Calls) -> None:
    names = {
        resource.type_name for resource in shared.plugin.call("GetMetadata").ephemeral_resources
    }
    assert (
        names == set(shared.plugin.call("GetProviderSchema").ephemeral_resource_schemas) == {NAME}
    )


def test_it_gives_all_that_other_providers_take(ephemeral: Ephemeral, created: Any) -> None:
    state = values(created)
    assert errors(ephemeral.validate(cluster=state["id"])) == []
    reply = ephemeral.open(cluster=state["id"])
    assert errors(reply) == []
    assert not reply.HasField("renew_at")
    assert reply.private == b""
    result = values(reply.result)
    assert result.keys() == {a.name for a in ephemeral.schema.block.attributes}
    assert None not in result.values()
    assert result["host"] == f"https://{state['endpoint']}"
    assert result["cluster_ca_certificate"] == state["ca_certificate"]
    assert result["groups"] == ["kubeadm:cluster-admins"]
    assert result["ttl"] == "1h"
    loaded = x509.load_pem_x509_certificate(result["client_certificate"].encode())
    key = load_pem_private_key(result["client_key"].encode(), None)
    assert key.public_key() == loaded.public_key()
    loaded.verify_directly_issued_by(
        x509.load_pem_x509_certificate(state["ca_certificate"].encode())
    )
    (user,) = yaml.safe_load(result["kubeconfig"])["users"]
    assert base64.b64decode(user["user"]["client-key-data"]).decode() == result["client_key"]
    for call in ("RenewEphemeralResource", "CloseEphemeralResource"):
        assert errors(ephemeral.plugin.call(call, type_name=NAME)) == []


def test_somebody_gets_less(ephemeral: Ephemeral, created: Any) -> None:
    wanted = {"user": "ci", "groups": ["deployers"], "ttl": "600s"}
    result = values(ephemeral.open(cluster=values(created)["id"], **wanted).result)
    assert {name: result[name] for name in wanted} == wanted
    loaded = x509.load_pem_x509_certificate(result["client_certificate"].encode())
    assert loaded.subject.rfc4514_string() == "CN=ci,O=deployers"


@pytest.mark.parametrize(
    ("config", "place", "says"),
    [
        ({"cluster": "batch"}, ("cluster",), "is not the id of a cluster"),
        ({"user": "system:admin"}, ("user",), "is reserved for Kubernetes"),
        ({"groups": ["a", "system:masters"]}, ("groups",), "system:masters"),
        ({"ttl": "1m"}, ("ttl",), "is not between 10m and 24h"),
    ],
)
def test_a_mistake_is_told_at_its_place(
    ephemeral: Ephemeral, config: dict[str, Any], place: tuple[Any, ...], says: str
) -> None:
    ((where, what),) = problems(ephemeral.validate(**{"cluster": "0863513a9c41d07e", **config}))
    assert where == place
    assert says in what


def test_what_is_not_known_yet_is_no_mistake(ephemeral: Ephemeral) -> None:
    unknown = {"user": UNKNOWN, "groups": [UNKNOWN], "ttl": UNKNOWN}
    assert errors(ephemeral.validate(cluster=UNKNOWN, **unknown)) == []


def test_a_cluster_that_is_nowhere_is_an_error(ephemeral: Ephemeral, created: Any) -> None:
    (error,) = errors(ephemeral.open(cluster="0863513a9c41d07e"))
    assert 'no server of the fleet belongs to a cluster "0863513a9c41d07e"' in error


def test_before_the_provider_is_known_it_is_not_had(tmp_path: Path) -> None:
    with PluginProcess(simulated(tmp_path / "world")) as plugin:
        (error,) = errors(Ephemeral(plugin).open(cluster="0863513a9c41d07e"))
    assert "the provider's configuration is not known yet" in error


# -- with the real Terraform -----------------------------------------------------------------------


WITHOUT_KEY: dict[str, Any] = {"simulate": {}, "fleet": site()["fleet"]}
KUBECONFIG = f"""
ephemeral "{NAME}" "admin" {{
  cluster = rpool_cluster.batch.id
}}
resource "terraform_data" "pod" {{
  triggers_replace = rpool_cluster.batch.id
  provisioner "local-exec" {{
    command     = "umask 077; printf %s \\"$KUBECONFIG_TEXT\\" >used; echo \\"$KUBECONFIG_TEXT\\""
    environment = {{ KUBECONFIG_TEXT = ephemeral.{NAME}.admin.kubeconfig }}
  }}
}}
"""


@pytest.fixture
def workspace(tmp_path: Path, world_file: Path) -> Workspace:
    """A workspace without a private key in its configuration, which a saved plan would have."""
    workspace = Workspace(tmp_path, world_file)
    write(workspace)
    return workspace


def write(workspace: Workspace, *lost: str) -> None:
    fleet = site()["fleet"]
    marked = {name: entry | {"lost": name in lost} for name, entry in fleet.items()}
    workspace.write(more=KUBECONFIG, site_values={"simulate": {}, "fleet": marked}, batch=cluster())


def test_it_is_used_in_the_apply_that_makes_the_cluster_and_nothing_of_it_is_left(
    workspace: Workspace,
) -> None:
    texts = workspace.left_behind()
    (user,) = yaml.safe_load((workspace.folder / "used").read_text())["users"]
    data = user["user"]
    pem = base64.b64decode(data["client-key-data"]).decode()
    secrets = [data["client-key-data"], *pem.splitlines()[1:-1], "PRIVATE KEY"]
    texts["the servers"] = workspace.world_file.read_text()
    assert [
        where for where, text in texts.items() if any(secret in text for secret in secrets)
    ] == []


def test_an_apply_that_made_a_cluster_ends_with_the_way_in_and_no_other_does(
    workspace: Workspace,
) -> None:
    workspace.write(site_values=WITHOUT_KEY, batch=cluster())
    says = "Cluster batch is up. To connect: rpool kubeconfig batch --merge"
    made = workspace.apply()
    assert made.output.count(says) == 1
    *_, last = made.output.split("Warning: ")
    assert last.startswith(says)
    workspace.write(site_values=WITHOUT_KEY, batch=cluster(cores=24, memory=96))
    for later in (workspace.apply(), workspace.plan(), workspace.destroy()):
        assert "To connect" not in later


def test_it_makes_no_plan_of_a_cluster_that_is_there(workspace: Workspace) -> None:
    assert workspace.apply().status == 0
    again = workspace.plan()
    assert again.status == NO_CHANGES, again.output
    complete = "Open complete" if is_opentofu() else "Opening complete"
    assert f"ephemeral.{NAME}.admin: {complete}" in again.output


@pytest.fixture
def without_api(workspace: Workspace) -> list[str]:
    """The control planes of a cluster that have lost their power: all but one."""
    assert workspace.apply().status == 0
    servers = workspace.state()["attributes"]["servers"]
    lost = sorted(name for name, server in servers.items() if server["role"] == "control_plane")[1:]
    power(workspace, lost, on=False)
    return lost


def power(workspace: Workspace, names: list[str], *, on: bool) -> None:
    machines = recall(workspace.world_file).machines
    for name in names:
        machines[name].give_power() if on else machines[name].lose_power()
    keep(workspace.world_file, Kept(machines))


def advised(workspace: Workspace, *words: str) -> list[str]:
    """The option that the error of a plan advises. OpenTofu needs none: it does not open the
    kubeconfig of a cluster that is to be changed.
    """
    refused = workspace.plan(*words)
    if is_opentofu():
        assert refused.status == CHANGES, refused.output
        return []
    assert refused.status == 1
    assert "no control plane of cluster batch shows its API" in refused
    assert Do.WITHOUT_KUBECONFIG.text() in refused
    return ["-target=rpool_cluster.batch"]


def test_a_cluster_without_its_api_is_mended_as_advised(
    workspace: Workspace, without_api: list[str]
) -> None:
    target = advised(workspace)
    refused = workspace.apply(*target)
    assert "Bring its control planes back (2 of 3 have to answer)" in refused
    assert (f"{NAME}.admin: Open" if is_opentofu() else NAME) not in refused.output
    power(workspace, without_api, on=True)
    assert workspace.apply(*target).status == 0
    assert workspace.plan().status == NO_CHANGES


def test_a_cluster_without_its_api_is_destroyed_as_advised(
    workspace: Workspace, without_api: list[str]
) -> None:
    write(workspace, *without_api)
    destroyed = workspace.destroy(*advised(workspace, "-destroy"))
    assert destroyed.status == 0, destroyed.output
    assert workspace.state() is None

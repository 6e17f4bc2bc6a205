"""`rpool kubeconfig` on a simulated site: what is printed, what is merged, what clients run."""

from __future__ import annotations

import base64
import json
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from worlds.folder import SIMULATED
from worlds.stage import SPEC

from rpool.api import Attempt, Site
from rpool.cli.main import main
from rpool.model.generated_fleet import generated
from rpool.model.secret import NO_SECRET
from rpool.model.server import Fleet
from rpool.model.site import SiteConfig, Ssh
from rpool.model.view import PoolView
from rpool.simulate import FILE_NAME
from rpool.simulate.store import Store
from rpool.simulate.stored import StoredWorld

Output = pytest.CaptureFixture[str]


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PoolView]:
    """A cluster on a simulated site in this folder, which is HOME, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "site.yaml").write_text("simulate: { servers: 12 }\nowner: ann\n")
    with closing(site()) as opened:
        yield opened.create_pool(SPEC, Attempt(60))


def site() -> Site:
    fleet: Fleet = generated(12)
    world = StoredWorld(fleet, Store(Path(FILE_NAME)))
    return Site(SiteConfig(fleet, Ssh(NO_SECRET)), connect=lambda _: world)


def printed(output: Output, *words: str) -> str:
    status = main(["kubeconfig", *words])
    captured = output.readouterr()
    assert status == 0, captured.err
    assert captured.err in ("", SIMULATED)  # a credential that was kept asks no server
    return captured.out


def refused(output: Output, *words: str) -> str:
    assert main(["kubeconfig", *words]) == 1
    captured = output.readouterr()
    assert captured.out == ""
    return captured.err


def certificate(user: dict[str, Any]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))


def subject(user: dict[str, Any]) -> str:
    return certificate(user).subject.rfc4514_string()


def test_a_kubeconfig_is_printed_that_lets_its_user_in(view: PoolView, capsys: Output) -> None:
    kubeconfig = yaml.safe_load(printed(capsys, "batch"))
    (cluster,) = kubeconfig["clusters"]
    assert cluster["cluster"]["server"] == f"https://{view.endpoint}"
    ca = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
    assert ca == view.ca_certificate
    (user,) = kubeconfig["users"]
    assert subject(user["user"]) == "CN=rpool-ann,O=kubeadm:cluster-admins"
    remaining_seconds = certificate(user["user"]).not_valid_after_utc.timestamp() - time.time()
    assert 3500 < remaining_seconds <= 3600
    assert kubeconfig["current-context"] == kubeconfig["contexts"][0]["name"] == "rpool-batch"


def test_somebody_gets_less(view: PoolView, capsys: Output) -> None:
    words = ("--user", "bob", "--group", "team-a", "--group", "team-b", "--ttl", "10m")
    kubeconfig = yaml.safe_load(printed(capsys, view.uid, *words, "--context", "b"))
    assert subject(kubeconfig["users"][0]["user"]) == "CN=bob,O=team-b,O=team-a"
    assert kubeconfig["current-context"] == "b"


def test_it_is_merged_into_the_users_own(view: PoolView, capsys: Output, tmp_path: Path) -> None:
    path = tmp_path / ".kube/config"
    path.parent.mkdir()
    path.write_text("current-context: old\nclusters: null\n")
    text = printed(capsys, "batch", "--merge")
    assert "PRIVATE" not in text and "client-key" not in text
    assert "rpool-ann (kubeadm:cluster-admins), until 20" in text
    assert "kubectl --context rpool-batch get nodes" in text
    kubeconfig = yaml.safe_load(path.read_text())
    assert kubeconfig["current-context"] == "old"
    assert subject(kubeconfig["users"][0]["user"]).startswith("CN=rpool-ann,")
    printed(capsys, "batch", "--merge", "other")
    assert yaml.safe_load((tmp_path / "other").read_text())["kind"] == "Config"


def test_json_is_the_same_kubeconfig(view: PoolView, capsys: Output) -> None:
    kubeconfig = json.loads(printed(capsys, "batch", "--json", "--user", "bob"))
    assert kubeconfig["clusters"] == yaml.safe_load(printed(capsys, "batch"))["clusters"]
    assert subject(kubeconfig["users"][0]["user"]).startswith("CN=bob,")


def test_json_says_what_was_merged(view: PoolView, capsys: Output, tmp_path: Path) -> None:
    text = printed(capsys, "batch", "--merge", "--json", "--group", "team-a")
    assert "client-key" not in text
    facts = json.loads(text)
    merged = yaml.safe_load((tmp_path / ".kube/config").read_text())
    end = certificate(merged["users"][0]["user"]).not_valid_after_utc
    assert facts == {
        "file": str(tmp_path / ".kube/config"),
        "context": merged["current-context"],
        "cluster": "batch",
        "cluster_id": view.uid,
        "user": "rpool-ann",
        "groups": ["team-a"],
        "ends": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }
    renewed = json.loads(printed(capsys, "batch", "--merge", "--json", "--exec"))
    assert renewed["ends"] is None


@pytest.fixture
def command(view: PoolView, capsys: Output) -> list[str]:
    """What a client runs by a kubeconfig that is renewed."""
    kubeconfig = yaml.safe_load(
        printed(capsys, "batch", "--exec", "--group", "team-a", "--ttl", "10m")
    )
    run = kubeconfig["users"][0]["user"]["exec"]
    assert run["apiVersion"] == "client.authentication.k8s.io/v1"
    assert run["interactiveMode"] == "Never"
    assert "PRIVATE" not in json.dumps(kubeconfig)
    words: list[str] = run["args"]
    assert words[:3] == ["-m", "rpool", "kubeconfig"]
    assert words[3] == view.uid
    return words[3:]


def test_what_a_client_runs_prints_a_credential(command: list[str], capsys: Output) -> None:
    credential = json.loads(printed(capsys, *command))
    assert credential["kind"] == "ExecCredential"
    status = credential["status"]
    loaded = x509.load_pem_x509_certificate(status["clientCertificateData"].encode())
    assert loaded.subject.rfc4514_string() == "CN=rpool-ann,O=team-a"
    end = loaded.not_valid_after_utc
    assert status["expirationTimestamp"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
    assert status["clientKeyData"].startswith("-----BEGIN PRIVATE KEY-----")


def test_a_credential_is_kept_until_shortly_before_its_end(
    command: list[str], capsys: Output, tmp_path: Path
) -> None:
    first = printed(capsys, *command)
    assert printed(capsys, *command) == first
    (path,) = (tmp_path / ".kube/cache/rpool").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"ends": time.time() + 60}))
    second = printed(capsys, *command)
    assert second != first
    path.write_text("{")
    assert printed(capsys, *command) not in (first, second)


def test_credentials_of_two_are_kept_apart(command: list[str], capsys: Output) -> None:
    first = printed(capsys, *command)
    other = [word if word != "team-a" else "team-b" for word in command]
    assert printed(capsys, *other) != first


def test_all_that_is_wrong_is_said_with_what_to_do(view: PoolView, capsys: Output) -> None:
    errors = refused(capsys, "batch", "--group", "system:masters", "--ttl", "5m")
    assert "use kubeadm:cluster-admins, which is also bound to cluster-admin" in errors
    assert "ttl: 5m is not between 10m and 24h" in errors
    errors = refused(capsys, "bach")
    assert f"Clusters that were found, with their uids: batch ({view.uid})." in errors


@pytest.mark.parametrize("command", ["show", "watch", "explain", "journal", "kubeconfig"])
def test_a_cluster_that_there_is_not_is_told_in_the_same_words_by_all(
    view: PoolView, capsys: Output, command: str
) -> None:
    assert main([command, "bacth", *(["--json"] if command == "watch" else [])]) == 1
    assert capsys.readouterr().err.removeprefix(SIMULATED).splitlines() == [
        'rpool: no server of the fleet belongs to a cluster "bacth"',
        f"12 servers were asked. Clusters that were found, with their uids: batch ({view.uid}).",
    ]

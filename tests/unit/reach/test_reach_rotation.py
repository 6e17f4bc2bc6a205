"""Rotating the key of Secrets by the script of the documentation, on servers behind sshd."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds.samples import ENCRYPTION_KEY
from worlds.sshd import TestServer

from rpool.reach.script import compose

SCRIPT = Path(__file__).parents[3] / "docs" / "rotate-encryption-key.sh"
FILE = "/etc/kubernetes/api-server/encryption.yaml"
KUBECTL = """metric=apiserver_encryption_config_controller_automatic_reload
case $* in
*' get nodes '*) yes node | head -n COUNT ;;
*' --raw /readyz') [ ! -e ROOT/not-ready ] ;;
*' --raw /metrics')
    if [ ! -e FILE.old ]; then exit 0; fi # it has not read a second one yet
    read=$(cksum <FILE | cut -d ' ' -f 1)
    echo "${metric}_last_timestamp_seconds{status=\\"success\\"} $read" ;;
*'get secrets'*) cat FILE >ROOT/when-written; echo '{}' ;;
*) cat >/dev/null ;;
esac"""

Rotate = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def servers(make_server: Callable[..., TestServer]) -> list[TestServer]:
    """Two control planes, with the file that init.sh writes."""
    made = [make_server(), make_server()]
    written = subprocess.run(
        ["sh", "-c", compose(("library", "init"), {}).rsplit("main", 1)[0] + "new_encryption"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    config = json.loads(written)
    key = config["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"]
    for server in made:
        server.path(FILE).parent.mkdir(parents=True)
        server.path(FILE).write_text(written.replace(key, ENCRYPTION_KEY) + "\n")
        body = KUBECTL.replace("COUNT", "2").replace("FILE", FILE)
        server.marker("kubectl", body.replace("ROOT", str(server.root)))
    return made


@pytest.fixture
def rotate(servers: list[TestServer], tmp_path: Path) -> Rotate:
    """Runs the script; the connection to the control plane number `fails` breaks."""

    def run(*hosts: int, fails: int = -1) -> subprocess.CompletedProcess[str]:
        cases = "".join(
            f"root@cp{n}) exec {'false' if n == fails else '/usr/bin/ssh'} -i {cp.root}/user_key "
            f"-p {cp.port} -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR "
            f'-o UserKnownHostsFile=/dev/null root@127.0.0.1 "$@" ;;\n'
            for n, cp in enumerate(servers)
        )
        wrapper = tmp_path / "ssh"
        wrapper.write_text(f"#!/bin/sh\nhost=$1; shift\ncase $host in\n{cases}esac\n")
        wrapper.chmod(0o755)
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        names = [f"root@cp{n}" for n in hosts]
        words = ["sh", str(SCRIPT), *names]
        return subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return run


def keys(text: str) -> list[str]:
    (kind,) = json.loads(text)["resources"]
    return [key["secret"] for key in kind["providers"][0]["secretbox"]["keys"]]


def test_all_have_one_new_key_and_could_read_the_old_one_until_it_was_of_no_use(
    servers: list[TestServer], rotate: Rotate
) -> None:
    done = rotate(0, 1)
    assert done.returncode == 0, done.stdout + done.stderr
    (new,), other = (keys(server.path(FILE).read_text()) for server in servers)
    assert other == [new] != [ENCRYPTION_KEY]
    assert keys((servers[0].root / "when-written").read_text()) == [new, ENCRYPTION_KEY]
    folder = servers[0].path(FILE).parent
    assert [path.name for path in folder.iterdir()] == ["encryption.yaml"]
    assert new not in done.stdout + done.stderr + servers[0].calls


def test_what_an_earlier_run_has_left_is_kept_until_secrets_are_written_again(
    servers: list[TestServer], rotate: Rotate
) -> None:
    text = servers[1].path(FILE).read_text()
    more = f'{{"name": "key-2", "secret": "{"b" * 43}="}}, {{"name": "first"'
    servers[1].path(FILE).write_text(text.replace('{"name": "first"', more))
    assert rotate(0, 1).returncode == 0
    kept = keys((servers[0].root / "when-written").read_text())
    assert kept[1:] == [ENCRYPTION_KEY, "b" * 43 + "="]


@pytest.mark.parametrize("fails", [0, 1])
def test_a_connection_that_breaks_changes_nothing(
    servers: list[TestServer], rotate: Rotate, fails: int
) -> None:
    before = [server.path(FILE).read_text() for server in servers]
    assert rotate(0, 1, fails=fails).returncode != 0
    assert [server.path(FILE).read_text() for server in servers] == before


@pytest.mark.parametrize("text", ["", "kind: EncryptionConfiguration\n", "COMPACT"])
def test_a_file_of_another_form_is_left_alone(
    servers: list[TestServer], rotate: Rotate, text: str
) -> None:
    path = servers[1].path(FILE)
    compact = json.dumps(json.loads(path.read_text()), separators=(",", ":"))
    path.write_text(text.replace("COMPACT", compact))
    before = path.read_text()
    done = rotate(0, 1)
    assert done.returncode != 0
    assert "is not as rpool writes it" in done.stderr
    assert path.read_text() == before


def test_an_api_server_that_is_not_ready_gets_nothing(
    servers: list[TestServer], rotate: Rotate
) -> None:
    before = servers[0].path(FILE).read_text()
    (servers[0].root / "not-ready").touch()
    done = rotate(0, 1)
    assert (done.returncode, "root@cp0: its API server is not ready" in done.stderr) == (1, True)
    assert servers[0].path(FILE).read_text() == before


def test_a_control_plane_that_was_not_named_is_missed(
    servers: list[TestServer], rotate: Rotate
) -> None:
    before = servers[0].path(FILE).read_text()
    done = rotate(0)
    assert "the cluster has 2 control planes, and 1 were named" in done.stderr
    assert servers[0].path(FILE).read_text() == before

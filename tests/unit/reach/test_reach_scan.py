"""`rpool scan`, against servers with a real sshd: sizes, zones, host keys that somebody knows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from worlds.sshd import TestServer, new_key

from reach.conftest import claim
from rpool.cli.main import main, parser
from rpool.cli.scan import scanned
from rpool.decide.scanned import nominal_gib
from rpool.errors import RpoolError
from rpool.reach.host_keys import Presented
from rpool.reach.world import RealWorld

Output = pytest.CaptureFixture[str]


class Desk:
    """Where the command is called: a folder with a key and a known_hosts, and the user's answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fleet = folder / "fleet.yaml"
        self.known_hosts = folder / "known_hosts"
        self.asked: list[Mapping[str, Presented]] = []
        self.says = False
        self.out = ""

    def accept(self, keys: Mapping[str, Presented]) -> bool:
        self.asked.append(keys)
        return self.says

    def know(self, server: TestServer, key: str = "") -> None:
        """Adds a key to known_hosts, as a login with ssh does."""
        with self.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{server.port} {key or server.host_key}\n")

    def words(self, server: TestServer, *words: str) -> list[str]:
        key = self.folder / "key"
        key.write_text(server.user_key)
        files = ["--fleet", str(self.fleet), "--known-hosts", str(self.known_hosts)]
        return ["scan", *words, "--key", str(key), *files]

    def scan(self, server: TestServer, *words: str) -> str:
        """What the command ends with: the text of its error, or "". Servers are on loopback here,
        which no fleet's are, so that is not checked.
        """
        arguments = parser().parse_args(self.words(server, *words))
        lines: list[str] = []
        try:
            lines.extend(scanned(arguments, self.accept, lambda fleet: None))
        except RpoolError as error:
            return str(error)
        finally:
            self.out = "\n".join(lines)
        return ""

    def entries(self) -> dict[str, Any]:
        entries = yaml.safe_load(self.fleet.read_text())
        assert isinstance(entries, dict)
        return entries


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def here(server: TestServer, name: str = "r1u04") -> str:
    return f"{name}=127.0.0.1:{server.port}"


def key_of(server: TestServer) -> str:
    return " ".join(server.host_key.split()[:2])


def entry_text(server: TestServer, **more: object) -> str:
    entry = {"address": "127.0.0.1", "port": server.port, "cores": 1, "memory": 1, "zone": "far"}
    return "# ours\n" + yaml.safe_dump({"mine": entry | more}, sort_keys=False)


def memory() -> int:
    return nominal_gib(int(Path("/proc/meminfo").read_text().split()[1]) // 1024)


def test_a_server_that_known_hosts_has_becomes_an_entry(server: TestServer, desk: Desk) -> None:
    desk.know(server)
    assert desk.scan(server, here(server)) == ""
    cores = subprocess.run(["nproc", "--all"], capture_output=True, text=True).stdout
    assert desk.entries()["r1u04"] == {
        "address": "127.0.0.1",
        "port": server.port,
        "cores": int(cores),
        "memory": memory(),
        "zone": "rack1",
        "host_key": key_of(server),
    }
    assert desk.asked == []
    assert "1 server." in desk.out


def test_a_key_that_nobody_knows_is_shown_by_its_fingerprint_and_never_trusted_by_itself(
    server: TestServer, desk: Desk
) -> None:
    error = desk.scan(server, here(server))
    ((name, key),) = desk.asked[0].items()
    printed = subprocess.run(
        ["ssh-keygen", "-lf", str(server.root / "host_key.pub")], capture_output=True, text=True
    )
    assert (name, key.fingerprint) == ("r1u04", printed.stdout.split()[1])
    assert not desk.fleet.exists()
    assert f"the host key {key.fingerprint} of r1u04 is not confirmed" in error
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in error
    assert "Accepted publickey" not in (server.root / "sshd.log").read_text()
    desk.says = True
    assert desk.scan(server, here(server)) == ""
    assert desk.entries()["r1u04"]["host_key"] == key_of(server)
    assert "Accepted publickey" in (server.root / "sshd.log").read_text()


def test_another_key_than_the_known_one_is_refused_and_nobody_is_asked(
    server: TestServer, desk: Desk, tmp_path: Path
) -> None:
    desk.says = True
    other = " ".join(new_key(tmp_path / "other").with_suffix(".pub").read_text().split()[:2])
    desk.know(server, other)
    error = desk.scan(server, here(server))
    assert "presents another host key than" in error
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in error
    desk.known_hosts.unlink()
    desk.fleet.write_text(entry_text(server, host_key=other))
    assert "another host key than its entry in the fleet has" in desk.scan(server, here(server))
    assert desk.asked == []


def test_hashed_names_are_known_and_what_is_no_key_is_passed_over(
    server: TestServer, desk: Desk
) -> None:
    desk.know(server)
    command = ["ssh-keygen", "-q", "-H", "-f", str(desk.known_hosts)]
    subprocess.run(command, check=True, capture_output=True)
    hashed = desk.known_hosts.read_text()
    assert str(server.port) not in hashed
    lines = ["", "# a comment", "nonsense", "a ssh-ed25519 !!!", "@cert-authority * ssh-rsa AAAA"]
    desk.known_hosts.write_text("\n".join([*lines, hashed]))
    assert desk.scan(server, here(server)) == ""
    assert desk.asked == []


def test_a_revoked_key_is_refused(server: TestServer, desk: Desk) -> None:
    desk.know(server)
    with desk.known_hosts.open("a") as file:
        file.write(f"@revoked * {key_of(server)}\n")
    assert "has revoked" in desk.scan(server, here(server))
    assert not desk.fleet.exists()


def test_an_entry_that_is_there_stays_and_what_differs_is_told(
    server: TestServer, desk: Desk
) -> None:
    text = entry_text(server, host_key=key_of(server), memory=9999)
    desk.fleet.write_text(text)
    assert desk.scan(server, here(server)) == ""
    assert desk.fleet.read_text() == text
    assert f"mine: the fleet has memory 9999, the server {memory()}" in desk.out
    assert "0 servers." in desk.out


def test_new_entries_come_after_those_that_are_there_with_their_comments(
    make_server: Callable[..., TestServer], desk: Desk
) -> None:
    old, new = make_server(), make_server()
    desk.know(new)
    text = entry_text(old, host_key=key_of(old))
    desk.fleet.write_text(text)
    assert desk.scan(new, here(new, "r2u07")) == ""
    assert desk.fleet.read_text().startswith(text)
    assert list(desk.entries()) == ["mine", "r2u07"]
    assert desk.entries()["r2u07"]["zone"] == "rack2"


def test_a_file_to_whose_end_nothing_can_be_added_stays_and_the_entry_is_told(
    server: TestServer, desk: Desk
) -> None:
    desk.know(server)
    desk.fleet.write_text("{}\n")
    error = desk.scan(server, here(server))
    assert "nothing can be added at the end" in error
    assert key_of(server) in error
    assert desk.fleet.read_text() == "{}\n"


def test_a_server_without_a_name_has_the_one_that_it_says_and_an_unknown_zone_is_told(
    server: TestServer, desk: Desk
) -> None:
    desk.know(server)
    assert desk.scan(server, f"127.0.0.1:{server.port}") == ""
    (name,) = desk.entries()
    hostname = subprocess.run(["hostname"], capture_output=True, text=True).stdout
    assert name == hostname.split(".")[0].strip().lower()
    assert f"{name}: nothing tells what fails together with it" in desk.out


def test_a_server_that_a_cluster_has_says_so(
    server: TestServer, world: RealWorld, desk: Desk
) -> None:
    claim(world)
    desk.know(server)
    assert desk.scan(server, here(server)) == ""
    assert "r1u04: cluster batch (uid 0badcafe) has a claim on it" in desk.out


def test_who_does_not_answer_is_named_and_the_others_are_added(
    server: TestServer, desk: Desk
) -> None:
    desk.know(server)
    error = desk.scan(server, here(server), "r1u05=127.0.0.1:1", "--json")
    assert list(desk.entries()) == ["r1u04"]
    assert "1 server was not scanned" in error
    assert "cannot reach r1u05 at 127.0.0.1:1" in error
    document = json.loads(desk.out)
    assert (list(document["added"]), list(document["failed"])) == (["r1u04"], ["127.0.0.1:1"])


def test_what_to_do_about_several_servers_is_said_once_and_they_are_in_the_order_of_their_numbers(
    make_server: Callable[..., TestServer], desk: Desk
) -> None:
    first, second = make_server(), make_server()
    silent = [f"127.0.0.{host}:1" for host in (124, 44)]
    lines = desk.scan(first, here(first), here(second, "r1u05"), *silent, "--json").splitlines()
    assert lines[0] == "4 servers were not scanned"
    assert len([line for line in lines if "is not confirmed" in line]) == 2
    assert len([line for line in lines if line.startswith("Compare each with")]) == 1
    ports = [f"127.0.0.1:{port}" for port in sorted((first.port, second.port))]
    assert list(json.loads(desk.out)["failed"]) == [*ports, *reversed(silent)]


def test_an_inventory_of_ansible_s_gives_names_zones_labels_and_more(
    server: TestServer, desk: Desk, tmp_path: Path
) -> None:
    desk.know(server)
    inventory = tmp_path / "hosts.ini"
    inventory.write_text(
        f"[rack_b]\nr1u04.example.org ansible_host=127.0.0.1 ansible_port={server.port}\n"
        "[racks:children]\nrack_b\n[racks:vars]\nansible_user=root\nrpool_memory=1Gi\n"
    )
    (tmp_path / "group_vars").mkdir()
    more = "rpool_labels: {disk: nvme}\nrpool_reserved: true\nhttp_port: 80\n"
    (tmp_path / "group_vars" / "racks.yml").write_text(more)
    assert desk.scan(server, "--inventory", str(inventory), "--user", "nobody") == ""
    entry = desk.entries()["r1u04"]
    assert (entry["zone"], entry["memory"], entry["reserved"]) == ("rack-b", 1, True)
    assert entry["labels"] == {"disk": "nvme"}
    assert "http_port" not in entry


def test_what_the_provider_would_refuse_is_not_written(
    server: TestServer, desk: Desk, capsys: Output
) -> None:
    desk.know(server)
    assert main(desk.words(server, here(server))) == 1
    assert '"127.0.0.1" cannot be used' in capsys.readouterr().err
    assert not desk.fleet.exists()


def test_where_there_is_no_terminal_nobody_says_yes(server: TestServer, desk: Desk) -> None:
    command = [sys.executable, "-m", "rpool", *desk.words(server, here(server))]
    ran = subprocess.run(command, input="yes\n", capture_output=True, text=True)
    assert ran.returncode == 1
    assert "is not confirmed" in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is no server to scan"),
        (["a=b=c"], "'a=b=c' is not the address of a server"),
        (["no.such.host.invalid"], "is no IPv4 address, and no name of one"),
        (["--inventory", "/nowhere"], "/nowhere is no inventory in a file"),
    ],
)
def test_what_is_wrong_is_said_before_any_server_is_asked(
    tmp_path: Path, capsys: Output, words: list[str], said: str
) -> None:
    key = new_key(tmp_path / "key")
    assert main(["scan", *words, "--key", str(key), "--fleet", str(tmp_path / "f")]) == 1
    assert said in capsys.readouterr().err

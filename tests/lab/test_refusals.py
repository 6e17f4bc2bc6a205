"""What only servers know is refused before anything is changed on them, in one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from lab.command import run
from lab.settings import write_variables

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("plain_start"),
]
Settings = dict[str, Any]
EVERY_SERVER = {"cores": 44, "memory": 88}
CLAIM = json.dumps(
    {
        "format": 1,
        "uid": "ffffffff",
        "pool": "other",
        "owner": "eve@desk",
        "role": "worker",
        "phase": "member",
        "epoch": 1,
        "since": "2026-01-01T00:00:00+00:00",
        "server": "r1u08",
        "machine_id": "",
        "session": 0,
        "group": "default",
        "request": "",
    },
    indent=1,
)


@pytest.fixture
def settings(desk: Desk) -> Iterator[Callable[[Settings], None]]:
    """Change the configuration's variables for one test."""

    def change(changes: Settings) -> None:
        (desk.folder / "zz.auto.tfvars.json").write_text(json.dumps(changes))

    yield change
    (desk.folder / "zz.auto.tfvars.json").unlink(missing_ok=True)
    write_variables(desk.lab, desk.folder)


def refused(desk: Desk) -> str:
    """The error of an apply, which must fail and claim no server, without line breaks."""
    applied = desk.terraform("apply", "-auto-approve")
    assert applied.returncode != 0, applied.stdout
    assert applied.stderr.count("Error: ") == 1, applied.stderr
    claims = {s.name: desk.ssh(s.name, "ls -A /var/lib/rpool 2>&1 || :") for s in desk.lab.fleet}
    assert all("claim" not in listing for listing in claims.values()), f"{claims}\n{applied.stderr}"
    return " ".join(applied.stderr.split())


def test_a_dirty_server_is_never_taken(desk: Desk, settings: Callable[[Settings], None]) -> None:
    settings(EVERY_SERVER)
    path = "/etc/kubernetes/kubelet.conf"
    desk.ssh("r3u08", f"mkdir -p /etc/kubernetes && echo left over > {path}")
    try:
        error = refused(desk)
        assert f"r3u08: not clean: {path}" in error
        assert desk.ssh("r3u08", f"cat {path}") == "left over\n"
    finally:
        desk.ssh("r3u08", "rm -r /etc/kubernetes")


def test_a_server_of_another_pool_is_passed_over_and_named(
    desk: Desk, settings: Callable[[Settings], None]
) -> None:
    settings(EVERY_SERVER)
    desk.ssh(
        "r1u08", f"mkdir -p /var/lib/rpool && cat > /var/lib/rpool/claim <<'EOF'\n{CLAIM}\nEOF"
    )
    try:
        applied = desk.terraform("apply", "-auto-approve")
        error = " ".join(applied.stderr.split())
        assert applied.returncode != 0
        assert "r1u08: claimed by cluster other (uid ffffffff, owner eve@desk, member)" in error
        assert desk.ssh("r1u08", "cat /var/lib/rpool/claim").strip() == CLAIM
    finally:
        desk.ssh("r1u08", "rm -r /var/lib/rpool")


def test_another_ssh_key_than_the_servers_know_is_said_so(
    desk: Desk, settings: Callable[[Settings], None], tmp_path: Path
) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other")
    settings({"ssh_key_file": str(tmp_path / "other")})
    assert "rejects root with the given SSH key" in refused(desk)


def test_a_server_with_another_host_key_is_not_spoken_to(
    desk: Desk, settings: Callable[[Settings], None], tmp_path: Path
) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other")
    false = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    lines = (desk.folder / "fleet.yaml").read_text().splitlines()
    true = lines[0].split('"')[1]
    text = "\n".join([lines[0].replace(true, false), *lines[1:]])
    (desk.folder / "fleet.yaml").write_text(text)
    settings(EVERY_SERVER)
    error = refused(desk)
    assert lines[0].split(":")[0] in error
    assert "host key" in error


def test_a_version_that_the_repository_does_not_have_is_refused_before_any_claim(
    desk: Desk, settings: Callable[[Settings], None]
) -> None:
    settings({"kubernetes_version": "1.36.9"})
    error = refused(desk)
    assert "1.36.9" in error
    assert "1.36.3" in error, "the error does not say which versions there are"


def test_a_virtual_ip_that_something_has_is_refused(
    desk: Desk, settings: Callable[[Settings], None]
) -> None:
    settings({"api_vip": desk.lab.gateway})
    assert f"vip {desk.lab.gateway} is in use" in refused(desk)


def test_a_pod_cidr_that_servers_route_elsewhere_is_refused(
    desk: Desk, settings: Callable[[Settings], None]
) -> None:
    desk.ssh("r1u04", f"ip route add 10.244.7.0/24 via {desk.lab.gateway}")
    try:
        settings(EVERY_SERVER)
        assert "overlaps the route 10.244.7.0/24 of server r1u04" in refused(desk)
    finally:
        desk.ssh("r1u04", "ip route del 10.244.7.0/24")


def test_a_virtual_ip_outside_of_the_servers_networks_is_refused(
    desk: Desk, settings: Callable[[Settings], None]
) -> None:
    settings({"api_vip": "192.0.2.200", "service_addresses": None})
    assert "vip 192.0.2.200 is in no network of the servers" in refused(desk)

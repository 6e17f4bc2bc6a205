"""What was added to a server since its claim, and packages that were changed, for real: through
RealWorld and a real sshd.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from worlds.samples import CLAIM, OURS
from worlds.sshd import TestServer

from reach.conftest import claim
from rpool.advice import Do
from rpool.errors import CommandFailed
from rpool.model import action as act
from rpool.model.claim import Ownership
from rpool.model.step import News
from rpool.reach.world import RealWorld

CHECKOUT = Path(__file__).parents[3]
FOOTHOLDS = "/var/lib/rpool/footholds"
UNIT = "/etc/systemd/system/came.service"


def reset(world: RealWorld, ownership: Ownership = OURS) -> News:
    return world.carry_out(act.Reset("r1u04", ownership, None), 100)


def write(server: TestServer, path: str, text: str = "came\n") -> None:
    file = server.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def packages(server: TestServer, *names: str, owned: str = "", altered: str = "") -> None:
    """Gives the server these packages. `owned`: dpkg-query's lines, which package has which file;
    `altered`: what dpkg --verify prints, each line after the name of its package.
    """
    for file, text in {"owned": owned, "altered": altered}.items():
        (server.root / file).write_text(text)
    server.marker(
        "dpkg-query",
        f"""if [ "$1" = --search ]; then exec cat {server.root}/owned; fi
for there in {" ".join(names)}; do
    for asked; do case $asked in $there | '*') echo "ii  $there" ;; esac; done
done""",
    )
    server.marker(
        "dpkg",
        f'shift; for package; do sed -n "s/^$package: //p" {server.root}/altered; done',
    )


# -- what came ---------------------------------------------------------------------------------


def test_a_server_that_is_as_it_was_has_no_news(world: RealWorld) -> None:
    claim(world)
    assert reset(world) == ()


def test_what_came_or_was_changed_since_the_claim_is_told(
    world: RealWorld, server: TestServer
) -> None:
    with server.path("/etc/passwd").open("a") as passwd:
        passwd.write("eve:x:1001:1001::/var/lib/eve:/bin/sh\n")
    write(server, "/etc/cron.d/was", "* * * * * root true\n")
    write(server, "/etc/profile.d/was.sh")
    server.path(UNIT).parent.mkdir(parents=True, exist_ok=True)
    claim(world)
    write(server, UNIT)
    write(server, "/etc/systemd/system/ssh.service.d/came.conf")
    write(server, "/var/lib/eve/.ssh/authorized_keys")
    write(server, "/etc/cron.d/was", "* * * * * root false\n")
    server.path("/etc/profile.d/was.sh").chmod(0o4755)
    write(server, "/etc/ld.so.preload")
    server.path("/etc/systemd/system/link.service").symlink_to("/opt/link.service")
    with server.path("/etc/passwd").open("a") as passwd:
        passwd.write("toor:x:0:0::/root:/bin/sh\n")
    with server.path("/etc/shadow").open("a") as shadow:
        shadow.write("toor:$y$j9T$x:19000:0:99999:7:::\n")
    assert reset(world) == (
        "changed /etc/cron.d/was",
        "changed /etc/profile.d/was.sh",
        "changed the passwords in /etc/shadow",
        "new /etc/ld.so.preload",
        "new /etc/systemd/system/came.service",
        "new /etc/systemd/system/link.service",
        "new /etc/systemd/system/ssh.service.d/came.conf",
        "new /var/lib/eve/.ssh/authorized_keys",
        "new account toor with the rights of root",
    )


def test_a_user_forges_no_line_of_the_list_and_does_not_make_it_slow(
    world: RealWorld, server: TestServer
) -> None:
    with server.path("/etc/passwd").open("a") as passwd:
        passwd.write("eve:x:1001:1001::/var/lib/eve:/bin/sh\n")
        passwd.write("mal:x:1002:1002::/var/lib/mal:/bin/sh\n")
    sums = hashlib.sha256(b"came\n").hexdigest()
    keys = server.path("/var/lib/eve/.ssh/authorized_keys")
    for name in ("x\n644:0:0 ", f"y\n{sums}  "):
        write(server, f"{keys.relative_to(server.root)}/{name}/etc/cron.d/came")
    write(server, f"/etc/cron.d/z\n644:0:0 {UNIT}/z")
    server.path("/var/lib/mal/.ssh").mkdir(parents=True)
    server.path("/var/lib/mal/.ssh/authorized_keys").symlink_to("/")
    claim(world)
    assert "came" not in server.path(FOOTHOLDS).read_text()
    write(server, "/etc/cron.d/came")
    assert reset(world) == ("new /etc/cron.d/came",)


@pytest.mark.parametrize("removed", [True, False])
def test_what_stays_is_the_servers_own_at_the_next_claim(
    world: RealWorld, server: TestServer, removed: bool
) -> None:
    claim(world)
    write(server, UNIT)
    assert reset(world) == (f"new {UNIT}",)
    if removed:
        server.path(UNIT).unlink()
    claim(world)
    assert reset(world) == ()


def test_a_big_file_counts_by_when_it_was_changed(world: RealWorld, server: TestServer) -> None:
    write(server, "/etc/profile.d/big", "x" * (3 << 20))
    claim(world)
    write(server, "/etc/profile.d/big", "y" * (3 << 20))
    assert reset(world) == ("changed /etc/profile.d/big",)


def test_the_list_is_roots_alone_and_goes_with_the_claim(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    assert server.path(FOOTHOLDS).stat().st_mode & 0o777 == 0o600
    assert server.path(FOOTHOLDS).read_text().startswith("format 1\n")
    reset(world)
    remaining = [path.name for path in server.path("/var/lib/rpool").iterdir()]
    assert remaining == ["trust"]  # the mark of its domain outlives a reset


def test_a_claim_that_is_taken_over_keeps_its_list(world: RealWorld, server: TestServer) -> None:
    claim(world)
    write(server, UNIT)
    other = replace(CLAIM, uid="0badcafe0badcafe", epoch=1)
    world.carry_out(act.TakeClaim("r1u04", other, over=OURS), 60)
    assert reset(world, other.ownership) == (f"new {UNIT}",)


def test_there_is_no_claim_before_its_list_and_the_next_one_makes_its_own(
    world: RealWorld, server: TestServer
) -> None:
    server.marker("ln", "exit 9")
    with pytest.raises(CommandFailed):
        claim(world)
    assert server.path(FOOTHOLDS).exists()
    assert world.probe("r1u04").is_spare
    write(server, UNIT)
    (server.root / "bin/ln").unlink()
    claim(world)
    assert reset(world) == ()


@pytest.mark.parametrize("text", [None, "format 2\nsomething else\n", ""])
def test_a_claim_of_another_version_is_reset_and_its_news_are_unknown(
    world: RealWorld, server: TestServer, text: str | None
) -> None:
    claim(world)
    server.path(FOOTHOLDS).unlink()
    if text is not None:
        write(server, FOOTHOLDS, text)
    (line,) = reset(world)
    assert line.startswith("unknown: ")
    assert world.probe("r1u04").is_spare


def test_a_server_whose_files_cannot_be_listed_in_time_is_claimed_all_the_same(
    world: RealWorld, server: TestServer
) -> None:
    write(server, FOOTHOLDS, "format 1\n")  # of an earlier claim: it must not be taken for ours
    server.marker("xargs", "exit 124")  # as timeout ends
    claim(world)
    (server.root / "bin/xargs").unlink()
    assert reset(world) == ("unknown: no list was made when the server was claimed",)


def test_news_are_in_the_servers_own_log_too(world: RealWorld, server: TestServer) -> None:
    server.marker("logger", f"cat >>{server.root}/log")
    claim(world)
    write(server, UNIT)
    reset(world)
    assert (server.root / "log").read_text() == f"since the claim: new {UNIT}\n"


# -- what a package brought ----------------------------------------------------------------------


def test_what_a_package_has_brought_is_no_news_unless_it_is_other(
    world: RealWorld, server: TestServer
) -> None:
    """An upgrade changes units and cron jobs; preparation enables kubelet."""
    upgraded, kubelet = "/etc/cron.d/upgraded", "/etc/default/kubelet"
    owned = f"cron: {upgraded}\nkubelet: {kubelet}\nhello: /etc/cron.d/hello\n"
    write(server, upgraded)
    packages(server, "cron", owned=owned)
    claim(world)
    write(server, upgraded, "of another version\n")
    write(server, kubelet)
    server.path("/etc/systemd/system/a.service").symlink_to(kubelet)
    write(server, "/etc/cron.d/hello")  # of a package that came since the claim
    packages(server, "cron", "hello", "kubelet", owned=owned)
    assert reset(world) == ("new /etc/cron.d/hello",)
    claim(world)
    write(server, upgraded, "by hand\n")
    packages(server, "cron", owned=owned, altered=f"cron: ??5?????? c {upgraded}\n")
    assert reset(world) == (f"changed {upgraded}",)


def test_a_packages_file_is_known_by_either_name(world: RealWorld, server: TestServer) -> None:
    """Where /lib is /usr/lib, dpkg knows the name that the package was built with."""
    unit = "/usr/lib/systemd/system/kubelet.service"
    claim(world)
    server.path("/etc/systemd/system/kubelet.service").symlink_to(unit)
    packages(server, "kubelet", owned=f"kubelet: {unit.removeprefix('/usr')}\n")
    assert reset(world) == ()


# -- packages that are not as they were ------------------------------------------------------------


def test_a_server_whose_packages_were_changed_stays_claimed(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    altered = (
        "kubelet: ??5??????   /usr/bin/kubelet\nkubelet: missing     /usr/share/doc/kubelet\n"
        "kubelet: missing     /etc/kubernetes\nkubelet: missing     /var/lib/kubelet\n"
        "runc: missing     /usr/sbin/runc\ncontainerd: ??5?????? c /etc/containerd/config.toml\n"
    )
    packages(server, "kubelet", "runc", "containerd", altered=altered)
    with pytest.raises(CommandFailed, match="r1u04 has packages whose files were changed") as why:
        reset(world)
    assert why.value.detail.splitlines()[:2] == [
        "package kubelet: changed /usr/bin/kubelet",
        "package runc: missing /usr/sbin/runc",
    ]
    assert Do.REINSTALL.text() in why.value.detail
    assert world.probe("r1u04").claim == CLAIM


@pytest.mark.parametrize("how", ["installed again, or diverted", "purged"])
def test_a_server_whose_packages_were_put_right_is_given_back(
    world: RealWorld, server: TestServer, how: str
) -> None:
    claim(world)
    altered = "kubelet: ??5??????   /usr/bin/kubelet\n"
    packages(server, "kubelet", altered=altered)
    with pytest.raises(CommandFailed):
        reset(world)
    if how == "purged":
        packages(server, altered=altered)
    else:
        packages(server, "kubelet")
    assert reset(world) == ()
    assert world.probe("r1u04").is_spare


def test_plugins_that_a_cni_of_the_sites_own_has_replaced_are_no_fault(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    plugin = "/opt/cni/bin/portmap"
    packages(server, "kubernetes-cni", altered=f"kubernetes-cni: ??5??????   {plugin}\n")
    assert reset(world) == ()


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo 'dpkg: error: parsing' >&2; exit 2", "dpkg: error: parsing"),
        ("exit 124", "not in time"),
    ],
)
def test_packages_that_cannot_be_verified_are_not_taken_for_sound(
    world: RealWorld, server: TestServer, does: str, said: str
) -> None:
    claim(world)
    packages(server, "kubelet")
    server.marker("dpkg", does)
    with pytest.raises(CommandFailed) as why:
        reset(world)
    assert f"package kubelet: cannot verify: {said}" in why.value.detail


def test_what_dpkg_warns_of_is_no_changed_file(world: RealWorld, server: TestServer) -> None:
    claim(world)
    packages(server, "kubelet")
    server.marker("dpkg", "printf 'dpkg: warning: parsing:\\n missing architecture\\n' >&2")
    assert reset(world) == ()


def test_all_that_the_preparation_installs_is_verified() -> None:
    role = CHECKOUT / "ansible/roles/server"
    programs = yaml.safe_load((role / "defaults/main.yml").read_text())["server_programs"]
    scripts = CHECKOUT / "backend/rpool/reach/scripts"
    verified = (scripts / "compare.sh").read_text().partition("RUNS_ON='")[2].partition("'")[0]
    install = (role / "files/install.sh").read_text()
    held = install.partition("HELD='")[2].partition("'")[0].split()
    wanted = {*programs, *held, "containerd", "runc"} - {"kubernetes-cni"}
    assert wanted <= set(verified.split())

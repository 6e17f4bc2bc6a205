"""A release as its users get it: built for real, installed by the real Terraform on a system that
has nothing else, and used there. Minutes, and root for the chroot: `pytest -m soak tests/release`.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest
from lab.command import run
from protocol.plugin_process import PluginProcess
from protocol.workspace import is_opentofu

from release.bare import HOST, Bare, Ran
from release.built import release, unpack
from release.served import served
from rpool_release.checksums import SigningKey, hashes
from rpool_release.layouts import Release
from rpool_release.tree import CHECKOUT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

HERE = Path(__file__).parent
EXAMPLE = (CHECKOUT / "examples/terraform/simulated/main.tf").read_text()
INSTALLED = ".terraform/providers/{host}/resource-pool/rpool/{version}/linux_amd64"
MIRROR = 'filesystem_mirror {\n path = "/mirror"\n}'
HANDSHAKE_SECONDS = 0.150
MOST_FILES, MOST_BYTES = 1_800, 105_000_000
"""At which Terraform's init takes less than 2 s (1.3 s of processors, measured without other load).
The seconds of a test depend on what else runs; `make bench` prints them.
"""


@pytest.fixture
def bare(tmp_path: Path, tools: Path) -> Bare:
    return Bare(tmp_path / "bare", tools / "busybox")


def configure(bare: Bare, installation: str, source: str = "resource-pool/rpool") -> None:
    """The simulated example, and where its provider is to come from."""
    (bare.work / "main.tf").write_text(EXAMPLE.replace("resource-pool/rpool", source))
    settings = f"provider_installation {{\n{installation}\n}}\n" if installation else ""
    (bare.folder / "etc/terraformrc").write_text(settings)


def terraform(bare: Bare, *words: str) -> Ran:
    return bare.run(
        "terraform", *words, "-no-color",
        HOME="/home", TF_CLI_CONFIG_FILE="/etc/terraformrc", SSL_CERT_FILE="/etc/tls.pem",
    )  # fmt: skip


def makes_a_cluster(bare: Bare) -> None:
    """Plan, apply, and a plan that has nothing to do: each time Terraform computes the digest of
    all that is installed, so that a run that changed a file would fail here.
    """
    for words in (("plan",), ("apply", "-auto-approve"), ("plan", "-detailed-exitcode")):
        ran = terraform(bare, *words)
        assert ran.status == 0, ran.output
    assert "No changes." in ran.output
    assert [path.name for path in (bare.folder / "tmp").iterdir()] == []


def test_two_builds_are_the_same(made: Release, tmp_path: Path) -> None:
    again = release(tmp_path / "again", None)
    assert again.sums.read_text() == made.sums.read_text()


@pytest.mark.parametrize(
    ("folder", "installation"), [("mirror", MIRROR), ("home/.terraform.d/plugins", "")]
)
def test_from_a_mirror_of_files_it_makes_a_cluster_where_there_is_nothing_else(
    made: Release, bare: Bare, folder: str, installation: str
) -> None:
    """A mirror that the CLI configuration names, or the one that Terraform looks at anyway."""
    shutil.copytree(made.folder / "mirror", bare.folder / folder)
    configure(bare, installation)
    ran = terraform(bare, "init")
    assert ran.status == 0, ran.output
    locked = (bare.work / ".terraform.lock.hcl").read_text()
    content, _ = hashes(made.archive("linux_amd64"))
    assert f'"{content}"' in locked
    makes_a_cluster(bare)


def test_from_a_mirror_behind_https(made: Release, bare: Bare, certificate: Path) -> None:
    shutil.copyfile(certificate, bare.folder / "etc/tls.pem")
    with served(made.folder / "mirror", certificate) as port:
        configure(bare, f'network_mirror {{\n url = "https://{HOST}:{port}/"\n}}')
        ran = terraform(bare, "init")
    assert ran.status == 0, ran.output
    makes_a_cluster(bare)


def test_from_a_private_registry_signed(
    made: Release, bare: Bare, key: SigningKey, certificate: Path
) -> None:
    shutil.copyfile(certificate, bare.folder / "etc/tls.pem")
    with served(made.folder / "registry", certificate) as port:
        configure(bare, "", f"{HOST}:{port}/resource-pool/rpool")
        ran = terraform(bare, "init")
    assert ran.status == 0, ran.output
    signed = "signed" if is_opentofu() else "self-signed"
    assert f"({signed}, key ID {key.identifier})" in ran.output
    makes_a_cluster(bare)


def test_digests_that_nobody_has_signed_are_refused(
    made: Release, bare: Bare, certificate: Path, tmp_path: Path
) -> None:
    shutil.copyfile(certificate, bare.folder / "etc/tls.pem")
    root = shutil.copytree(made.folder / "registry", tmp_path / "registry")
    (sums,) = root.rglob("*_SHA256SUMS")
    sums.write_text(sums.read_text() + f"{'0' * 64}  one-more.zip\n")
    with served(root, certificate) as port:
        configure(bare, "", f"{HOST}:{port}/resource-pool/rpool")
        ran = terraform(bare, "init")
    assert ran.status == 1
    assert "signature" in ran.output


@pytest.fixture
def installed(made: Release, bare: Bare) -> Path:
    """The archive in the bare system, at /opt/rpool there."""
    return unpack(made.archive("linux_amd64"), bare.folder / "opt/rpool")


@pytest.mark.parametrize("folder", ["/opt/rpool", "/opt/registry.example:8443"])
def test_ansible_prepares_a_server_with_the_archive_s_python_and_role(
    installed: Path, bare: Bare, folder: str
) -> None:
    installed.rename(bare.folder / folder[1:])
    shutil.copyfile(HERE / "prepare.py", bare.folder / "etc/prepare.py")
    shutil.copyfile(HERE.parent / "worlds/fakes.py", bare.folder / "etc/fakes.py")
    ran = bare.run(
        f"{folder}/bin/python3", "/etc/prepare.py", "/etc", proc=True, LANG="en_US.UTF-8"
    )
    assert ran.output.splitlines()[-1:] == [
        "{'r1u04': None} ['check', 'install', 'configure', 'start']"
    ]


def test_all_that_the_archive_has_of_ours_can_be_imported(installed: Path, bare: Bare) -> None:
    shutil.copyfile(HERE / "imports.py", bare.folder / "etc/imports.py")
    ran = bare.run("/opt/rpool/bin/python3", "/etc/imports.py", HOME="/work", LC_ALL="C.UTF-8")
    assert ran.output == "imported\n"


def test_the_command_line_is_in_it_too(installed: Path, bare: Bare) -> None:
    (bare.folder / "bin/rpool").symlink_to("../opt/rpool/bin/rpool")
    ran = bare.run("rpool", "--help")
    assert (ran.status, ran.output.splitlines()[0]) == (
        0,
        "usage: rpool [-h] [--version] COMMAND ...",
    )
    assert bare.run("rpool", "--version").output == "rpool 0.1.0\n"


def test_it_is_small_enough_to_be_installed_in_two_seconds(made: Release) -> None:
    for platform in made.platforms:
        with zipfile.ZipFile(made.archive(platform)) as packed:
            sizes = [entry.file_size for entry in packed.infolist()]
        assert (len(sizes) < MOST_FILES, sum(sizes) < MOST_BYTES) == (True, True), platform


def test_its_start_takes_no_longer_than_it_may(made: Release, tmp_path: Path) -> None:
    tree = unpack(made.archive("linux_amd64"), tmp_path / "tree")
    seconds = []
    for _ in range(30):  # the least of them: others are at work here, too
        with PluginProcess([str(tree / f"terraform-provider-rpool_v{made.version}")]) as plugin:
            seconds.append(plugin.handshake.seconds)
    assert min(seconds) < HANDSHAKE_SECONDS, seconds


def test_it_says_what_it_is_when_it_is_called_by_hand(installed: Path, bare: Bare) -> None:
    ran = bare.run("/opt/rpool/terraform-provider-rpool_v0.1.0")
    assert (ran.status, "docs/guides/installing.md" in ran.output) == (1, True)


def test_that_for_arm64_starts_under_emulation(made: Release, tools: Path, tmp_path: Path) -> None:
    tree = unpack(made.archive("linux_arm64"), tmp_path / "tree")
    (tree / "lib/ld.so").rename(tree / "lib/ld-arm64.so")
    (tree / "lib/ld.so").write_text(
        f'#!/bin/sh\nexec {tools}/qemu-aarch64 "${{0%/*}}/ld-arm64.so" "$@"\n'
    )
    (tree / "lib/ld.so").chmod(0o755)
    machine = run(tree / "bin/python3", "-c", "import platform; print(platform.machine())")
    assert machine == "aarch64\n"
    with PluginProcess([str(tree / f"terraform-provider-rpool_v{made.version}")]) as plugin:
        assert plugin.handshake.fields[:3] == ["1", "6", "unix"]
    ansible = run(
        tree / "bin/python3", "-m", "ansible.cli.playbook", "--version", env={"LC_ALL": "C.UTF-8"}
    )
    assert re.match(r"ansible-playbook \[core 2\.", ansible)

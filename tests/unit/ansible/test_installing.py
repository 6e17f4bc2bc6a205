"""How packages come to a server, with an apt that says what the real one would."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from worlds.machine import SCRIPTS, Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

REPOSITORY = "http://mirror/v1.36/deb/"
PARAMETERS = (
    f"VERSION=1.36.3\nREPOSITORY={REPOSITORY}\nFINGERPRINT={'A1' * 20}\n"
    "PROGRAMS='curl conntrack'\nPATIENCE_SECONDS=%d\n"
)
KUBERNETES = ["kubeadm", "kubectl", "kubelet", "cri-tools", "kubernetes-cni"]
INTERRUPTED = (
    "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
)
# Ends what would go on for ever: after so many calls dpkg is said to be well.
MANY = 'if [ "$(grep -c ^apt-get "$(dirname "$0")/../calls")" -gt 99 ]; then exit 0; fi;'
LOCKED = "dpkg: error: dpkg frontend lock was locked by another process with pid 7"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One that has all packages, in the right version."""
    machine = Machine.make(tmp_path)
    machine.file("/etc/apt/sources.list", f"deb {REPOSITORY} /\n")
    machine.program("apt-get", "exit 0")
    machine.program("dpkg", "exit 0")
    machine.program("containerd", "echo containerd github.com/containerd/containerd v2.1.9 abc")
    has(machine)
    return machine


def has(machine: Machine, state: str = "ii", but: str = "nothing") -> None:
    """All packages are there in this state, but for one that is missing."""
    machine.program(
        "dpkg-query",
        f'case "$*" in *" {but}") exit 1 ;; esac\nprintf "{state}  1.36.3-1.1\\n"',
    )


def install(machine: Machine, patience_seconds: int = 30) -> subprocess.CompletedProcess[str]:
    script = (SCRIPTS / "install.sh").read_text("utf-8")
    return machine.role(PARAMETERS % patience_seconds + script)


def called(machine: Machine, program: str) -> list[str]:
    lines = machine.calls.splitlines()
    return [line.removeprefix(f"{program} ") for line in lines if line.startswith(f"{program} ")]


def test_the_packages_of_a_cluster_are_held(machine: Machine) -> None:
    """An upgrade of the system would change the version of a cluster."""
    done = install(machine)
    assert done.returncode == 0, done.stderr
    assert called(machine, "apt-mark") == [f"hold {' '.join(KUBERNETES)}"]
    assert machine.path("/var/lib/rpool/prepared/held").read_text().split() == KUBERNETES
    assert json.loads(done.stdout.splitlines()[-1])["containerd"] == "2.1.9"


def test_what_an_operator_holds_is_not_ours_to_release(machine: Machine) -> None:
    has(machine, "hi")
    assert install(machine).returncode == 0
    assert called(machine, "apt-mark") == []
    assert not machine.path("/var/lib/rpool/prepared/held").exists()


@pytest.mark.parametrize("there", [True, False])
def test_what_cannot_run_that_kubernetes_is_refused_before_anything_is_installed(
    machine: Machine, there: bool
) -> None:
    machine.program("containerd", "echo containerd github.com/containerd/containerd v1.7.24 abc")
    candidate = "2.0.0" if there else "1.7.24~ds1-6"
    machine.program("apt-cache", f"echo '  Candidate: {candidate}'")
    script = (SCRIPTS / "install.sh").read_text("utf-8")
    if not there:  # this machine may have one of its own
        script = script.replace("command -v containerd >/dev/null", "false")
    done = machine.role((PARAMETERS % 30).replace("1.36.3", "1.37.0") + script)
    assert done.returncode == 3, done.stderr
    version = "v1.7.24" if there else "1.7.24~ds1-6"
    assert f"Kubernetes 1.37.0 needs containerd 2, and containerd {version}" in done.stderr
    assert not [call for call in called(machine, "apt-get") if "install" in call]


REMOVING = """case "$*" in
*install*--no-remove* | *--no-remove*install*)
    printf '%s\\n' 'Reading package lists...' 'The following packages will be REMOVED:' \\
        '  arping' '  ucspi-tcp* docker.io' 'The following NEW packages will be installed:' \\
        '  conntrack' '0 upgraded, 1 newly installed, 3 to remove and 9 not upgraded.'
    echo 'E: Packages need to be removed but remove is disabled.' >&2
    exit 100 ;;
*install*) touch /etc/removed ;;
esac"""


def test_no_package_of_the_user_s_is_removed_and_those_that_would_be_are_named(
    machine: Machine,
) -> None:
    has(machine, but="conntrack")
    machine.program("apt-get", REMOVING)
    done = install(machine)
    assert not machine.path("/etc/removed").exists()
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        "apt would remove arping, ucspi-tcp, docker.io to install conntrack, so nothing was "
    )
    assert "changed packages" not in done.stdout


def test_a_dpkg_that_stays_interrupted_is_an_error_when_patience_ends(machine: Machine) -> None:
    has(machine, but="conntrack")
    machine.program("apt-get", f'{MANY} echo "{INTERRUPTED}" >&2; exit 100')
    began = time.monotonic()
    done = install(machine, patience_seconds=1)
    assert time.monotonic() - began < 15
    assert done.returncode == 1
    assert len(called(machine, "apt-get")) < 10
    assert INTERRUPTED in done.stderr


def test_what_dpkg_left_half_done_is_finished_and_asks_nothing(machine: Machine) -> None:
    """A question about a changed file would get no answer, or the rest of the script as one."""
    has(machine, but="conntrack")
    machine.program("apt-get", f'[ -e /etc/mended ] || {{ echo "{INTERRUPTED}" >&2; exit 100; }}')
    machine.program("dpkg", "if read -r answer; then exit 1; fi; touch /etc/mended")
    done = install(machine)
    assert done.returncode == 0, done.stderr
    options = called(machine, "dpkg")[0].split()
    assert options[:2] == ["--configure", "-a"]
    assert {"--force-confold", "--force-confdef"} <= set(options)


def test_a_dpkg_that_somebody_else_is_mending_is_waited_for(machine: Machine) -> None:
    has(machine, but="conntrack")
    machine.program("apt-get", f'[ -e /etc/mended ] || {{ echo "{INTERRUPTED}" >&2; exit 100; }}')
    machine.program(
        "dpkg",
        'echo >>/etc/tried; if [ "$(grep -c . -v /etc/tried)" -gt 2 ]; then\n'
        f'touch /etc/mended; else echo "{LOCKED}" >&2; exit 2; fi',
    )
    done = install(machine)
    assert done.returncode == 0, done.stderr


def test_a_dpkg_that_cannot_be_mended_tells_why(machine: Machine) -> None:
    has(machine, but="conntrack")
    machine.program("apt-get", f'echo "{INTERRUPTED}" >&2; exit 100')
    machine.program("dpkg", "echo 'dpkg: error processing package broken' >&2; exit 1")
    done = install(machine)
    assert done.returncode == 1
    assert "dpkg: error processing package broken" in done.stderr


def test_the_kubelet_s_unit_is_for_root_alone(machine: Machine) -> None:
    """Also where nothing was to be installed: a package may have been installed again."""
    unit = "/usr/lib/systemd/system/kubelet.service"
    script = (SCRIPTS / "install.sh").read_text("utf-8")
    done = machine.role(f"touch {unit}\n{PARAMETERS % 30}{script}\nstat -c %a {unit}\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "600"


def gpg(home: Path, *words: str) -> str:
    command = ["gpg", "--homedir", str(home), "--batch", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Two keys: the fingerprint of each, and its public half in armour."""
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    for name in ("site", "eve"):
        gpg(home, "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never")
    lines = gpg(home, "--with-colons", "--fingerprint").splitlines()
    prints = [line.split(":")[9] for line in lines if line.startswith("fpr:")]
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True)
    return [(fingerprint, gpg(home, "--armor", "--export", fingerprint)) for fingerprint in prints]


def install_from(machine: Machine, fingerprint: str, key: str) -> subprocess.CompletedProcess[str]:
    """Installs from a mirror with this key; the real apt fetches it."""
    machine.file("/etc/apt/sources.list", "")
    machine.file("/var/lib/mirror/Release.key", key)
    has(machine, but="conntrack")
    script = (SCRIPTS / "install.sh").read_text("utf-8")
    where = f"REPOSITORY=copy:///var/lib/mirror/\nFINGERPRINT={fingerprint}\n"
    return machine.role(PARAMETERS % 30 + where + script)


KEY = "/etc/apt/keyrings/rpool-kubernetes.asc"


def test_the_key_of_the_site_is_trusted(machine: Machine, keys: list[tuple[str, str]]) -> None:
    fingerprint, key = keys[0]
    done = install_from(machine, fingerprint, key)
    assert done.returncode == 0, done.stderr
    assert machine.path(KEY).read_text().strip() == key.strip()


@pytest.mark.parametrize("kind", ["PGP MESSAGE", "PGP SIGNATURE", "X"])
def test_what_gpg_does_not_see_apt_does_not_get(
    machine: Machine, keys: list[tuple[str, str]], kind: str
) -> None:
    """apt takes any block in armour for keys."""
    (fingerprint, key), (_, other) = keys
    hidden = other.replace("PGP PUBLIC KEY BLOCK", kind)
    done = install_from(machine, fingerprint, key + hidden)
    assert done.returncode == 0, done.stderr
    trusted = machine.path(KEY).read_text()
    assert "BEGIN PGP PUBLIC KEY BLOCK" in trusted
    assert trusted.count("-----BEGIN ") == 1
    assert other.splitlines()[2] not in trusted


@pytest.mark.parametrize("what", ["another key", "another beside it", "no key"])
def test_no_other_key_is_trusted(machine: Machine, keys: list[tuple[str, str]], what: str) -> None:
    """Otherwise whoever answers for a mirror would be root on every server."""
    (fingerprint, key), (others, other) = keys
    text = {"another key": other, "another beside it": f"{key}{other}", "no key": "nothing"}[what]
    done = install_from(machine, fingerprint, text)
    assert done.returncode == 3, done.stderr
    reason = done.stderr.splitlines()[-1]
    assert "is not the expected one" in reason
    assert f"{fingerprint} is trusted (mirrors.packages_key)" in reason
    assert (others in reason) is (what != "no key")
    assert not machine.path(KEY).exists()
    assert called(machine, "apt-get") == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sources.list", f"# deb {REPOSITORY} /\n"),
        ("sources.list.d/k8s.list", f"  # deb {REPOSITORY} / # disabled on upgrade to noble\n"),
        ("sources.list.d/k8s.list.save", f"deb {REPOSITORY} /\n"),
        ("sources.list.d/rpool-kubernetes.sources.rpool-new", f"URIs: {REPOSITORY}\n"),
    ],
)
def test_a_repository_that_apt_does_not_read_is_none(
    machine: Machine, path: str, text: str
) -> None:
    has(machine, but="conntrack")
    machine.file("/etc/apt/sources.list", "")
    machine.file(f"/etc/apt/{path}", text)
    done = install(machine)
    assert done.returncode == 1
    assert "there is no Kubernetes package repository at" in done.stderr


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sources.list", f"deb {REPOSITORY} /\n"),
        ("sources.list.d/k8s.list", f"# ours\ndeb {REPOSITORY} /\n"),
        ("sources.list.d/k8s.sources", f"URIs: {REPOSITORY}\n"),
    ],
)
def test_a_repository_that_is_there_is_not_added(machine: Machine, path: str, text: str) -> None:
    has(machine, but="conntrack")
    machine.file("/etc/apt/sources.list", "")
    machine.file(f"/etc/apt/{path}", text)
    assert install(machine).returncode == 0
    assert not machine.path("/etc/apt/sources.list.d/rpool-kubernetes.sources").exists()

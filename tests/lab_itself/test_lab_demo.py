"""What the demo and a lab's settings leave for their user works as it is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from lab import cli
from lab.demo import CHECKOUT, EXAMPLE, forget, what_next
from lab.settings import write_variables
from lab.site.layout import Lab
from lab.site.machines import HOST_KEY
from lab.versions import HELLO
from protocol.site_config import PRIVATE_KEY
from worlds.declared import HOST_KEYS

from rpool.cli.main import parser
from rpool.cli.site_file import site_of


class LabIn(Lab):
    """A lab that is recorded in a folder of its own."""

    @property
    def run(self) -> Path:
        return Path(self.disks)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab of one server, as far as its settings need it."""
    lab = LabIn("demo", "1.36.3", "10.88.0", 1, (), str(tmp_path / "lab"))
    (public,) = (lab.disk(server) / "upper" / f"{HOST_KEY}.pub" for server in lab.fleet)
    public.parent.mkdir(parents=True)
    public.write_text(f"{HOST_KEYS[0]} root@r1u04\n")
    (lab.run / "packages_key").write_text("0" * 40)
    lab.key.write_text(PRIVATE_KEY)
    return lab


def test_the_command_reads_the_site_that_is_written_beside_the_fleet(
    lab: Lab, tmp_path: Path
) -> None:
    write_variables(lab, tmp_path)
    with closing(site_of(tmp_path / "site.yaml")) as site:
        assert site.config.fleet.servers.keys() == {server.name for server in lab.fleet}
        assert site.config.ssh.private_key.reveal() == PRIVATE_KEY
        assert site.config.mirrors.images


def test_all_of_it_is_taken_away_with_the_demo_and_in_no_commit(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "example"
    folder.mkdir()
    (folder / "main.tf").touch()
    write_variables(lab, folder)
    for path in folder.iterdir():
        command = ["git", "check-ignore", "-q", str(EXAMPLE / path.name)]
        ignored = subprocess.run(command, cwd=CHECKOUT, check=False).returncode == 0
        assert ignored or path.name == "main.tf"
    forget(folder)
    assert [path.name for path in folder.iterdir()] == ["main.tf"]


def split(command: str, text: str) -> list[list[str]]:
    return [shlex.split(words, comments=True) for words in re.findall(command, text)]


def test_each_command_that_the_demo_names_is_one() -> None:
    text = what_next("demo", "terraform", "r1u04", Path("/cache/kubectl"))
    for words in split(r"desk rpool (.*)", text):
        parser().parse_args(words)
    for words in split(r"python -m lab ([^;\n]*)", text):
        cli._parser().parse_args(words)
    verbs = {line.split()[2] for line in text.splitlines() if line.startswith("  desk rpool")}
    assert verbs == {"list", "show", "watch", "kubeconfig"}
    assert "/cache/kubectl --kubeconfig build/demo.kubeconfig" in text


def test_the_demo_needs_what_every_user_has_and_no_tools_of_developers() -> None:
    """So that `make demo` installs no linters first."""
    program = (
        "import sys, lab.cli; print({n.partition('.')[0] for n, module in sys.modules.items()"
        " if 'site-packages' in str(getattr(module, '__file__', ''))} - {'_distutils_hack'})"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True)
    assert ran.stdout.decode().strip() == "set()", ran.stderr
    dry_run = subprocess.run(["make", "-n", "demo"], cwd=CHECKOUT, capture_output=True, text=True)
    assert "requirements-dev" not in dry_run.stdout


def test_the_lab_s_page_names_the_image_that_its_registry_has() -> None:
    text = (CHECKOUT / "lab/README.md").read_text()
    assert set(re.findall(r"rpool/hello:[0-9a-z.]+", text)) == {f"rpool/hello:{HELLO}"}

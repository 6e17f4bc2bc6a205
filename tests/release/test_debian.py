"""Packages come from the mirrors that this machine's apt knows, as the lock has them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from lab.command import LabError
from lab.host import debian_mirror, debian_mirrors

from rpool_release import debian
from rpool_release.debian import Package

CONTENT = b"a package\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()

APT = """\
#!/bin/sh
for word; do
  case $word in
    indextargets)
      echo "http://mirror.test/debian/ Debian bookworm-updates"
      echo "http://mirror.test/security/ Debian bookworm-security"
      echo "http://mirror.test/debian/ Debian bookworm"
      echo "http://mirror.test/other/ Other stable" ;;
    Dir::Etc::sourcelist=*) cp "${word#*=}" "$TOLD" ;;
    --print-uris)
      echo "'http://mirror.test/z.deb' zlib1g_1%3a1.3-1_arm64.deb 10 SHA256:SUM"; exit ;;
    zlib1g=1:1.3-1) printf 'a package\\n' > zlib1g_1%3a1.3-1_arm64.deb ;;
    zlib1g=*) echo "E: Version was not found" >&2; exit 100 ;;
  esac
done
"""


@pytest.fixture(autouse=True)
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt that has one package, for arm64; in this file are the sources that it was given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "apt-get").write_text(APT.replace("SUM", SHA256))
    (programs / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    return tmp_path / "told"


def test_mirrors_are_those_of_the_machine_s_apt(told: Path) -> None:
    assert debian_mirror() == "http://mirror.test/debian/"
    assert debian_mirrors() == {
        "": "http://mirror.test/debian/",
        "-security": "http://mirror.test/security/",
    }
    debian.newest("arm64", ["zlib1g"])
    lines = told.read_text().splitlines()
    assert [line.split("] ")[1] for line in lines] == [
        "http://mirror.test/security/ trixie-security main",
        "http://mirror.test/debian/ trixie main",
    ]


def test_what_is_locked_is_fetched_once(tmp_path: Path, told: Path) -> None:
    (package,) = debian.newest("arm64", ["zlib1g"])
    assert package == Package("arm64", "zlib1g", "1:1.3-1", SHA256)
    (file,) = debian.fetch([package], tmp_path / "cache")
    assert file.read_bytes() == CONTENT
    told.unlink()
    assert debian.fetch([package], tmp_path / "cache") == [file]
    assert not told.exists()


def test_another_content_than_the_lock_s_is_refused(tmp_path: Path) -> None:
    package = Package("arm64", "zlib1g", "1:1.3-1", "0" * 64)
    with pytest.raises(LabError, match="is not what the lock names"):
        debian.fetch([package], tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_version_that_is_served_no_more_says_what_to_do(tmp_path: Path) -> None:
    package = Package("arm64", "zlib1g", "1:1.2-1", SHA256)
    with pytest.raises(LabError, match="`make lock` locks those"):
        debian.fetch([package], tmp_path / "cache")

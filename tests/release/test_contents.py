"""What comes into an archive is locked, enough, and no more than what runs."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

import pytest
from lab.command import LabError

from rpool_release import build, debian, elf, tree, wheels
from rpool_release.debian import Package
from rpool_release.tree import CHECKOUT, PLATFORMS

LOCK = """\
fine==1.0.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
old==1.0.0 ; python_full_version < '3.12' \\
    --hash=sha256:cc
old==2.0.0 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
other==3.0.0 \\
    --hash=sha256:ee
"""


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
def test_each_package_of_debian_is_locked(platform: tree.Platform) -> None:
    wanted = [*build.PACKAGES, *build.TEST_PACKAGES]
    assert len(debian.read_lock(build.LOCK, platform.debian, wanted)) == len(wanted)


def test_a_package_that_is_not_locked_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "debian.lock"
    lock.write_text(Package("amd64", "libc6", "2.41-12", "ab").line)
    assert debian.read_lock(lock, "amd64", ["libc6"]) == [
        Package("amd64", "libc6", "2.41-12", "ab")
    ]
    with pytest.raises(LabError, match="has no zlib1g for amd64: `make lock`"):
        debian.read_lock(lock, "amd64", ["libc6", "zlib1g"])


def test_of_the_lock_comes_what_the_archive_s_own_python_wants() -> None:
    chosen = wheels.locked(LOCK, {"fine", "old"}, wheels.target("x86_64"))
    assert chosen == "fine==1.0.0 --hash=sha256:aa --hash=sha256:bb\nold==2.0.0 --hash=sha256:dd\n"


def test_all_that_the_project_depends_on_is_in_but_what_nothing_imports() -> None:
    names = wheels.needed(build.PYPROJECT, wheels.target("x86_64"))
    assert {"ansible-core", "grpcio", "jinja2", "paramiko", "pydantic-core"} <= names
    assert not names & {"kubernetes", "aiohttp", "pytest"}
    imported = {
        name.partition(".")[0]
        for folder in ("backend", "provider_py/rpool_provider", "ansible")
        for file in (CHECKOUT / folder).rglob("*.py")
        for name in imports(file)
    }
    assert "paramiko" in imported
    assert not imported & wheels.UNUSED


def imports(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return names


def test_a_key_of_a_cache_knows_what_is_locked_and_for_whom() -> None:
    keys = [wheels.key(*words) for words in (("a", "x86_64"), ("b", "x86_64"), ("a", "aarch64"))]
    assert len(set(keys)) == len(keys)


def test_libraries_that_a_program_is_linked_with_are_known() -> None:
    assert elf.is_elf(Path("/bin/sh").resolve())
    assert "libc.so.6" in elf.needed(Path("/bin/sh").resolve())
    assert not elf.is_elf(Path(__file__))


def test_a_library_that_no_package_brings_stops_the_build(tmp_path: Path) -> None:
    own = PLATFORMS["linux_amd64"]
    source = tmp_path / "debian/usr/lib" / own.triplet
    source.mkdir(parents=True)
    (tmp_path / "tree/lib").mkdir(parents=True)
    for name in (own.loader, *tree.LOADED_BY_NAME):
        (source / name).write_bytes(Path("/bin/sh").read_bytes())
    with pytest.raises(LabError, match=r"needs libc\.so\.6, which no package of the lock brings"):
        tree.libraries(tmp_path / "tree", tmp_path / "debian", own)


def test_modules_that_a_start_needs_stay_files_and_the_rest_is_one(tmp_path: Path) -> None:
    library, packages = tmp_path / "lib/python3.13", tmp_path / tree.PACKAGES
    for folder in (library, packages, packages / "pure", packages / "mixed"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("early.pyc", "late.pyc"):
        (library / name).write_text(name)
    for name in ("pure/a.pyc", "mixed/a.pyc", "mixed/a.so"):
        (packages / name).write_text(name)
    tree.zip_rest(tmp_path, {"early"})
    assert sorted(path.name for path in library.iterdir()) == ["early.pyc"]
    assert sorted(path.name for path in packages.iterdir()) == ["mixed"]
    with zipfile.ZipFile(tmp_path / "lib/python3/modules.zip") as packed:
        assert packed.namelist() == ["late.pyc", "pure/a.pyc"]

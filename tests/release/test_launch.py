"""The launcher finds its archive however it is called, and says what is to run by its name."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rpool_release.tree import HERE

PROVIDER = "terraform-provider-rpool_v0.1.0"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An archive whose loader only says how it was called."""
    tree = tmp_path / "a folder/tree"
    (tree / "lib/locale").mkdir(parents=True)
    (tree / "bin").mkdir()
    for name in (PROVIDER, "bin/python3", "bin/rpool"):
        shutil.copyfile(HERE / "launch.sh", tree / name)
        (tree / name).chmod(0o755)
    (tree / "lib/ld.so").write_text('#!/bin/sh\nprintf "%s\\n" "$@" "LOCPATH=$LOCPATH"\n')
    (tree / "lib/ld.so").chmod(0o755)
    return tree


def told(command: str, folder: Path, **environment: str) -> list[str]:
    done = subprocess.run(
        [command, "more", "two words"],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def loaded(tree: Path, *words: str, locpath: str = "") -> list[str]:
    return [
        *("--inhibit-cache", "--library-path", "$ORIGIN", "--argv0", f"{tree}/bin/python3"),
        *(f"{tree}/lib/python3.13.elf", "-I", "-B", "-X", "utf8"),
        *(*words, "more", "two words", f"LOCPATH={locpath}"),
    ]


def test_the_name_decides_what_runs(tree: Path) -> None:
    assert told(f"{tree}/{PROVIDER}", tree) == loaded(tree, "-m", "rpool_provider")
    assert told(f"{tree}/bin/rpool", tree) == loaded(tree, "-m", "rpool")
    assert told(f"{tree}/bin/python3", tree) == loaded(tree, locpath=f"{tree}/lib/locale")


def test_it_is_found_by_a_relative_path_and_on_path(tree: Path) -> None:
    expected = loaded(tree, "-m", "rpool")
    assert told("bin/rpool", tree) == expected
    assert told("rpool", tree.parent, PATH=f"{tree}/bin:{os.environ['PATH']}") == expected


def test_it_is_found_through_links_to_it_and_to_its_folder(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "rpool").symlink_to(tree / "bin/rpool")
    assert told(f"{tmp_path}/rpool", tmp_path) == loaded(tree, "-m", "rpool")
    (tmp_path / "relative").mkdir()
    (tmp_path / "relative/rpool").symlink_to("../rpool")
    assert told("relative/rpool", tmp_path) == loaded(tree, "-m", "rpool")
    (tmp_path / "cache").symlink_to(tree)
    through = tmp_path / "cache"
    assert told(f"{through}/{PROVIDER}", tmp_path) == loaded(through, "-m", "rpool_provider")


def test_a_list_of_folders_is_not_cut_where_a_folder_has_a_colon(tree: Path) -> None:
    """The folder of a registry with a port has one."""
    port = tree.rename(tree.with_name("registry.example:8443"))
    ran = told(f"{port}/bin/python3", port)
    assert ran == loaded(port, locpath="/proc/self/fd/9")


def test_libraries_of_the_host_are_not_preloaded(tree: Path) -> None:
    (tree / "lib/ld.so").write_text('#!/bin/sh\necho "$LD_PRELOAD$LD_LIBRARY_PATH"\n')
    assert told(f"{tree}/{PROVIDER}", tree, LD_LIBRARY_PATH="/opt/lib") == [""]

"""The same content gives the same archive, whenever and however it came to be on the disk."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

from release.conftest import fill
from rpool_release import archive

MOMENT = 1_800_000_000


def test_times_umask_and_the_order_of_files_on_the_disk_change_nothing(tmp_path: Path) -> None:
    tree = fill(tmp_path / "one")
    other = tmp_path / "other"
    for path in sorted(tree.rglob("*"), reverse=True):
        copy = other / path.relative_to(tree)
        if path.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o700 if path.stat().st_mode & stat.S_IXUSR else 0o600)
            os.utime(copy, (1, 1))
    archive.write(tree, tmp_path / "one.zip", MOMENT)
    archive.write(other, tmp_path / "other.zip", MOMENT)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()


def test_entries_are_sorted_and_programs_run(tmp_path: Path) -> None:
    archive.write(fill(tmp_path / "tree"), tmp_path / "zip", MOMENT)
    with zipfile.ZipFile(tmp_path / "zip") as packed:
        modes = {entry.filename: entry.external_attr >> 16 for entry in packed.infolist()}
        moments = {entry.date_time for entry in packed.infolist()}
    assert modes == {
        "bin/rpool": 0o100755,
        "lib/python3/a.pyc": 0o100644,
        "terraform-provider-rpool_v0.1.0": 0o100755,
    }
    assert list(modes) == sorted(modes)
    assert moments == {(2027, 1, 15, 8, 0, 0)}


def test_a_time_before_zip_files_knew_any_is_the_first_that_they_know(tmp_path: Path) -> None:
    archive.write(fill(tmp_path / "tree"), tmp_path / "zip", 0)
    with zipfile.ZipFile(tmp_path / "zip") as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}

"""The folder that becomes an archive: the checkout's layout, a Python beside it, and all libraries
that either needs.

    terraform-provider-rpool_vX  bin/python3  bin/rpool     one launcher, see launch.sh
    backend/  provider_py/  ansible/                        ours, as in the checkout
    lib/ld.so  lib/*.so*  lib/python3.13.elf                C library, and Python
    lib/python3.13/  lib/python3/dist-packages/             its modules, and those of PyPI
    licenses/                                               of all that is not ours
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from lab.command import LabError, run

from rpool_release import archive, elf
from rpool_release.debian import Package

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
PYTHON = "python3.13"
PACKAGES = "lib/python3/dist-packages"

OURS = ("backend/rpool", "provider_py/rpool_provider", "ansible", "LICENSE", "pyproject.toml")

SOURCELESS = (f"lib/{PYTHON}", PACKAGES, "backend", "provider_py")

NO_STDLIB = (
    "test", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "venv", "pydoc_data",
    "curses", "dbm", "sqlite3", "lib2to3", "sitecustomize.py", "EXTERNALLY-MANAGED",
    "encodings/mac_*", "encodings/cp[012356789]*", "encodings/iso2022*", "encodings/iso8859_[2-9]*",
    "encodings/iso8859_1[0-46]*", "encodings/koi8*", "encodings/big5*", "encodings/euc_*",
    "encodings/gb*", "encodings/shift_*", "encodings/johab*", "encodings/[hkpt][zpt1]*_*",
    "lib-dynload/_codecs_*", "lib-dynload/_multibytecodec*", "lib-dynload/readline*",
    "lib-dynload/_curses*", "lib-dynload/_dbm*", "lib-dynload/_sqlite3*", "lib-dynload/_test*",
    "lib-dynload/_xx*", "lib-dynload/xx*", "lib-dynload/_ctypes_test*",
)  # fmt: skip
"""Left out of Python's library: user interfaces, tests, and old tables of characters."""

NO_PACKAGES = (
    "bin", "ansible_test", "ansible/galaxy", "ansible/_internal/ansible_collections",
    "ansible/**/*.ps1", "ansible/**/*.psm1", "ansible/**/*.cs",
    "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.h", "**/*.c", "*.dist-info/sboms",
    *(f"*.dist-info/{name}" for name in (
        "RECORD", "INSTALLER", "REQUESTED", "WHEEL", "top_level.txt", "entry_points.txt",
    )),
)  # fmt: skip
"""Left out of PyPI's packages: what is never run, what is for Windows, and pip's notes."""

_ANSIBLE_SELDOM = "/ansible/(modules|module_utils/facts|plugins/(lookup|doc_fragments|inventory))/"
"""Modules that Ansible runs on servers, or in few plays: they are compiled when they are used."""

LOADED_BY_NAME = ("libgcc_s.so.1",)
"""Libraries that no file is linked with: the C library loads this one when a thread is cancelled.
"""


@dataclass(frozen=True)
class Platform:
    """The platform of an archive: its name in Terraform, in Debian, and of the machine."""

    terraform: str
    debian: str
    machine: str
    loader: str

    @property
    def triplet(self) -> str:
        return f"{self.machine}-linux-gnu"


PLATFORMS = {
    platform.terraform: platform
    for platform in (
        Platform("linux_amd64", "amd64", "x86_64", "ld-linux-x86-64.so.2"),
        Platform("linux_arm64", "arm64", "aarch64", "ld-linux-aarch64.so.1"),
    )
}


def assemble(tree: Path, platform: Platform, version: str, debian: Path, wheels: Path) -> None:
    """Fills `tree` from an unpacked Debian, a folder of PyPI's packages, and this checkout."""
    shutil.copytree(debian / "usr/lib" / PYTHON, tree / "lib" / PYTHON, ignore=_unwanted)
    shutil.copytree(wheels, tree / PACKAGES, ignore=_unwanted)
    _drop(tree / "lib" / PYTHON, NO_STDLIB)
    _drop(tree / PACKAGES, NO_PACKAGES)
    for name in OURS:
        _copy(CHECKOUT / name, tree / name)
    # The same lines that `make setup` writes: where the checkout's packages are.
    paths = ("../../../backend", "../../../provider_py", "../modules.zip")
    (tree / PACKAGES / "rpool.pth").write_text("".join(f"{path}\n" for path in paths))
    _program(debian / "usr/bin" / PYTHON, tree / "lib" / f"{PYTHON}.elf")
    shutil.copytree(debian / "usr/lib/locale/C.utf8", tree / "lib/locale/C.utf8")
    libraries(tree, debian, platform)
    for name in ("bin/python3", "bin/rpool", f"terraform-provider-rpool_v{version}"):
        _program(HERE / "launch.sh", tree / name)


def libraries(tree: Path, debian: Path, platform: Platform) -> None:
    """Copies the libraries that files in the tree are linked with, and those that these need in
    turn. Raises LabError for one that Debian's folder lacks.
    """
    source = debian / "usr/lib" / platform.triplet
    _program(source / platform.loader, tree / "lib/ld.so")
    pending = [path for path in tree.rglob("*") if path.is_file() and elf.is_elf(path)]
    present = {platform.loader}
    for name in LOADED_BY_NAME:
        pending += _bring(name, source, tree, present)
    while pending:
        path = pending.pop()
        for name in elf.needed(path):
            pending += _bring(name, source, tree, present, path)


def _bring(
    name: str, source: Path, tree: Path, present: set[str], by: Path | None = None
) -> list[Path]:
    if name in present:
        return []
    if not (source / name).exists():
        raise LabError(f"{by} needs {name}, which no package of the lock brings: see contents")
    present.add(name)
    return [Path(shutil.copyfile((source / name).resolve(), tree / "lib" / name))]


def compile_all(tree: Path, python: Path) -> None:
    """Replaces modules by compiled ones, with `python` of an archive that runs on this machine.
    Ansible keeps its sources too: it finds plugins by them, and sends modules to servers as source.

    Compiled modules have digests that Python does not check: times do not survive unpacking, and
    stale .pyc files cost 370 ms at each start, since they are not written again.
    """
    command = [str(python), "-m", "compileall", "-q", "-f", "-j", "1", "--invalidation-mode"]
    command += ["unchecked-hash", "-s", str(tree), "-x", _ANSIBLE_SELDOM]
    ansible = tree / PACKAGES / "ansible"
    run(*command, ansible)
    aside = ansible.rename(tree / "ansible-aside")
    roots = [tree / name for name in SOURCELESS]
    run(*command, "-b", *roots)
    for root in roots:
        for source in root.rglob("*.py"):
            source.unlink()
    aside.rename(ansible)


def zip_rest(tree: Path, used: Set[str]) -> None:
    """Moves modules that are not needed until the handshake into one zip file, which is searched
    last: each file of an archive costs time, at init and at each command of Terraform.

    `used` are top-level modules that stay. So do modules with libraries, which Python cannot load
    from a zip file, and Ansible, which looks for its plugins in folders.
    """
    scratch = tree / "rest"
    scratch.mkdir()
    for folder in (tree / "lib" / PYTHON, tree / PACKAGES):
        for path in sorted(folder.iterdir()):
            if path.name.partition(".")[0] not in {*used, "ansible"} and not _has_libraries(path):
                path.rename(scratch / path.name)
    packed = tree / "lib/python3/modules.zip"
    archive.write(scratch, packed, archive.FIRST, zipfile.ZIP_STORED)
    shutil.rmtree(scratch)


def _has_libraries(path: Path) -> bool:
    files = path.rglob("*") if path.is_dir() else [path]
    return any(file.suffix in (".so", ".pth") for file in files)


def used_early(python: Path) -> set[str]:
    """Top-level modules that the provider has loaded when it shakes hands."""
    ask = "import sys, rpool_provider.serve; print(*sys.modules)"
    loaded = run(python, "-c", ask).split()
    return {name.partition(".")[0] for name in loaded}


def licenses(tree: Path, debian: Path, packages: Iterable[Package], requirements: str) -> None:
    """Copies the licences of Debian's packages (PyPI's packages have theirs beside them), and lists
    the versions of all packages in the archive.
    """
    for file in sorted((debian / "usr/share/doc").glob("*/copyright")):
        if not file.parent.is_symlink():
            _copy(file, tree / "licenses" / file.parent.name)
    lines = [f"Debian {package.name} {package.version}\n" for package in packages]
    lines += [f"PyPI {line.split()[0].replace('==', ' ')}\n" for line in requirements.splitlines()]
    (tree / "licenses/VERSIONS").write_text("".join(sorted(lines)))


def _unwanted(folder: str, names: Iterable[str]) -> set[str]:
    return {name for name in names if name == "__pycache__"} | {
        name for name in names if (Path(folder) / name).is_symlink()
    }


def _drop(folder: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, ignore=_unwanted)
    else:
        shutil.copyfile(source, to)


def _program(source: Path, to: Path) -> None:
    _copy(source, to)
    to.chmod(0o755)

"""Builds programs out of Go modules, with the dependencies that their own authors chose.

`go install` refuses a module whose go.mod has replace directives, as most of those around
Kubernetes have. So each program is built in a small module of our own, which repeats the go.mod of
the module that it comes from.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.command import run

ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false", "GOWORK": "off"}

_LOCAL_REPLACE = re.compile(r"^(\s*(?:replace\s+)?)(\S+)(?: v\S+)? => \.\.?/\S*$", re.MULTILINE)
_MODULE_LINE = re.compile(r"^module .*$", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """Binaries out of one Go module.

    `binaries` maps the name that a binary gets to its package's path below the module.
    `staging` is the version of the modules that the go.mod replaces by folders of its own
    repository; without it such lines are dropped, so that the required version counts.
    `stub` replaces such modules, where they are not served and not needed here: the text of their
    one Go file, in which PACKAGE stands for the name of the package.
    `emptied` are packages that are left out of the build: they don't build here.
    `dropped` are modules that only those packages need.
    """

    name: str
    module: str
    version: str
    binaries: Mapping[str, str]
    stamps: Mapping[str, str] = field(default_factory=dict)
    staging: str | None = None
    stub: str | None = None
    emptied: Sequence[str] = ()
    dropped: Sequence[str] = ()
    sum: str | None = None

    @property
    def key(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def environment(self) -> dict[str, str]:
        """Go's settings. The checksum database does not have a module whose hash is pinned."""
        return {**ENVIRONMENT, **({"GONOSUMDB": self.module} if self.sum else {})}


def rewrite(go_mod: str, program: Program) -> str:
    """The go.mod of a module of our own that builds `program` as its authors would."""

    def replaced(line: re.Match[str]) -> str:
        start, module = line.group(1), line.group(2)
        if program.stub:
            return f"{start}{module} => {_stub_of(module)}"
        return f"{start}{module} => {module} v{program.staging}" if program.staging else ""

    text = _MODULE_LINE.sub("module rpool.local/build", go_mod, count=1)
    text = text.replace("godebug tlskyber=", "godebug tlsmlkem=")  # renamed by Go 1.24
    text = _LOCAL_REPLACE.sub(replaced, text)
    for module in program.dropped:
        text = re.sub(rf"^\s*{re.escape(module)} v\S+.*$", "", text, flags=re.MULTILINE)
    return f"{text}\nrequire {program.module} v{program.version}\n"


def _stub_of(module: str) -> str:
    """The folder of a module's stub, relative to the module of our own."""
    return f"./stubs/{module.rpartition('/')[2]}"


def _write_stubs(go_mod: str, stub: str, ours: Path) -> None:
    for _, module in _LOCAL_REPLACE.findall(go_mod):
        folder = ours / _stub_of(module)
        folder.mkdir(parents=True)
        (folder / "go.mod").write_text(f"module {module}\n\ngo 1.21\n")
        (folder / "stub.go").write_text(stub.replace("PACKAGE", folder.name))


@dataclass(frozen=True)
class Downloaded:
    """A module in the module cache."""

    go_mod: Path
    folder: Path


def download(module: str, version: str, environment: Mapping[str, str]) -> Downloaded:
    """Fetch a module's source; it lies in Go's module cache."""
    with tempfile.TemporaryDirectory() as scratch:
        text = run(
            "go", "mod", "download", "-json", f"{module}@v{version}",
            env=environment, cwd=Path(scratch),
        )  # fmt: skip
    answer = json.loads(text)
    return Downloaded(Path(answer["GoMod"]), Path(answer["Dir"]))


def build(program: Program, into: Path) -> None:
    """Build the program's binaries into the folder."""
    source = download(program.module, program.version, program.environment)
    with tempfile.TemporaryDirectory(prefix="rpool-lab-go-") as scratch:
        ours = Path(scratch)
        go_mod = source.go_mod.read_text()
        (ours / "go.mod").write_text(rewrite(go_mod, program))
        if program.stub:
            _write_stubs(go_mod, program.stub, ours)
        if program.sum:
            pin = f"{program.module} v{program.version} {program.sum}\n"
            (ours / "go.sum").write_text(pin)
        if program.emptied:
            _without(program.emptied, source.folder, ours / "source")
            with (ours / "go.mod").open("a") as file:
                file.write(f"replace {program.module} => ./source\n")
        flags = ("-trimpath", "-ldflags", _link_flags(program))
        packages = {name: _package(program, path) for name, path in program.binaries.items()}
        out = ours / "bin"
        out.mkdir()
        run(
            "go", "build", *flags, "-o", f"{out}/", *packages.values(),
            env=program.environment, cwd=ours,
        )  # fmt: skip
        for name, package in packages.items():
            built = out / _binary_name(package)
            (into / name).write_bytes(built.read_bytes())
            (into / name).chmod(0o755)


def _package(program: Program, path: str) -> str:
    return f"{program.module}/{path}" if path else program.module


def _binary_name(package: str) -> str:
    """Go names a binary after the last part of its path that is no major version."""
    parts = [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)]
    return parts[-1]


def _link_flags(program: Program) -> str:
    stamps = [f"-X {variable}={value}" for variable, value in program.stamps.items()]
    return " ".join(["-s", "-w", *stamps])


def _without(packages: Sequence[str], source: Path, copy: Path) -> None:
    """Copy a module's source, with nothing in the packages that are left out."""
    shutil.copytree(source, copy, copy_function=shutil.copyfile)
    for package in packages:
        folder = copy / package
        for file in folder.glob("*.go"):
            file.unlink()
        (folder / "empty.go").write_text(f"package {folder.name}\n")

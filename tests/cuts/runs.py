"""One script on a machine of its own, cut off or not, and how the machine is in the end."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from worlds.machine import Machine

from cuts.cases import FILE, Case, fresh
from cuts.lines import cut, traced
from rpool.model.claim import Claim

PROGRAMS = Path(__file__).with_name("programs")
SEVERAL = {
    "packages": ("apt-get", "apt-mark", "apt-cache", "dpkg", "dpkg-query", "gpg"),
    "iptables": ("iptables-save", "iptables-restore"),
}
SILENT = "systemd-run modprobe sysctl swapoff nft ip6tables-save logger systemd-detect-virt"
IN_MEMORY = "/root /opt /usr/libexec /usr/lib/systemd/system"
DRAWN = re.compile(r'(secret\\?": ?\\?"|-data: |resourceVersion": ")[^"\n]+')
"""Keys, certificates and versions, which differ each time."""

State = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Cut:
    """Before this line, when it is reached for the `time`th time."""

    line: int
    time: int = 1


@dataclass(frozen=True)
class End:
    """`codes`: how each script ended; `claim`: its file after the first; `said`: the output."""

    codes: list[int]
    state: State
    claim: str
    said: str


@dataclass(frozen=True)
class Runs:
    """Runs of a case, below a folder of the test's."""

    case: Case
    folder: Path

    @cached_property
    def whole(self) -> End:
        """The end of an uninterrupted run, which writes down each line that it comes to."""
        case = self.case
        end = self._run_other("whole", traced(self._text, self._trace), case.whole[1:])
        assert not any(end.codes), f"{case.name} fails: {end.codes} {end.said}"
        return end

    @cached_property
    def cuts(self) -> list[Cut]:
        """Each line that runs, the first time and the last time."""
        assert self.whole
        lines = [int(line) for line in self._trace.read_text().split()]
        times = {line: lines.count(line) for line in lines}
        return [Cut(line) for line in times] + [Cut(n, t) for n, t in times.items() if t > 1]

    def changed_by_tracing(self) -> list[str]:
        return self.different(_carry_out(self._machine("plain"), self.case.whole))

    def wrong(self, cut_: Cut) -> list[str]:
        """What is not as it should be after this cut and the scripts that follow it."""
        count = self.folder / "count"
        count.unlink(missing_ok=True)
        text = cut(self._text, cut_.line, cut_.time, count)
        end = self._run_other("cut", text, self.case.after)
        problems = self.different(end)
        if not count.exists() or count.read_text().count("\n") < cut_.time:
            problems.append(f"it was not cut: {end.codes}")
        if half(end.claim):
            problems.append(f"the claim was half: {end.claim}")
        return problems and [self._where(cut_), *problems]

    def different(self, end: End) -> list[str]:
        """How another end differs from that of an uninterrupted run."""
        want, now = (self._compared(e.state) for e in (self.whole, end))
        problems = [f"{path} is missing" for path in want.keys() - now.keys()]
        problems += [f"{path} is left" for path in now.keys() - want.keys()]
        both = want.keys() & now.keys()
        problems += [f"{p} was {want[p]}, is {now[p]}" for p in both if want[p] != now[p]]
        if end.codes[-1] not in self.case.may_end:
            problems.append(f"ended with {end.codes}, not {self.whole.codes}: {end.said}")
        return sorted(problems)

    def _where(self, cut_: Cut) -> str:
        lines = self._text.splitlines()
        return f"{self.case.name}, cut before `{lines[cut_.line].strip()}` (time {cut_.time})"

    def _compared(self, state: State) -> State:
        return {
            path: file for path, file in state.items() if not path.startswith(self.case.may_differ)
        }

    @cached_property
    def _begin(self) -> Path:
        machine = Machine.make(self.folder / "begin")
        for path in PROGRAMS.glob("*.sh"):
            for name in SEVERAL.get(path.stem, (path.stem,)):
                _program(machine, name, path.read_text())
        for name in SILENT.split():
            _program(machine, name, "")
        fresh(machine)
        self.case.setup(machine)
        if self.case.first:
            end = _carry_out(machine, self.case.first)
            assert not any(end.codes), f"{self.case.name} cannot begin: {end.codes} {end.said}"
        return machine.root

    @property
    def _trace(self) -> Path:
        return self.folder / "trace"

    @cached_property
    def _text(self) -> str:
        """The script that is cut."""
        case = self.case
        return (PROGRAMS / f"{case.inside}.sh").read_text() if case.inside else case.script

    def _run_other(self, name: str, text: str, then: Sequence[str]) -> End:
        """A run with this text in the place of what is cut."""
        case, machine = self.case, self._machine(name)
        if case.inside:
            _program(machine, case.inside, text)
            text = case.script
        return _carry_out(machine, (case.wrap(text), *then))

    def _machine(self, name: str) -> Machine:
        root = self.folder / name
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self._begin, root, symlinks=True)
        return Machine(root)


def _program(machine: Machine, name: str, body: str) -> None:
    path = machine.root / "bin" / name
    path.write_text(f"#!/bin/sh\nworld=${{0%/*}}/../world\n{body}\n")
    path.chmod(0o755)


def _carry_out(machine: Machine, scripts: Sequence[str]) -> End:
    """Runs the scripts in turn, each in its own process group, all in the same namespaces."""
    root = machine.root
    folder = root / "told"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    here = shlex.quote(str(folder))
    lines = []
    for n, script in enumerate(scripts):
        (folder / f"{n}.sh").write_text(script)
        lines.append(f"code=0; setsid -w sh -s <{here}/{n}.sh >>{here}/said 2>&1 || code=$?")
        lines.append(f"echo $code >>{here}/codes; cp {FILE} {here}/claim.{n} 2>/dev/null || true")
    lines.append(f"mkdir {here}/memory; cp -a {IN_MEMORY} {here}/memory\n")
    done = machine.run("\n".join(lines))
    printed = (folder / "said").read_text(errors="replace") + done.stderr
    claim = folder / "claim.0"
    return End(
        [int(code) for code in (folder / "codes").read_text().split()],
        _state(root),
        claim.read_text() if claim.exists() else "",
        printed[-3000:],
    )


def _state(root: Path) -> State:
    """Every file that matters, with its mode and its content."""
    state: State = {}
    for top in ("etc", "var/lib", "var/log", "run", "world", "told/memory"):
        for path in (root / top).rglob("*"):
            name = str(path.relative_to(root))
            if name.startswith("etc/alternatives/") or path.suffix == ".lock":
                continue
            text = ""
            if path.is_symlink():
                text = str(path.readlink())
            elif path.is_file():
                text = DRAWN.sub(r"\1...", path.read_text(errors="replace"))
            mode = 0 if top == "world" else path.lstat().st_mode
            state[re.sub(r"\.[A-Za-z0-9]{6}$", ".XXXXXX", name)] = (mode, text)
    return state


def half(claim: str) -> bool:
    """Whether a claim is there that is not whole."""
    try:
        return bool(claim) and not isinstance(Claim.from_dict(json.loads(claim)), Claim)
    except ValueError:
        return True

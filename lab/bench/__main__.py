"""`make bench`: handshake, a release, plan, create and growth, each beside what it compares with.

Prints ratios and where the time of a create goes, phase by phase. Nothing is asserted.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from lab.bench import archive, placement
from lab.bench.calls import calls
from lab.cache import default_cache
from lab.command import run
from lab.progress import say
from lab.settings import write_variables
from lab.site import bring_up
from lab.site.layout import Lab
from lab.terraform import terraform
from lab.versions import DEFAULT_KUBERNETES

CHECKOUT = Path(__file__).parent.parent.parent
EXAMPLE = CHECKOUT / "examples" / "terraform" / "one-cluster"
NAME = "bench"
PLANS = 7
BASELINE = 'resource "terraform_data" "nothing" {}\n'
PHASES = ("claim", "prepare", "init", "network", "metallb", "join", "ready", "record", "revoke")


def main() -> int:
    handshake()
    cache = default_cache()
    binary = terraform(cache)
    archive.main(binary, handshake, elsewhere)
    with fresh_lab() as lab, folder_for(lab) as folder:
        plans(lab, binary, folder)
        ours = create(lab, binary, folder)
        planned, grown, prepared = grow(lab, binary, folder)
    with fresh_lab() as lab:
        theirs, joined = by_hand(lab)
    print(f"create 3 + 2: {ours:.1f} s, by hand {theirs:.1f} s, ratio {ours / theirs:.2f}")
    rest = grown - prepared
    print(
        f"+1 worker: plan {planned:.1f} s, apply {grown:.1f} s, of which {prepared:.1f} s is "
        f"preparation; the rest to a bare kubeadm join ({joined:.1f} s until Ready): ratio "
        f"{rest / joined:.2f}, with the plan {(planned + rest) / joined:.2f}"
    )
    fleet_sizes(binary)
    placement.main()
    return 0


def handshake(*launcher: Path) -> None:
    _measured("protocol.handshake_time", *launcher)


def elsewhere(release: Path) -> None:
    _measured("hcp.timing", release)


def _measured(module: str, *paths: Path) -> None:
    words = [sys.executable, "-m", module, *map(str, paths)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests")}
    subprocess.run(words, env=environment, cwd=CHECKOUT, check=True)


@contextmanager
def fresh_lab() -> Iterator[Lab]:
    cache = default_cache()
    bring_up.down(cache, NAME)
    try:
        yield bring_up.up(cache, NAME, 6, DEFAULT_KUBERNETES)
    finally:
        bring_up.down(cache, NAME)


@contextmanager
def folder_for(lab: Lab) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rpool-bench-") as name:
        folder = Path(name)
        for path in EXAMPLE.glob("*.tf"):
            (folder / path.name).write_text(path.read_text())
        write_variables(lab, folder)
        yield folder


def _run(lab: Lab, binary: str, folder: Path, *words: str, log: Path | None = None) -> float:
    """Seconds of one run of terraform at the desk."""
    at_desk = ["nsenter", f"--net=/run/netns/{lab.desk}", "--"]
    return _terraform(binary, folder, *words, log=log, before=at_desk)


def _terraform(
    binary: str,
    folder: Path,
    *words: str,
    log: Path | None = None,
    level: Mapping[str, str] = MappingProxyType({"TF_LOG_PROVIDER": "INFO"}),
    before: Sequence[str] = (),
) -> float:
    """Seconds of one run of terraform with the checkout's provider."""
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(CHECKOUT / "build" / "terraformrc")}
    if log is not None:
        environment |= {**level, "TF_LOG_PATH": str(log)}
    command = [*before, binary, *words]
    start = time.perf_counter()
    done = subprocess.run(
        command, env=environment, cwd=folder, check=False, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return seconds


def plans(lab: Lab, binary: str, folder: Path) -> None:
    """A plan of the example beside one of a configuration that needs no provider of ours."""
    with tempfile.TemporaryDirectory(prefix="rpool-bench-") as name:
        bare = Path(name)
        (bare / "main.tf").write_text(BASELINE)
        pairs = [
            (_run(lab, binary, folder, "plan"), _run(lab, binary, bare, "plan"))
            for _ in range(PLANS)
        ]
    ours, floor = (min(column) for column in zip(*pairs, strict=True))
    print(f"plan {ours:.2f} s, of terraform_data alone {floor:.2f} s (least of {PLANS})")


def create(lab: Lab, binary: str, folder: Path) -> float:
    say("create 3 + 2 by terraform apply")
    log = folder / "log"
    seconds = _run(lab, binary, folder, "apply", "-auto-approve", log=log)
    _print_phases(log)
    return seconds


def grow(lab: Lab, binary: str, folder: Path) -> tuple[float, float, float]:
    """Seconds of the plan of one more worker, of its apply, and of the preparation in that."""
    say("+1 worker by terraform plan and apply")
    log = folder / "grow.log"
    bigger = ["-var=cores=32", "-var=memory=64"]
    planned = _run(lab, binary, folder, "plan", "-out=bigger.tfplan", *bigger)
    seconds = _run(lab, binary, folder, "apply", "bigger.tfplan", log=log)
    _print_phases(log)
    return planned, seconds, sum(end - begin for begin, end in _spans(log)["prepare"])


def _print_phases(log: Path) -> None:
    """When each kind of step began and ended, from the start of the first."""
    spans = _spans(log)
    for phase in PHASES:
        if phase in spans:
            first, last = min(a for a, _ in spans[phase]), max(b for _, b in spans[phase])
            print(f"  {phase:10} from {first:6.1f} to {last:6.1f} s")


def _spans(log: Path) -> dict[str, list[tuple[float, float]]]:
    """Begin and end of each step by its kind."""
    spans: dict[str, list[tuple[float, float]]] = {}
    origin: float | None = None
    for line in log.read_text().splitlines():
        match = re.search(r"step=\"?([a-z]+)", line)
        stamp = re.match(r"(\d+-\d+-\d+T\d+:\d+:[\d.]+)", line)
        took = re.search(r": done in ([\d.]+) s", line)
        if not (match and stamp):
            continue
        at = _seconds(stamp[1])
        origin = at if origin is None else origin
        if took:
            span = (at - origin - float(took[1]), at - origin)
            spans.setdefault(match[1], []).append(span)
    return spans


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def by_hand(lab: Lab) -> tuple[float, float]:
    """Seconds of the create, and of one more worker that was prepared before."""
    say("the same by hand (lab/bench/by_hand.sh)")
    printed = run(
        "sh", CHECKOUT / "lab" / "bench" / "by_hand.sh", lab.name, env={"PYTHON": sys.executable}
    )
    print("\n".join(f"  {line}" for line in printed.splitlines()))
    took = dict(re.findall(r"^(\S+) +([\d.]+) s\b", printed, re.MULTILINE))
    return float(took["cluster"]), float(took["one-more"])


SIMULATED = """
terraform {
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}
provider "rpool" {
  simulate {
    servers = %d
  }
}
resource "rpool_cluster" "bench" {
  name               = "bench"
  kubernetes_version = "1.36.3"
  cores              = 16
  memory             = 32
  control_plane {
    servers = 3
    endpoint {
      vip = "10.0.0.250"
    }
  }
}
"""


def fleet_sizes(binary: str) -> None:
    """Refresh and plan of one cluster on a small and on a large fleet of modelled servers."""
    with tempfile.TemporaryDirectory(prefix="rpool-bench-") as name:
        folders = {servers: Path(name) / str(servers) for servers in (10, 1000)}
        for servers, folder in folders.items():
            folder.mkdir()
            (folder / "main.tf").write_text(SIMULATED % servers)
            _terraform(binary, folder, "apply", "-auto-approve")
        rounds = [
            [_terraform(binary, folder, "plan") for folder in folders.values()]
            for _ in range(PLANS)
        ]
        trace = {"TF_LOG": "TRACE"}
        calls(lambda log: _terraform(binary, folders[10], "plan", log=log, level=trace), PLANS)
    small, large = (min(column) for column in zip(*rounds, strict=True))
    print(
        f"refresh and plan: {large:.2f} s on a fleet of 1,000, {small:.2f} s on one of 10, "
        f"ratio {large / small:.2f} (least of {PLANS})"
    )


if __name__ == "__main__":
    sys.exit(main())

"""One rule says which servers are too small: a probe applies it before a claim, and a script before
preparation.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from worlds.machine import SCRIPTS, Machine
from worlds.samples import NODE

from rpool.decide.preflight import why_too_small
from rpool.model.seen import Probed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")

GIB = 1024
CASES = [(16, 64 * GIB), (15, 64 * GIB), (17, 64 * GIB), (16, 58983), (16, 58982), (16, 58981)]


@pytest.mark.parametrize(("cores", "memory_mib"), CASES)
def test_a_probe_and_the_preparation_refuse_the_same_servers(
    tmp_path: Path, cores: int, memory_mib: int
) -> None:
    machine = Machine.make(tmp_path)
    machine.file("/run/systemd/system/there", "")
    (tmp_path / "cpuinfo").write_text("".join(f"processor\t: {n}\n\n" for n in range(cores)))
    (tmp_path / "meminfo").write_text(f"MemTotal:  {memory_mib * 1024} kB\n")
    mounts = "".join(
        f"mount --bind {shlex.quote(str(tmp_path / name))} /proc/{name}\n"
        for name in ("cpuinfo", "meminfo")
    )
    wanted = f"CORES={NODE.cores} MEMORY_GIB={NODE.memory_gib}\n"
    check = (SCRIPTS / "check.sh").read_text()
    done = machine.role(
        mounts + wanted + check.rpartition("check_system\ncheck_size")[0] + "check_size\n"
    )
    probed = Probed("r1u04", "", "", "", cores, memory_mib, None, (), False, False, (), (), 0.0)
    assert (done.returncode == 0) == (why_too_small(NODE, probed) is None), done.stderr

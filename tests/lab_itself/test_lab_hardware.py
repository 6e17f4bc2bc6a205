"""A server shows the cores and the memory that it was given."""

from __future__ import annotations

import re
from pathlib import Path

from lab.site.hardware import write_hardware
from lab.site.servers import servers

SERVER = servers(6, "10.88.0")[5]  # 16 cores, 32 GiB


def test_memory_is_a_little_below_nominal_as_on_hardware(tmp_path: Path) -> None:
    write_hardware(SERVER, tmp_path)
    total = re.search(r"^MemTotal: +(\d+) kB$", (tmp_path / "meminfo").read_text(), re.MULTILINE)
    assert total is not None
    assert 0.95 < int(total[1]) / (32 * 1024 * 1024) < 1.0


def test_cores_agree_wherever_a_program_looks(tmp_path: Path) -> None:
    write_hardware(SERVER, tmp_path)
    assert (tmp_path / "cpuinfo").read_text().count("processor\t:") == 16
    assert (tmp_path / "cpu/online").read_text() == "0-15\n"
    assert len(list((tmp_path / "cpu").glob("cpu[0-9]*"))) == 16
    assert len(list((tmp_path / "node/node0").glob("cpu[0-9]*"))) == 16


def test_node_links_lead_to_cores(tmp_path: Path) -> None:
    write_hardware(SERVER, tmp_path)
    cores = [
        path.resolve() / "topology/core_id" for path in (tmp_path / "node/node0").glob("cpu[0-9]*")
    ]
    assert sorted(int(core.read_text()) for core in cores) == list(range(16))


def test_writing_twice_is_harmless(tmp_path: Path) -> None:
    write_hardware(SERVER, tmp_path)
    write_hardware(SERVER, tmp_path)

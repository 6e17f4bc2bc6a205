"""What a server shows of itself: the cores and the memory that it was given.

The kernel is shared, and would show the machine's. So a server gets files of its own for
/proc/cpuinfo, /proc/meminfo and the folders in sysfs from which a kubelet counts cores
(cadvisor, `GetNodesInfo`). The kernel itself keeps back some memory on real hardware, so
MemTotal is a little below the nominal size here, too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from lab.site.servers import Server

KIB_PER_GIB = 1024 * 1024
TOTAL_SHARE = 0.98
FREE_SHARE = 0.93
AVAILABLE_SHARE = 0.95
HUGE_PAGE_FILES = ("free_hugepages", "nr_hugepages", "surplus_hugepages")


def write_hardware(server: Server, folder: Path) -> None:
    """Write the server's view of its hardware into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    memory = _memory(server, Path("/proc/meminfo").read_text())
    (folder / "meminfo").write_text(memory)
    (folder / "cpuinfo").write_text(_processors(server, Path("/proc/cpuinfo").read_text()))
    _write_cpu_folder(server, folder / "cpu")
    _write_node_folder(server, folder / "node", memory)


def _memory(server: Server, machine: str) -> str:
    nominal_kib = server.memory_gib * KIB_PER_GIB
    shares = {
        "MemTotal": TOTAL_SHARE, "MemFree": FREE_SHARE, "MemAvailable": AVAILABLE_SHARE,
        "SwapTotal": 0.0, "SwapFree": 0.0,
    }  # fmt: skip
    text = machine
    for name, share in shares.items():
        value = f"{int(nominal_kib * share):>12} kB"
        text = re.sub(rf"^{name}:.*$", f"{name}:{value}", text, flags=re.MULTILINE)
    return text


def _processors(server: Server, machine: str) -> str:
    first = machine.split("\n\n", 1)[0]
    return "".join(
        _processor(first, number, server.cores) + "\n\n" for number in range(server.cores)
    )


def _processor(stanza: str, number: int, cores: int) -> str:
    facts = {
        "processor": number, "physical id": 0, "siblings": cores, "core id": number,
        "cpu cores": cores, "apicid": number, "initial apicid": number,
    }  # fmt: skip
    for name, value in facts.items():
        stanza = re.sub(rf"^({name}\s*): .*$", rf"\g<1>: {value}", stanza, flags=re.MULTILINE)
    return stanza


def _write_cpu_folder(server: Server, folder: Path) -> None:
    all_cores = f"0-{server.cores - 1}" if server.cores > 1 else "0"
    _files(folder, {
        "online": all_cores, "possible": all_cores, "present": all_cores,
        "offline": "", "isolated": "", "kernel_max": "255",
    })  # fmt: skip
    for number in range(server.cores):
        own = {"list": str(number), "": f"{1 << number:x}"}
        whole = {"list": all_cores, "": f"{(1 << server.cores) - 1:x}"}
        topology = {"core_id": str(number), "physical_package_id": "0", "die_id": "0"}
        for group, members in (
            ("thread_siblings", own), ("core_cpus", own), ("cluster_cpus", own),
            ("core_siblings", whole), ("package_cpus", whole), ("die_cpus", whole),
        ):  # fmt: skip
            topology |= {group: members[""], f"{group}_list": members["list"]}
        _files(folder / f"cpu{number}" / "topology", topology)
        _files(folder / f"cpu{number}", {"online": "1"})


def _write_node_folder(server: Server, folder: Path, memory: str) -> None:
    _files(folder, dict.fromkeys(("online", "possible", "has_cpu", "has_memory"), "0"))
    node = folder / "node0"
    kept = [line for line in memory.splitlines() if line.startswith("Mem")]
    _files(node, {
        "meminfo": "\n".join(f"Node 0 {line}" for line in kept),
        "distance": "10",
        "cpulist": f"0-{server.cores - 1}",
        "cpumap": f"{(1 << server.cores) - 1:x}",
    })  # fmt: skip
    _files(node / "hugepages" / "hugepages-2048kB", dict.fromkeys(HUGE_PAGE_FILES, "0"))
    real = len(os.sched_getaffinity(0))
    for number in range(server.cores):
        link = node / f"cpu{_cpu_number(number, real)}"
        if not link.is_symlink():
            link.symlink_to(f"../../cpu/cpu{number}")


def _cpu_number(core: int, real: int) -> str:
    """The number in a core's folder name, such that its value is one that the machine has.

    A kubelet counts these folders, but puts their numbers into `cpuset.cpus`, where the kernel
    refuses a core that isn't real. So on a machine of two, the third core is `00`, the fourth
    `01`, the fifth `000`.
    """
    return "0" * (core // real) + str(core % real)


def _files(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text + "\n")

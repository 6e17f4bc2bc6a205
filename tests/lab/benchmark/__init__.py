"""The CIS Kubernetes Benchmark on a running cluster: one look at each server, then it is all data.

`failures` is empty when each entry of the YAML files holds, save those with an exception, and when
none of those does.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from benchmark import entries
from benchmark.entries import Entry, many
from benchmark.facts import Facts, parse
from benchmark.kinds import problem
from benchmark.pods import pods

LOOK = (entries.FOLDER / "look.sh").read_text("utf-8")
Names = Sequence[str]


def failures(ssh: Callable[[str, str], str], control_planes: Names, workers: Names) -> list[str]:
    """One line for each entry and server where it is not as it should be."""
    facts = look(ssh, control_planes[0], [*control_planes, *workers])
    planes = {name: facts[name] for name in control_planes}
    through = {control_planes[0]: facts[control_planes[0]]}
    return [
        *unexpected(entries.each_control_plane(), planes),
        *unexpected(entries.each_server(), facts),
        *unexpected(entries.cluster(), through),
    ]


def unexpected(asked: Sequence[Entry], facts: Mapping[str, Facts]) -> Iterator[str]:
    """A line for each entry that does not hold, and for each exception that holds."""
    for entry in asked:
        problems = {name: problem(entry, server_facts) for name, server_facts in facts.items()}
        if entry.exception and not any(problems.values()):
            yield f"{entry.id} {entry.holds} It does now, so its exception can go."
        elif not entry.exception:
            for name, why in problems.items():
                if why:
                    yield f"{entry.id} {entry.holds} On {name}: {why}"


def look(ssh: Callable[[str, str], str], through: str, servers: Names) -> dict[str, Facts]:
    """The facts of all servers, one round trip each; one of them asks the API."""
    with ThreadPoolExecutor(max_workers=len(servers)) as threads:
        scripts = [script(servers if name == through else ()) for name in servers]
        facts = dict(zip(servers, map(parse, threads.map(ssh, servers, scripts)), strict=True))
    kubelets = facts[through].kubelets
    return {
        name: replace(server_facts, kubelet=kubelets.get(name, {}))
        for name, server_facts in facts.items()
    }


def script(nodes: Names) -> str:
    asked = [*entries.each_control_plane(), *entries.each_server()]
    files = [entry.wanted["path"] for entry in asked if entry.kind == "file"]
    paths = dict.fromkeys(path for written in files for path in many(written))
    parameters = {
        "PATHS": " ".join(paths),
        "NODES": " ".join(nodes),
        "PODS": pods(entries.cluster()) if nodes else "",
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in parameters.items()]
    return "".join(lines) + LOOK

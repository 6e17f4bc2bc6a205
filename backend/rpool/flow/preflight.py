"""The preflight: whether servers can do their part, before any of them is claimed.

All of them are inspected at once, and try whether they reach each other. What is in the way of any
is told together, server by server: whoever puts it right wants to go there once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rpool.advice import Do
from rpool.decide.inspection import Findings, Seen, errors, warnings
from rpool.decide.trials import trials
from rpool.errors import CommandFailed, Refused, RpoolError
from rpool.flow.neighbours import whose_vip
from rpool.model.inspection import Inspected, Trial
from rpool.model.pool import PoolSpec
from rpool.model.server import Fleet, Role, Roles, ServerName
from rpool.model.world import World

AT_ONCE = 24
"""Workers that are inspected together: all of a trial have to run at the same time."""

PATIENCE_SECONDS = (4.0, 10.0)
"""How long servers wait for each other, and how long once more where that was not enough: a busy
one may have begun late.
"""

MOST_VERSIONS = 50
"""How many an error names."""


def unfit(
    spec: PoolSpec, joining: Roles, members: Roles, world: World, warn: Callable[[str], None]
) -> Findings:
    """What keeps the `joining` servers from it, in sentences about each. `members` are in the
    cluster already. What does not keep them from it is a warning.
    """
    findings: Findings = {}
    seen: dict[ServerName, Inspected] = {}
    for group in _groups(joining):
        inspected, silent = _inspect(trials(spec, group, members), world)
        seen |= inspected
        findings |= errors(spec, group, inspected)
        for name, why in silent.items():  # one out of reach fails when it is claimed
            if name in group and isinstance(why, CommandFailed):
                findings[name] = [f"{why.summary}: {why.detail}".rstrip(":. ")]
    for sentence in warnings(spec, joining, seen):
        warn(f"{sentence}.")
    return findings


def refused(summary: str, findings: Findings, others: list[str]) -> Refused:
    """The error of a change that nothing was done of yet; `others` are about no server alone."""
    lines = [
        f"  {name}: {sentence}."
        for name, sentences in sorted(findings.items())
        for sentence in sentences
    ]
    lines += [f"  {sentence}." for sentence in others]
    advice = f"\n{Do.PUT_RIGHT.text()}" if findings else ""
    listed = "\n".join(lines)
    return Refused(summary, f"Nothing was changed. What is in the way:\n{listed}{advice}")


def vip_in_use(spec: PoolSpec, world: World, through: ServerName, fleet: Fleet) -> list[str]:
    """A sentence if the virtual IP is in use, with the cluster that has it if that is known: a
    zombie that still holds it would fight for it.
    """
    vip = spec.control_plane.endpoint.vip
    if vip is None or not world.address_answers(through, vip):
        return []
    problem = f"vip {vip} is in use: something answers ARP for it on the network of {through}"
    return [f"{problem}. {whose_vip(spec, fleet, world)}".rstrip(" .")]


def version_missing(spec: PoolSpec, world: World, through: ServerName) -> list[str]:
    """A sentence if there is no package of the version for the servers, as `through` sees it."""
    wanted = spec.kubernetes_version
    minor = wanted.rpartition(".")[0]
    packages = world.kubernetes_packages(through, minor)
    if wanted in packages.versions:
        return []
    if packages.unread:
        return [f"{through} cannot read the package repository of {minor}: {packages.unread}"]
    available = ", ".join(sorted(packages.versions)[:MOST_VERSIONS])
    problem = f"there is no package kubeadm {wanted} for {through}; of {minor} there is {available}"
    return [problem] if available else []


def _groups(joining: Roles) -> Iterator[Roles]:
    """Yields groups small enough to be tried at once, with the control planes in each."""
    control_planes = {name: role for name, role in joining.items() if role is Role.CONTROL_PLANE}
    workers = [name for name in joining if name not in control_planes]
    for at in range(0, max(1, len(workers)), AT_ONCE):
        yield {**control_planes, **dict.fromkeys(workers[at : at + AT_ONCE], Role.WORKER)}


def _inspect(
    parts: Mapping[ServerName, Trial], world: World
) -> tuple[Seen, dict[ServerName, RpoolError]]:
    """What each server showed, and why others did not. All try once more if some did not meet."""
    for seconds in PATIENCE_SECONDS:
        seen, silent = _at_once(parts, world, seconds)
        cut = any(peer in seen for inspected in seen.values() for peer, _ in inspected.cut)
        if not cut and not any(inspected.narrow or inspected.used for inspected in seen.values()):
            break
    return seen, silent


def _at_once(
    parts: Mapping[ServerName, Trial], world: World, seconds: float
) -> tuple[dict[ServerName, Inspected], dict[ServerName, RpoolError]]:
    word = secrets.token_hex(8)

    def ask(name: ServerName) -> Inspected | RpoolError:
        try:
            return world.inspect(name, replace(parts[name], seconds=seconds, word=word))
        except RpoolError as error:
            return error

    with ThreadPoolExecutor(max(1, len(parts)), thread_name_prefix="inspect") as pool:
        answers = dict(zip(parts, pool.map(ask, parts), strict=True))
    seen = {n: answer for n, answer in answers.items() if isinstance(answer, Inspected)}
    return seen, {n: answer for n, answer in answers.items() if isinstance(answer, RpoolError)}

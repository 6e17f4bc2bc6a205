"""Parses configuration with parts still unknown, and reports all of its mistakes at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rpool.config.groups import ONE_OF_THESE, Tolerate, twice
from rpool.config.models import PoolModel, SiteModel
from rpool.config.problems import null_entries, validated
from rpool.config.values import SUPPORTED_MINORS
from rpool.errors import Path, Problem, SpecError, known, touches
from rpool.model import pool, site
from rpool.model.secret import may_be_key


def parse_site(config: Mapping[str, Any], unknown: Collection[Path] = ()) -> site.SiteConfig | None:
    """The site in a provider block, or None while too much of it is unknown. Raises SpecError."""
    fleet = config.get("fleet")
    servers = fleet if isinstance(fleet, Mapping) else {}
    problems = list(_null_servers(servers))
    model, wrong = validated(SiteModel, config, unknown)
    problems += known(wrong, [problem.path for problem in problems])
    unsure = {*unknown, *(problem.path for problem in problems)}
    if model is None:  # a mistake hides no others: check the rest without it
        model, _ = validated(SiteModel, _without(config, {_entry(path) for path in unsure}), unsure)
    if model is not None and not any(path[0] in _SERVERS for path in unknown):
        unclear = known(_which_servers(model), unsure)
        alike = [*_shared(model, "address"), *_shared(model, "host_key")]
        problems += unclear + known(alike if unclear else [*alike, *_keyless(model)], unsure)
    if model is not None:
        problems += known(_insecure(model), unsure)
    if problems:
        raise SpecError(problems)
    return None if any(path[0] in _SERVERS for path in unknown) or model is None else model.build()


def _null_servers(fleet: Mapping[str, Any]) -> Iterator[Problem]:
    """Mistakes: servers that are null. Elsewhere null is "not set"."""
    for name, server in fleet.items():
        if server is None:
            where: Path = ("fleet",) if may_be_key(name) else ("fleet", name)
            summary = f"{'.'.join(map(str, where))} has no settings: it is null"
            yield Problem(where, summary, "Give its address, cores, memory and zone.")


def _entry(path: Path) -> Path:
    """The part of a site to leave out for a mistake at `path`, so that the rest can be checked."""
    return path[:2] if path[:1] == ("fleet",) else path[:1]


def _without(config: Mapping[str, Any], paths: Collection[Path]) -> dict[Any, Any]:
    """The configuration without the values at these paths."""
    return {
        key: _without(value, [path[1:] for path in paths if path[:1] == (key,)])
        if isinstance(value, Mapping)
        else value
        for key, value in config.items()
        if (key,) not in paths
    }


_SERVERS = frozenset({"fleet", "ssh", "simulate"})
"""The settings that say which servers a site has, and whether they are simulated."""


def _which_servers(model: SiteModel) -> Iterator[Problem]:
    """Mistakes: real servers need fleet and ssh, simulated ones a number or a fleet."""
    simulate = model.simulate
    if simulate is None and model.fleet is None:
        yield Problem(
            ("fleet",),
            "fleet is required" if model.ssh else "this provider block has no servers",
            "For your own servers, set fleet and ssh. For simulated ones, to learn and to test, "
            "set simulate { servers = 12 } instead.",
            also=(("simulate",),),
        )
    elif simulate is None and model.ssh is None:
        yield Problem(
            ("ssh",),
            "ssh is required",
            "It says how the servers in fleet are reached. To simulate them instead: simulate {}.",
            also=(("simulate",),),
        )
    elif simulate is None and model.ssh is not None and model.ssh.private_key is None:
        yield Problem(
            ("ssh", "private_key"),
            "ssh.private_key is required",
            "The key's text: an ephemeral variable, or file(...).",
        )
    elif simulate is not None and simulate.servers is None and model.fleet is None:
        yield Problem(
            ("simulate",),
            "simulate has no servers",
            "Say how many, as in simulate { servers = 12 }, or declare them in fleet.",
            also=(("fleet",),),
        )
    elif simulate is not None and simulate.servers is not None and model.fleet is not None:
        yield Problem(
            ("simulate", "servers"),
            "simulate.servers and fleet exclude each other",
            "simulate {} simulates the servers in fleet; without fleet, simulate.servers says "
            "how many there are.",
        )


def _shared(model: SiteModel, attribute: str) -> Iterator[Problem]:
    """Mistakes: entries with one address or host key, which are one server under two names."""
    same: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, server in sorted((model.fleet or {}).items()):
        if (value := getattr(server, attribute)) is not None:
            same[value, server.port if attribute == "address" else 0].append(name)
    for names in same.values():
        if len(names) > 1:
            *others, last = _at_most_eight(names)
            summary = f"servers {', '.join(others)} and {last} have the same {attribute}"
            yield Problem(("fleet", names[1], attribute), summary, "Each server needs its own.")


def _keyless(model: SiteModel) -> Iterator[Problem]:
    servers = sorted((model.fleet or {}).items()) if model.simulate is None else []
    names = [name for name, server in servers if server.host_key is None]
    if names:
        of = f"for {', '.join(_at_most_eight(names))}" if len(names) > 1 else f"for {names[0]}"
        address = dict(servers)[names[0]].address
        yield Problem(
            ("fleet", names[0]),
            f"host_key is missing {of}",
            "No other key is accepted from a server. Ask for it, and compare it with "
            f"/etc/ssh/ssh_host_ed25519_key.pub on the server: ssh-keyscan -t ed25519 {address}",
        )


def _insecure(model: SiteModel) -> Iterator[Problem]:
    mirrors = model.mirrors
    if (mirrors.images or "").startswith("http:") and not mirrors.insecure_images:
        yield Problem(
            ("mirrors", "images"),
            "mirrors.images is an http address: anyone on the path to it can change what runs "
            "on the servers",
            "Use https. Where the network itself is trusted: insecure_images = true.",
            also=(("mirrors", "insecure_images"),),
        )


def _at_most_eight(names: list[str]) -> list[str]:
    """At most eight names, and how many more there are."""
    return names if len(names) <= 8 else [*names[:7], f"{len(names) - 7} more"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A request, as far as it is known and valid. `spec` has stand-ins for other required values,
    and is None if it cannot be built at all. `unknown` are the paths that rules must not judge.
    """

    spec: pool.PoolSpec | None
    unknown: Collection[Path]
    problems: list[Problem]


def parse_pool(config: Mapping[str, Any], unknown: Collection[Path] = ()) -> pool.PoolSpec | None:
    """The request in an `rpool_cluster`, or None while too much of it is unknown.

    Raises SpecError. `rpool.decide.rules` checks for contradictions between attributes.
    """
    draft = parse_draft(config, unknown)
    if draft.problems:
        raise SpecError(draft.problems)
    is_incomplete = any(touches(path, unknown) for path, _ in _STAND_INS)
    return None if is_incomplete or draft.unknown != frozenset(unknown) else draft.spec


def parse_draft(config: Mapping[str, Any], unknown: Collection[Path] = ()) -> Draft:
    """The request as far as it is known, and its mistakes. No mistake hides another."""
    problems = list(null_entries(config, ("selector", "labels"), ("metallb", "pools")))
    model, wrong = validated(PoolModel, _with_stand_ins(config, unknown), unknown)
    problems += known(wrong, [problem.path for problem in problems])
    left_out = {_setting(problem.path) for problem in problems}
    while model is None:  # leave out what is wrong or unknown, and what needs it
        rest = _with_stand_ins(_without(config, left_out), {*unknown, *left_out})
        model, wrong = validated(PoolModel, rest, ())
        also_out = {_present_part(_setting(problem.path), rest) for problem in wrong} - left_out
        if model is None and not also_out:
            return Draft(None, frozenset({*unknown, *left_out}), problems)
        left_out |= also_out
    unsure = frozenset({*unknown, *left_out})
    return Draft(model.build(), unsure, [*problems, *known(_one_of_two(model), unsure)])


def _setting(path: Path) -> Path:
    """The path up to its first list index: the setting that holds the list."""
    indexes = [at for at, step in enumerate(path) if isinstance(step, int)]
    return path[: indexes[0]] if indexes else path


def _present_part(path: Path, config: Mapping[str, Any]) -> Path:
    """The part of a path that the configuration has, one step at least."""
    inner: Any = config
    for at, step in enumerate(path):
        if not isinstance(inner, Mapping) or inner.get(str(step)) is None:
            return path[: max(at, 1)]
        inner = inner[str(step)]
    return path


_STAND_INS: tuple[tuple[Path, Any], ...] = (
    (("name",), "unknown"),
    (("kubernetes_version",), f"1.{SUPPORTED_MINORS[0]}.0"),
    (("cores",), 1),
    (("memory",), 1),
    (("control_plane", "servers"), 1),
    (("control_plane", "endpoint", "vip"), "192.0.2.1"),
)


def _with_stand_ins(config: Mapping[str, Any], unknown: Collection[Path]) -> dict[str, Any]:
    drafted: dict[Any, Any] = dict(config)
    for (*way, last), value in _STAND_INS:
        if not touches((*way, last), unknown):
            continue
        parent = drafted
        for step in way:
            parent[step] = dict(parent.get(step) or {})
            parent = parent[step]
        parent[last] = value if parent.get(last) is None else parent[last]
    return drafted


def _one_of_two(model: PoolModel) -> Iterator[Problem]:
    endpoint = model.control_plane.endpoint
    if (endpoint.vip is None) == (endpoint.address is None):
        yield Problem(
            ("control_plane", "endpoint"),
            "endpoint needs exactly one of vip and address",
            "vip: rpool keeps the address on a control plane. address: your load balancer's.",
        )
    api_server = model.api_server
    if api_server.oidc is None and (
        oidc_flags := [n for n in api_server.flags if n.startswith("oidc-")]
    ):
        yield Problem(
            ("api_server", "flags"),
            f"{oidc_flags[0]} needs oidc",
            "Set in api_server.oidc which issuer's tokens are accepted.",
            also=(("api_server", "oidc"),),
        )
    tolerates: dict[Path, Tolerate] = {("tolerate",): model.tolerate}
    tolerates |= {("workers", n, "tolerate"): group.tolerate for n, group in model.workers.items()}
    for path, tolerate in tolerates.items():
        if tolerate.servers and tolerate.zones:
            yield Problem(
                path,
                "tolerate takes either servers or zones",
                "servers: that many workers may be lost. zones: all workers in that many zones.",
            )
    for name, group in model.workers.items():
        if summary := twice(group.taint):
            yield Problem(("workers", name, "taint"), summary, ONE_OF_THESE)

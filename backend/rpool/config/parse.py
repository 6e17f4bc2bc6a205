"""Reading configuration with parts still unknown, and all of its mistakes at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rpool.config.models import SERVER_SETTINGS, PoolModel, SiteModel
from rpool.errors import Path, Problem, SpecError, known, touches
from rpool.model import pool, site
from rpool.model.secret import may_be_key

M = TypeVar("M", bound=BaseModel)


def parse_site(config: Mapping[str, Any], unknown: Collection[Path] = ()) -> site.SiteConfig | None:
    """The site in a provider block, or None while too much of it is unknown. Raises SpecError."""
    _raise_if(list(_null_servers(config)))
    model = checked(SiteModel, config, unknown)
    if model is None or any(path[0] in _SERVERS for path in unknown):
        return None
    _raise_if(list(_which_servers(model)))
    _raise_if([*_shared(model, "address"), *_shared(model, "host_key"), *_keyless(model)])
    return model.build()


def _null_servers(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Null is "not set" everywhere else; a server without anything is a mistake."""
    fleet = config.get("fleet")
    for name, its in fleet.items() if isinstance(fleet, Mapping) else ():
        if its is None:
            where: Path = ("fleet",) if may_be_key(name) else ("fleet", name)
            summary = f"{'.'.join(map(str, where))} has no settings: it is null"
            yield Problem(where, summary, "Give its address, cores, memory and zone.")


_SERVERS = frozenset({"fleet", "ssh", "simulate"})
"""What says which servers a site has, and how real they are."""


def _which_servers(model: SiteModel) -> Iterator[Problem]:
    """Real servers need fleet and ssh, modelled ones a number or a fleet."""
    simulate = model.simulate
    if simulate is None and model.fleet is None:
        yield Problem(
            ("fleet",),
            "fleet is required" if model.ssh else "this provider block has no servers",
            "Your own servers: set fleet and ssh. Modelled ones, to learn and to test: set "
            "simulate { servers = 12 } instead.",
        )
    elif simulate is None and model.ssh is None:
        yield Problem(
            ("ssh",),
            "ssh is required",
            "It says how the servers in fleet are reached. To model them instead: simulate {}.",
        )
    elif simulate is not None and simulate.servers is None and model.fleet is None:
        yield Problem(
            ("simulate",),
            "simulate has no servers to model",
            "Say how many, as in simulate { servers = 12 }, or declare them in fleet.",
        )
    elif simulate is not None and simulate.servers is not None and model.fleet is not None:
        yield Problem(
            ("simulate", "servers"),
            "simulate.servers and fleet exclude each other",
            "simulate {} models the servers in fleet; without fleet, simulate.servers says how "
            "many there are.",
        )


def _keyless(model: SiteModel) -> Iterator[Problem]:
    if model.simulate is None:
        for name, server in sorted((model.fleet or {}).items()):
            if server.host_key is None:
                path = ("fleet", name, "host_key")
                yield Problem(path, f"{'.'.join(path)} is required", "No other key is accepted.")


def parse_pool(config: Mapping[str, Any], unknown: Collection[Path] = ()) -> pool.PoolSpec | None:
    """The request in an `rpool_cluster`, or None while too much of it is unknown.

    Raises SpecError. Contradictions between attributes are `rpool.decide.rules`' to find.
    """
    draft = parse_draft(config, unknown)
    return None if any(touches(path, unknown) for path, _ in _STAND_INS) else draft


def parse_draft(config: Mapping[str, Any], unknown: Collection[Path] = ()) -> pool.PoolSpec | None:
    """The request with stand-ins for what it needs and nobody knows yet, so that rules about the
    rest can be kept. None if not even that can be made. Raises as `parse_pool`.
    """
    model = checked(PoolModel, _with_stand_ins(config, unknown), unknown)
    if model is None:
        return None
    _raise_if(known(_one_of_two(model), unknown))
    return model.build()


_STAND_INS: tuple[tuple[Path, Any], ...] = (
    (("name",), "unknown"),
    (("kubernetes_version",), "1.0.0"),
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
    if model.tolerate.servers and model.tolerate.zones:
        yield Problem(
            ("tolerate",),
            "tolerate takes either servers or zones",
            "servers: any so many of the workers. zones: all workers in any so many zones.",
        )


def _shared(model: SiteModel, attribute: str) -> list[Problem]:
    """Two entries with one address or host key are one server under two names."""
    first: dict[tuple[str, int], str] = {}
    problems = []
    for name, server in sorted((model.fleet or {}).items()):
        value = getattr(server, attribute)
        if value is None:
            continue
        other = first.setdefault((value, server.port if attribute == "address" else 0), name)
        if other != name:
            summary = f"servers {other} and {name} have the same {attribute}"
            problems.append(Problem(("fleet", name, attribute), summary, "Each is one machine."))
    return problems


def _raise_if(problems: list[Problem]) -> None:
    if problems:
        raise SpecError(problems)


def checked(model: type[M], config: Mapping[str, Any], unknown: Collection[Path]) -> M | None:
    try:
        return model.model_validate(_without_null(config))
    except ValidationError as error:
        problems = [
            _problem(details)
            for details in error.errors(include_url=False, include_input=False)
            if not touches(_path(details), unknown)
        ]
        _raise_if(problems)
        return None


def _without_null(value: Any) -> Any:
    """Null is "not set": the default applies."""
    if isinstance(value, Mapping):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_null(item) for item in value]
    return value


def _path(details: ErrorDetails) -> Path:
    """pydantic marks a bad map key by an extra "[key]": the path is then the map's entry."""
    return tuple(part for part in details["loc"] if part != "[key]")


def _problem(details: ErrorDetails) -> Problem:
    path = tuple(takewhile(lambda part: not may_be_key(str(part)), _path(details)))
    where = ".".join(str(part)[:60] for part in path) or "the configuration"
    if path != _path(details):
        where += ": an entry whose name may be a key"
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            summary = f"{where} is required"
        case "value_error":
            summary = f"{where}: {context['error']}"
        case "greater_than_equal":
            summary = f"{where} must be at least {context['ge']}"
        case "less_than_equal":
            summary = f"{where} must be at most {context['le']}"
        case "too_short":
            summary = f"{where} must not be empty"
        case "extra_forbidden":
            return Problem(path, f"{where} is no setting", _meant(path))
        case kind if kind in _KINDS:
            summary = f"{where} must be {_KINDS[kind]}"
        case _:
            summary = f"{where}: {details['msg']}"
    hint = _FLEET_HINT if path == ("fleet",) and details["type"] == "dict_type" else ""
    return Problem(path, summary, hint)


_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map of settings",
}
_FLEET_HINT = 'From a file: fleet = yamldecode(file("fleet.yaml")). Its keys are names of servers.'


def _meant(path: Path) -> str:
    """What may have been meant by a setting that a server does not have. (What a block does not
    have Terraform itself refuses.)
    """
    if path[:1] != ("fleet",) or len(path) != len(("fleet", "server", "setting")):
        return ""
    near = get_close_matches(str(path[-1]), SERVER_SETTINGS, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return f"{meant}A server has: {', '.join(SERVER_SETTINGS)}."

"""Configurations with a part that is not known before something else is applied. Pure."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from random import Random
from typing import Any

import msgpack

from protocol.cluster_calls import UNKNOWN
from protocol.random_edits import Config, Place, placed
from protocol.site_config import Expression

NOT_NULL = msgpack.ExtType(12, b"\x81\x01\xc2")
"""An unknown value that Terraform knows not to be null."""

_SCALARS: tuple[Place, ...] = (
    ("name",), ("kubernetes_version",), ("cores",), ("memory",), ("deletion_protection",),
    ("trust",),
    ("tolerate", "servers"), ("tolerate", "zones"), ("control_plane", "servers"),
    ("control_plane", "endpoint", "vip"), ("control_plane", "endpoint", "address"),
    ("selector", "zones"), ("selector", "labels"), ("metallb", "pools"),
    ("networking", "pod_cidr"), ("networking", "service_cidr"), ("networking", "cni"),
    ("drain", "timeout"), ("drain", "on_timeout"), ("kubeadm", "kubelet"),
    ("kubeadm", "ignore_preflight_errors"), ("api_server", "audit_policy"),
    ("api_server", "extra_sans"), ("api_server", "flags"), ("timeouts", "create"),
    ("timeouts", "update"),
)  # fmt: skip
_ALWAYS_THERE = "networking"
_BLOCKS = (
    "tolerate", "selector", "metallb", "drain", "kubeadm", "api_server", "control_plane",
    "networking",
)  # fmt: skip


def partly_unknown(chance: Random, config: Config, edited: Collection[Place] = ()) -> Config:
    """The same with values of the wire that are not known, preferably at edited places. Seldom a
    whole block is not known (`dynamic` in Terraform).
    """
    unsure = copy.deepcopy(config)
    for place in _hidden(chance, config, edited):
        is_set = _value(config, place) is not None
        placed(unsure, place, chance.choice([UNKNOWN, UNKNOWN, NOT_NULL]) if is_set else UNKNOWN)
    here = [place[0] for place in edited if place[0] in _BLOCKS]
    if chance.random() < (0.2 if here else 0.05):
        unsure[chance.choice(here or _BLOCKS)] = UNKNOWN
    return unsure


def known_later(
    chance: Random, config: Config, edited: Collection[Place], resource: str
) -> tuple[Config, dict[str, Any]]:
    """The same in HCL, with values that come out of a terraform_data; and what goes into it."""
    later, inputs = copy.deepcopy(config), dict[str, Any]()
    for place in _hidden(chance, config, edited):
        inputs[f"v{len(inputs)}"] = _value(config, place)
        placed(later, place, Expression(f"{resource}.output.v{len(inputs) - 1}"))
    return later, inputs


def _hidden(chance: Random, config: Config, edited: Collection[Place]) -> list[Place]:
    """Some places; none lies within another."""
    places = list(_places(config))
    if chance.random() < 0.6:  # a value that is new comes from a resource that changes with it
        here = [place for place in places if any(place[: len(e)] == e for e in edited)]
        places = here or places
    chosen = chance.sample(places, min(len(places), chance.choice([1, 1, 2, 3])))
    return [
        place for place in chosen if not any(place[: len(o)] == o for o in chosen if o != place)
    ]


def _places(config: Config) -> Iterator[Place]:
    """Attributes, set or not, of the blocks that are there; elements of lists, sets and maps."""
    for place in _SCALARS:
        if len(place) == 1 or place[0] in config or place[0] == _ALWAYS_THERE:
            yield place
    pools = _value(config, ("metallb", "pools")) or {}
    for name, ranges in pools.items():
        yield ("metallb", "pools", name)
        yield from (("metallb", "pools", name, number) for number in range(len(ranges)))
    zones = _value(config, ("selector", "zones")) or ()
    yield from (("selector", "zones", number) for number in range(len(zones)))
    yield from (("selector", "labels", key) for key in _value(config, ("selector", "labels")) or ())


def _value(config: Any, place: Place) -> Any:
    for step in place:
        if isinstance(config, dict):
            config = config.get(step)
        elif config is not None:
            config = config[step]
    return config

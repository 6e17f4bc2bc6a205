"""Random edits of what a user has written: clusters, nodes and the fleet. Pure, by a `Random`.

An edit sets a place in a cluster's block to one of the values that `settings` has for it. Some are
the same in another spelling, some replace the cluster, some are refused in place, a few are
mistakes. The provider's answers must be in order for each of them.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from protocol.site_config import cluster, server, site

Config = dict[str, Any]
Place = tuple[str | int, ...]

LABELS = ("batch", "other", "third")
"""The labels of clusters in Terraform; the number of one gives it its addresses."""

FEWEST, MOST = 12, 16
"""Servers of the fleet, between which it is kept."""

GPU = "g1"
"""The server that is reserved, for an rpool_node."""

TEAM = "team-a"
"""A domain of trust; most servers and clusters are in none."""


@dataclass(frozen=True)
class Written:
    """A whole configuration. `last` is the number of the newest server: none is used again."""

    clusters: Mapping[str, Config]
    fleet: Mapping[str, Config]
    node_of: str | None = None
    last: int = FEWEST

    @property
    def site(self) -> Config:
        return site() | {"fleet": dict(self.fleet)}


@dataclass(frozen=True)
class Edit:
    """The new configuration, and the edit in words; in a cluster, also which one and where."""

    words: str
    written: Written
    label: str = ""
    places: tuple[Place, ...] = ()


def beginning() -> Written:
    fleet = {f"s{number}": _server(number) for number in range(1, FEWEST + 1)}
    fleet[GPU] = server(200, reserved=True)
    return Written({LABELS[0]: new(LABELS[0])}, fleet)


def new(label: str) -> Config:
    """A cluster as it is first written."""
    number = LABELS.index(label)
    endpoint = {"vip": f"10.0.1.{200 + number}"}
    return cluster(
        name=label, cores=8, memory=32, control_plane={"servers": 1, "endpoint": endpoint}
    )


def _server(number: int) -> Config:
    labels = {"labels": {"disk": "nvme"}} if number % 2 else {}
    return server(number, **labels)


# -- what a cluster's block may say --------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """Values by place. `refused` are those that no cluster changes to in place."""

    in_place: Mapping[Place, Sequence[Any]]
    replacing: Mapping[Place, Sequence[Any]]
    refused: Mapping[Place, Sequence[Any]]
    mistakes: Mapping[Place, Sequence[Any]]


def settings(number: int) -> Settings:
    """For the cluster of that number. None: the place is left out."""
    low = f"10.0.{10 + number}"
    ranges = (f"{low}.1-{low}.9", f"{low}.1 - {low}.9", f"{low}.16/28", f"{low}.16-{low}.31")
    in_place: dict[Place, Sequence[Any]] = {
        ("cores",): (1, 8, 9, 16, 24, 32),
        ("memory",): (1, 16, 32, 64, 96),
        ("control_plane", "servers"): (1, 3, 3, 5),
        ("tolerate",): (None, {}, {"servers": 0}, {"servers": 1}, {"zones": 0}, {"zones": 1}),
        ("selector",): (
            None, {}, {"labels": {}}, {"labels": {"disk": "nvme"}},
            {"zones": ["rack1", "rack2"]}, {"zones": ["rack2", "rack1", "rack2"]},
            {"zones": ["rack3", "rack2", "rack1"], "labels": {}},
        ),
        ("metallb",): (
            None,
            *({"pools": {"default": [addresses]}} for addresses in ranges),
            {"pools": {"a": [ranges[0], ranges[2]], "b": [f"{low}.40/32"]}},
            {"pools": {"b": [f"{low}.40-{low}.40"], "a": [ranges[2], ranges[0]]}},
        ),
        ("drain",): (
            None, {}, {"timeout": "10m"}, {"timeout": "600s"}, {"on_timeout": "fail"},
            {"on_timeout": "evict_anyway"}, {"timeout": "9m60s", "on_timeout": "fail"},
        ),
        ("timeouts",): (None, {}, {"create": "60m"}, {"update": "1h", "delete": "45m"}),
        ("deletion_protection",): (None, None, False, False, False, True),
        ("networking",): (
            None, {}, {"cni": "flannel"}, {"pod_cidr": "10.244.0.0/16"},
            {"pod_cidr": "10.244.0.0/16", "service_cidr": "10.96.0.0/12", "cni": "flannel"},
        ),
        ("kubeadm",): (None, {}, {"ignore_preflight_errors": []}),
        ("api_server",): (None, {}, {"pod_security": "baseline"}, {"extra_sans": [], "flags": {}}),
    }  # fmt: skip
    replacing: dict[Place, Sequence[Any]] = {
        ("name",): (LABELS[number], f"{LABELS[number]}-b"),
        ("networking",): ({"cni": "none"}, {"pod_cidr": "10.245.0.0/16"}),
        ("networking", "service_cidr"): (None, "10.96.0.0/12", "10.112.0.0/16"),
        ("control_plane", "endpoint"): (
            {"vip": f"10.0.1.{200 + number}"}, {"vip": f"10.0.1.{210 + number}"},
            {"address": f"api{number}.example.org:6443"},
        ),
    }  # fmt: skip
    refused: dict[Place, Sequence[Any]] = {
        ("kubernetes_version",): ("1.36.3", "1.36.4", "1.35.0"),
        ("kubeadm",): ({"kubelet": "maxPods: 200"}, {"ignore_preflight_errors": ["Swap"]}),
        ("trust",): (None, TEAM),
        ("api_server",): ({"flags": {"event-ttl": "2h"}}, {"pod_security": "restricted"}),
    }
    mistakes: dict[Place, Sequence[Any]] = {
        ("cores",): (0, 400, 2.5),
        ("control_plane", "servers"): (2, 7),
        ("tolerate",): ({"servers": 1, "zones": 1}, {"zones": 3}),
        ("selector",): ({"zones": []}, {"zones": ["attic"]}, {"labels": {"disk": None}}),
        ("metallb",): ({"pools": {}}, {"pools": {"a": [f"{low}.9-{low}.1"]}}, {"pools": None}),
        ("control_plane", "endpoint"): ({}, {"vip": "10.0.0.3"}, {"vip": "10.0.1.201"}),
        ("drain",): ({"timeout": "2h"}, {"timeout": "soon"}),
        ("networking",): ({"pod_cidr": "10.0.0.0/16"}, {"cni": "magic"}),
        ("name",): ("Batch", None),
        ("trust",): ("", "Team A"),
    }
    return Settings(in_place, replacing, refused, mistakes)


def placed(config: Config, place: Place, value: Any) -> None:
    """Set a value; blocks around it are added where they are missing. None removes it."""
    inner: Any = config
    for step in place[:-1]:
        inner = inner.setdefault(step, {}) if isinstance(inner, dict) else inner[step]
    if value is None and isinstance(inner, dict):
        inner.pop(place[-1], None)
    else:
        inner[place[-1]] = copy.deepcopy(value)


# -- one edit ------------------------------------------------------------------------------------


def edited(
    chance: Random, written: Written, members: Collection[str] = (), clusters: int = 1
) -> Edit:
    """The next edit. `members` are servers in use, which fleet edits prefer. There are at most so
    many `clusters`, and a node only where there may be several.
    """
    kinds = {_a_setting: 80, _of_the_fleet: 14, _another_cluster: 3 * clusters}
    if clusters > 1:
        kinds[_the_node] = 6
    (kind,) = chance.choices(list(kinds), list(kinds.values()))
    if not written.clusters:
        kind = _another_cluster
    return kind(_Edited(chance, written, tuple(sorted(members)), clusters))


@dataclass(frozen=True)
class _Edited:
    chance: Random
    written: Written
    members: tuple[str, ...]
    clusters: int


def _a_setting(edit: _Edited) -> Edit:
    """Mostly one setting, sometimes several of one cluster at once."""
    chance = edit.chance
    label = chance.choice(sorted(edit.written.clusters))
    config = copy.deepcopy(edit.written.clusters[label])
    choices = settings(LABELS.index(label))
    places, words = list[Place](), list[str]()
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        (values,) = chance.choices(
            [choices.in_place, choices.replacing, choices.refused, choices.mistakes], [84, 9, 3, 4]
        )
        place = chance.choice(sorted(values))
        value = chance.choice(values[place])
        placed(config, place, value)
        places.append(place)
        words.append(f"{label}.{'.'.join(map(str, place))} = {value}")
    clusters = {**edit.written.clusters, label: config}
    written = replace(edit.written, clusters=clusters)
    return Edit(", ".join(words), written, label, tuple(places))


def _another_cluster(edit: _Edited) -> Edit:
    """One that is new, or one less."""
    clusters = dict(edit.written.clusters)
    missing = [label for label in LABELS[: edit.clusters] if label not in clusters]
    node_of = edit.written.node_of
    if missing and (not clusters or edit.chance.random() < 0.6):
        label = edit.chance.choice(missing)
        clusters[label] = new(label)
        words = f"cluster {label} is new"
    else:
        label = edit.chance.choice(sorted(clusters))
        del clusters[label]
        words = f"cluster {label} is gone"
        node_of = None if node_of == label else node_of
    return Edit(words, replace(edit.written, clusters=clusters, node_of=node_of))


def _the_node(edit: _Edited) -> Edit:
    """Put in, moved to another cluster, or taken out."""
    node_of = edit.chance.choice([None, *sorted(edit.written.clusters)])
    return Edit(f"{GPU} is in {node_of}", replace(edit.written, node_of=node_of))


def _of_the_fleet(edit: _Edited) -> Edit:
    """One server's entry."""
    chance, fleet = edit.chance, dict(edit.written.fleet)
    usual = [name for name in fleet if name != GPU]
    marked = [
        name for name in usual if fleet[name].keys() & {"retire", "lost", "reserved", "trust"}
    ]
    number = edit.written.last + 1
    if len(usual) - len(marked) < FEWEST:
        fleet[f"s{number}"] = _server(number)
        return Edit(f"s{number} is new", replace(edit.written, fleet=fleet, last=number))
    if len(usual) > MOST or (marked and chance.random() < 0.3):
        name = chance.choice(sorted(marked or usual))
        del fleet[name]
        return Edit(f"{name} is gone", replace(edit.written, fleet=fleet))
    name = chance.choice([member for member in edit.members if member in usual] + sorted(usual))
    entry = dict(fleet[name])
    what = chance.choice(["retire", "retire", "lost", "lost", "reserved", "trust", *_HARDWARE])
    if what in _HARDWARE:
        entry[what] = chance.choice(_HARDWARE[what])
    elif what in entry:
        del entry[what]
    else:
        entry[what] = TEAM if what == "trust" else True
    if what == "address":  # one that no other server has
        entry[what] = server(1000 + number)["address"]
    fleet[name] = entry
    last = number if what == "address" else edit.written.last
    words = f"{name}.{what} = {entry.get(what)}"
    return Edit(words, replace(edit.written, fleet=fleet, last=last))


_HARDWARE: Mapping[str, Sequence[Any]] = {
    "zone": ("rack1", "rack2", "rack3"),
    "cores": (4, 8, 16),
    "labels": ({}, {"disk": "nvme"}),
    "address": ("",),
}
"""What may change about a server. An address is drawn."""

"""The models of server selection, sizes, labels and taints, for clusters and their groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from rpool.config import values
from rpool.config.base import Model
from rpool.model import pool

EFFECTS = re.compile("NoSchedule|PreferNoSchedule|NoExecute")


class Selector(Model):
    zones: Annotated[
        list[Annotated[str, AfterValidator(values.dns_label(63))]] | None, Field(min_length=1)
    ] = None
    labels: dict[values.LabelKey, values.LabelValue] = Field(default_factory=dict)

    def build(self) -> pool.Selector:
        return pool.Selector(frozenset(self.zones or ()), self.labels)


class Tolerate(Model):
    servers: Annotated[int, Field(ge=0, le=1000)] = 0
    zones: Annotated[int, Field(ge=0, le=100)] = 0

    def build(self) -> pool.Tolerance:
        return pool.Tolerance(self.servers, self.zones)


class Taint(Model):
    key: values.LabelKey
    value: values.LabelValue = ""
    effect: Annotated[
        str,
        AfterValidator(
            values.matching(EFFECTS, 16, "one of NoSchedule, PreferNoSchedule or NoExecute")
        ),
    ]

    def build(self) -> pool.Taint:
        return pool.Taint(self.key, self.value, self.effect)


class Group(Model):
    cores: values.Cores
    memory: values.MemoryGib
    tolerate: Tolerate = Tolerate.model_construct()
    selector: Selector = Selector.model_construct()
    labels: dict[values.NodeLabelKey, values.LabelValue] = Field(default_factory=dict)
    taint: list[Taint] = Field(default_factory=list)

    def build(self) -> pool.Group:
        taints = tuple(taint.build() for taint in self.taint)
        return pool.Group(
            self.cores,
            self.memory,
            self.tolerate.build(),
            self.selector.build(),
            pool.NodeSpec(self.labels, taints),
        )


ONE_OF_THESE = "A node can have only one such taint."

Groups = Annotated[
    dict[Annotated[str, AfterValidator(values.group)], Group], Field(max_length=pool.MOST_GROUPS)
]


def twice(taints: Sequence[Taint]) -> str:
    """What is wrong with these taints together on one Node; "" if nothing is."""
    counted = Counter((taint.key, taint.effect) for taint in taints)
    repeated = next((pair for pair, count in counted.items() if count > 1), None)
    return f"two taints have the key {repeated[0]} and the effect {repeated[1]}" if repeated else ""

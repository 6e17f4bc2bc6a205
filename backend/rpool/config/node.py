"""The model of an `rpool_node`, and what it is built into."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from rpool.config import values
from rpool.config.base import Model
from rpool.config.groups import ONE_OF_THESE, Taint, twice
from rpool.config.problems import validated
from rpool.errors import Path, Problem, SpecError, touches
from rpool.model.claim import CA_PIN
from rpool.model.pool import UID, NodeSpec, PoolUid
from rpool.model.server import ServerName


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """One particular server for the cluster with uid `pool`, with its labels and taints there.
    `ca_pin` is the pin of the cluster's CA, "" where that is not known.
    """

    pool: PoolUid
    server: ServerName
    spec: NodeSpec
    ca_pin: str = ""


class _Node(Model):
    cluster: Annotated[
        str,
        AfterValidator(values.matching(UID, 16, "the id of a cluster, such as 0863513a9c41d07e")),
    ]
    server: values.Name63
    cluster_ca_pin: Annotated[
        str, AfterValidator(values.matching(CA_PIN, 71, "the ca_pin of an rpool_cluster"))
    ] = ""
    labels: dict[values.NodeLabelKey, values.LabelValue] = Field(default_factory=dict)
    taint: list[Taint] = Field(default_factory=list)

    def build(self) -> NodeRequest:
        taints = tuple(taint.build() for taint in self.taint)
        return NodeRequest(
            self.cluster, self.server, NodeSpec(self.labels, taints), self.cluster_ca_pin
        )


def parse_node(config: Mapping[str, Any], unknown: Collection[Path] = ()) -> NodeRequest | None:
    """The request in an `rpool_node`, or None while too much is unknown. Raises SpecError."""
    stands_in = {"cluster": "00000000"} if touches(("cluster",), unknown) else {}
    model, problems = validated(_Node, {**config, **stands_in}, unknown)
    if problems:
        raise SpecError(problems)
    if model is None:
        return None
    if summary := twice(model.taint):
        raise SpecError([Problem(("taint",), summary, ONE_OF_THESE)])
    return None if stands_in else model.build()

"""The names of the CNIs that a cluster can have. The schema names them, so this loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

CniName = Literal["flannel", "none"]
"""What installs the pods' network; with `none` the user does. See `rpool.reach.cni`."""

CNIS: tuple[CniName, ...] = get_args(CniName)
DEFAULT_CNI: CniName = "flannel"
NO_CNI: CniName = "none"


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a CNI needs between servers: a UDP port on each, and kernel modules."""

    udp_port: int
    modules: tuple[str, ...]


OVERLAYS: Mapping[str, Overlay] = {"flannel": Overlay(8472, ("vxlan",))}
"""By CNI name; none for a CNI that the user installs, whose needs are not known."""

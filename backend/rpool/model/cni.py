"""The names of the CNIs that a cluster can have. The schema names them, so this loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

CniName = Literal["flannel", "none"]
"""What installs the network of pods; with `none` the user does. What each is: `rpool.reach.cni`."""

CNIS: tuple[CniName, ...] = get_args(CniName)
DEFAULT_CNI: CniName = "flannel"
NO_CNI: CniName = "none"


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a CNI needs between servers: a UDP port on each, and kernel modules."""

    udp_port: int
    modules: tuple[str, ...]


OVERLAYS: Mapping[str, Overlay] = {"flannel": Overlay(8472, ("vxlan",))}
"""By the name of the CNI; what the user installs is the user's to know."""

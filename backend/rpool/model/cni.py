"""The names of the CNIs that a cluster can have. The schema names them, so this loads nothing."""

from __future__ import annotations

from typing import Literal, get_args

CniName = Literal["flannel", "none"]
"""What installs the network of pods; with `none` the user does. What each is: `rpool.reach.cni`."""

CNIS: tuple[CniName, ...] = get_args(CniName)
DEFAULT_CNI: CniName = "flannel"
NO_CNI: CniName = "none"

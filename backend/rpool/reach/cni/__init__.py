"""CNIs: all that the engine must know of each is in one file here, and nowhere else.

A probe or a reset of a server need not know which CNI its cluster had: `TRACES` has what all of
them leave, and goes with every script that `traces` is a part of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from rpool.errors import Refused
from rpool.model.cni import CNIS, CniName
from rpool.reach.cni.facts import Cni, Install
from rpool.reach.cni.flannel import FLANNEL
from rpool.reach.cni.none import NONE

__all__ = ["KNOWN", "TRACES", "Cni", "Install", "installed", "named"]


def _known(name: CniName) -> Cni:
    match name:
        case "flannel":
            return FLANNEL
        case "none":
            return NONE
        case _:
            assert_never(name)


KNOWN: Mapping[str, Cni] = {name: _known(name) for name in CNIS}


def named(name: str) -> Cni:
    """The CNI of that name. Raises Refused for an unknown one: a name may come from a cluster's
    record, which its administrators can write.
    """
    if name not in KNOWN:
        raise Refused(
            f"{name!r:.60} is no cni that rpool knows",
            "It is from the configuration, or from the record in the cluster (ConfigMap "
            "kube-system/rpool).",
        )
    return KNOWN[name]


def installed(name: str) -> Install:
    """How the CNI of that name is installed. Raises Refused where the user has to install it."""
    install = named(name).install
    if install is None:
        raise Refused(f"with cni {name!r} the network of pods is the user's to install")
    return install


def _all(what: Callable[[Cni], tuple[str, ...]], between: str = " ") -> str:
    return between.join(item for cni in KNOWN.values() for item in what(cni))


TRACES: dict[str, str] = {
    "CNI_CONFIGURATION": _all(lambda cni: cni.configuration),
    "CNI_FOLDERS": _all(lambda cni: cni.folders),
    "CNI_PLUGINS": _all(lambda cni: cni.plugins),
    "CNI_INTERFACES": _all(lambda cni: cni.interfaces, "|"),
    "CNI_CHAINS": _all(lambda cni: cni.chains, "|"),
}
"""Variables of scripts about all known CNIs: paths between spaces, and alternatives of patterns."""

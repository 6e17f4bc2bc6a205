"""Whether etcd of a cluster may be made anew from one member's data, after most were lost. Pure.

Data that only the other members have is lost, and if these live, there are two clusters. So each of
the others must either be silent and marked lost, or answer, so that it can be stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

from rpool.advice import Do
from rpool.decide.membership import lost_in
from rpool.decide.quorum import majority
from rpool.errors import Refused, RpoolError
from rpool.model.observed import Observed
from rpool.model.server import Fleet, Role, ServerName


def why_not_recover(
    pool: Observed, control_planes: Sequence[ServerName], server: ServerName, fleet: Fleet
) -> RpoolError | None:
    """Why etcd cannot be made anew from the data on `server`, or None. `pool` is what was observed
    of the cluster's `control_planes`.
    """
    lost = lost_in(fleet)
    unmarked = sorted(name for name in control_planes if name in pool.silent and name not in lost)
    if server in pool.silent:
        why = pool.silent[server]
        return Refused(
            f"recover_from names {server}, which cannot be reached",
            f"{why.summary}. {why.detail}\n{Do.BRING_BACK.text(servers=server)}",
        )
    claim = pool.claim(server)
    if claim is None or claim.role is not Role.CONTROL_PLANE or not pool.has_joined(server):
        return Refused(
            f"recover_from names {server}, which is no control plane of the cluster",
            f"Name one of {', '.join(control_planes)} that has joined. Nothing was changed.",
        )
    if unmarked:
        names = ", ".join(unmarked)
        return Refused(
            f"etcd is not rebuilt from {server}: {names} may be alive",
            "There would be two clusters with one address, and neither would have what is written "
            f"to the other. Nothing was changed. {Do.BRING_BACK.text(servers=names)}",
        )
    answering = sorted(name for name in control_planes if name in pool.seen)
    if len(answering) >= majority(len(control_planes)):
        return Refused(
            f"etcd is not rebuilt from {server}: {', '.join(answering)} answer, and are enough "
            "for its quorum",
            "Find out there why it does not serve (crictl ps -a, journalctl -u kubelet), and apply "
            "again. Nothing was changed.",
        )
    return None

"""The errors for a cluster that is on no server, or that is one of several with that name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rpool.advice import Do
from rpool.attempt import NoSuchPool
from rpool.errors import Problem, RpoolError, SpecError, Unreachable
from rpool.model.pool import PoolUid
from rpool.model.secret import shown
from rpool.model.server import ServerName


def no_such_cluster(
    wanted: str,
    found: Mapping[PoolUid, str],
    asked: int,
    silent: Mapping[ServerName, str],
    *,
    certain: bool,
) -> RpoolError:
    """The error for a cluster that none of the `asked` servers that answered belongs to. `found`:
    the clusters that have claims on them, names by uid. `silent`: why other servers did not answer.
    `certain`: none of the silent ones may have the cluster.
    """
    if not asked:
        reasons = "\n".join(f"  {why}" for why in silent.values())
        summary = f"cluster {shown(wanted)} cannot be searched for: no server of the fleet answers"
        return Unreachable(summary, reasons)
    names = ", ".join(f"{name} ({uid})" for uid, name in sorted(found.items(), key=_by_name))
    others = f"Clusters that were found, with their uids: {names}." if found else "None was found."
    unasked = f" Not reached: {', '.join(sorted(silent))}." if silent else ""
    count = "1 server was asked" if asked == 1 else f"{asked} servers were asked"
    summary = f"no server of the fleet belongs to a cluster {shown(wanted)}"
    return NoSuchPool(Problem((), summary, f"{count}. {others}{unasked}"), certain=certain)


def several_clusters(wanted: str, where: Mapping[PoolUid, Collection[ServerName]]) -> SpecError:
    """The error for a name that several clusters have; `where`: on which servers."""
    which = "; ".join(f"{uid} on {', '.join(servers)}" for uid, servers in where.items())
    summary = f"{len(where)} clusters are called {wanted}"
    return SpecError([Problem((), summary, f"They are {which}. {Do.CALL_BY_UID.text()}")])


def _by_name(cluster: tuple[PoolUid, str]) -> tuple[str, str]:
    return cluster[1], cluster[0]

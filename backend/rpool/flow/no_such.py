"""What is said of a cluster that is asked for, and is on no server or is one of several."""

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
    """Of `asked` servers that answered, which have claims of the clusters in `found` (names by
    uid). Of those that were `silent` it says why. `certain`: none of these may have the cluster.
    """
    if not asked:
        reasons = "\n".join(f"  {why}" for why in silent.values())
        summary = f"cluster {shown(wanted)} cannot be looked for: no server of the fleet answers"
        return Unreachable(summary, reasons)
    seen = ", ".join(f"{name} ({uid})" for uid, name in sorted(found.items(), key=_by_name))
    there = f"Clusters that were found, with their uids: {seen}." if found else "None was found."
    unasked = f" Not reached: {', '.join(sorted(silent))}." if silent else ""
    count = "1 server was asked" if asked == 1 else f"{asked} servers were asked"
    summary = f"no server of the fleet belongs to a cluster {shown(wanted)}"
    return NoSuchPool(Problem((), summary, f"{count}. {there}{unasked}"), certain=certain)


def several_clusters(wanted: str, where: Mapping[PoolUid, Collection[ServerName]]) -> SpecError:
    """Several have the name, on these servers."""
    which = "; ".join(f"{uid} on {', '.join(servers)}" for uid, servers in where.items())
    summary = f"{len(where)} clusters are called {wanted}"
    return SpecError([Problem((), summary, f"They are {which}. {Do.CALL_BY_UID.text()}")])


def _by_name(its: tuple[PoolUid, str]) -> tuple[str, str]:
    return its[1], its[0]

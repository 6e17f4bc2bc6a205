"""Every server of a site as it is now, and whose: what clusters have let go is told apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rpool.advice import Do
from rpool.decide.membership import ca_of
from rpool.decide.preflight import why_not_usable
from rpool.errors import RpoolError
from rpool.flow.look import reach_api, sweep
from rpool.model.claim import Claim
from rpool.model.pool import PoolUid
from rpool.model.record import Record
from rpool.model.seen import Probed
from rpool.model.server import Fleet, Role, ServerName
from rpool.model.world import World

PATIENCE_SECONDS = 3.0
CLUSTERS_AT_ONCE = 8

Claims = Mapping[ServerName, Claim]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """`probed` is None without contact; `why_no_spare` is None for a spare. `let_go`: the cluster
    whose claim it has counts on it no more.
    """

    probed: Probed | None
    why_no_spare: str | None
    let_go: bool = False


def survey(world: World, fleet: Fleet) -> dict[ServerName, Surveyed]:
    """All servers; one that is out of reach, or silent for 3 s, is data and not an error."""
    found: dict[ServerName, Surveyed] = {}
    claims: defaultdict[PoolUid, dict[ServerName, Claim]] = defaultdict(dict)
    for name, answer in sweep(world, sorted(fleet.servers), PATIENCE_SECONDS):
        if isinstance(answer, RpoolError):
            found[name] = Surveyed(None, answer.summary)
            continue
        found[name] = Surveyed(answer, why_not_usable(fleet.servers[name], answer))
        if answer.claim is not None:
            claims[answer.claim.uid][name] = answer.claim
    for uid, record in _records(world, claims).items():
        for name, claim in claims[uid].items():
            if why := _why_let_go(name, claim, claims[uid], record):
                found[name] = Surveyed(found[name].probed, why, let_go=True)
    return found


def _records(world: World, claims: Mapping[PoolUid, Claims]) -> dict[PoolUid, Record | None]:
    """The record of each cluster, where its API shows one."""

    def record(uid: PoolUid) -> Record | None:
        its = sorted(claims[uid].items())
        heads = {n: c for n, c in its if c.role is Role.CONTROL_PLANE and c.is_member}
        try:
            api, _ = reach_api(world, uid, heads, ca_of(heads))
        except RpoolError:
            return None
        return api.cluster.record if api is not None and api.cluster.record is not None else None

    with ThreadPoolExecutor(CLUSTERS_AT_ONCE, thread_name_prefix="record") as pool:
        return dict(zip(claims, pool.map(record, claims), strict=True))


def _why_let_go(
    name: ServerName, claim: Claim, of_cluster: Claims, record: Record | None
) -> str | None:
    """What became of a server whose cluster counts on it no more; None where it does, or may."""
    cluster = f"cluster {claim.pool} (uid {claim.uid})"
    if record is not None and record.uid == claim.uid and name not in record.members:
        return f"{cluster} has let it go, and it is back with what it had: its next apply wipes it"
    if claim.is_member and not any(its.role is Role.CONTROL_PLANE for its in of_cluster.values()):
        gone = f"claimed by {cluster}, of which no control plane answers"
        return f"{gone}. If that is gone: {Do.RELEASE.text(server=name, uid=claim.uid)}"
    return None

"""Reaching a cluster's API through one of its control planes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import replace

from rpool.errors import NewerFormat, Refused, RpoolError
from rpool.flow.probe import Silent
from rpool.model.observed import Api
from rpool.model.pool import PoolUid
from rpool.model.server import ServerName
from rpool.model.world import World

PATIENCE_SECONDS = 1.0
"""With one control plane, before the others are asked, too."""


def reach_api(
    world: World, uid: PoolUid, control_planes: Iterable[ServerName]
) -> tuple[Api | None, Silent]:
    """The cluster's API through one of these control planes, and why those that were asked in vain
    do not show it. Raises NewerFormat when its record is one that only a newer rpool can read.

    The first is asked, and the others once it shows no record or takes its time: what a look costs
    does not grow with the control plane, and a dead server costs a second. One whose cluster has no
    record yet is taken only if no other shows the cluster's: it may be somebody else's by now.
    """
    names = list(control_planes)
    silent: Silent = {}
    if not names:
        return None, silent
    pool = ThreadPoolExecutor(len(names), thread_name_prefix="observe")
    try:
        asked = {pool.submit(_api, world, names[0]): names[0]}
        (answered, _) = wait(asked, PATIENCE_SECONDS)
        if not any(_shows(uid, future) for future in answered):
            asked |= {pool.submit(_api, world, name): name for name in names[1:]}
        unrecorded: dict[ServerName, Api] = {}
        for future in as_completed(asked):
            name, answer = asked[future], future.result()
            if isinstance(answer, RpoolError):
                silent[name] = answer
            elif _shows(uid, future):
                return _with_etcd(world, answer), silent
            elif answer.cluster.record is None:
                unrecorded[name] = answer
            else:
                silent[name] = _another(name, answer)
        first = next((unrecorded[name] for name in names if name in unrecorded), None)
        return (None if first is None else _with_etcd(world, first)), silent
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _api(world: World, via: ServerName) -> Api | RpoolError:
    try:
        return Api(via, world.observe(via))
    except NewerFormat:
        raise
    except RpoolError as error:
        return error


def _with_etcd(world: World, api: Api) -> Api:
    try:
        return replace(api, etcd=world.etcd_members(api.via))
    except RpoolError:
        return api


def _shows(uid: PoolUid, future: Future[Api | RpoolError]) -> bool:
    answer = future.result()
    if isinstance(answer, RpoolError):
        return False
    record = answer.cluster.record
    return record is not None and record.uid == uid


def _another(name: ServerName, answer: Api) -> RpoolError:
    record = answer.cluster.record
    other = f" {record.spec.name} (uid {record.uid})" if record else ""
    return Refused(f"{name} serves another cluster's API{other}")


def reaches_api(world: World, server: ServerName) -> bool:
    """Whether the API of its cluster answers a server; one that cannot be asked may reach it."""
    try:
        return world.reaches_api(server)
    except RpoolError:
        return True

"""Looking at servers, all at once; what cannot be reached is data, not an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass

from rpool.errors import RpoolError
from rpool.model.pool import PoolUid
from rpool.model.seen import ClockSeen, ClusterSeen, Probed
from rpool.model.server import ServerName
from rpool.model.world import World

AT_ONCE = 32
CLOCK_ERROR_SECONDS = 0.5
"""Half of a probe's time: more, and the clock is asked for again."""

PATIENCE_SECONDS = 1.0
"""With one control plane, before the others are asked, too."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a probe brought, and what that tells of the server's clock."""

    probed: Probed
    clock: ClockSeen


def our_clock() -> float:
    """Seconds since 1970, by a clock that nobody sets while we compare others with it."""
    return _BEGAN + _awake_or_not()


def _awake_or_not() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


_BEGAN = time.time() - _awake_or_not()


def probe_all(
    world: World, servers: Iterable[ServerName], now: Callable[[], float] = our_clock
) -> tuple[dict[ServerName, Sighting], dict[ServerName, RpoolError]]:
    """Probe servers at once: those seen, and why the others could not be (mostly Unreachable; but
    also Refused, by a host key that is not the declared one or a user without sudo).
    """
    names = list(servers)
    seen: dict[ServerName, Sighting] = {}
    lost: dict[ServerName, RpoolError] = {}
    if not names:
        return seen, lost
    with ThreadPoolExecutor(min(AT_ONCE, len(names)), thread_name_prefix="probe") as pool:
        results = pool.map(lambda name: _probe(world, name, now), names)
        for name, result in zip(names, results, strict=True):
            if isinstance(result, Sighting):
                seen[name] = result
            else:
                lost[name] = result
    return seen, lost


def _probe(world: World, server: ServerName, now: Callable[[], float]) -> Sighting | RpoolError:
    """A probe, and a second one if the first was so slow that it tells little of the clock: most of
    the time went into the connection, then, which is there now.
    """
    try:
        first = _timed(world, server, now)
    except RpoolError as error:
        return error
    if first.clock.error_seconds <= CLOCK_ERROR_SECONDS:
        return first
    try:
        second = _timed(world, server, now)
    except RpoolError:
        return first
    return min(first, second, key=lambda sighting: sighting.clock.error_seconds)


def _timed(world: World, server: ServerName, now: Callable[[], float]) -> Sighting:
    """The server looked at its clock at some moment of the probe."""
    before = now()
    probed = world.probe(server)
    half = (now() - before) / 2
    return Sighting(probed, ClockSeen(probed.clock_seconds - before - half, half))


def serving_control_plane(
    world: World, uid: PoolUid, control_planes: Iterable[ServerName]
) -> tuple[ServerName, ClusterSeen] | None:
    """A control plane through which the pool's API answers, and what it showed; None if none does.

    The first is asked, and the others once it shows no record or takes its time: what a look costs
    does not grow with the control plane, and a dead server costs a second. One whose cluster has no
    record yet is taken only if no other shows the pool's: it may be somebody else's by now.
    """
    names = list(control_planes)
    if not names:
        return None
    pool = ThreadPoolExecutor(len(names), thread_name_prefix="observe")
    try:
        asked = {pool.submit(_observe, world, names[0]): names[0]}
        (answered, _) = wait(asked, PATIENCE_SECONDS)
        if not any(_shows(uid, future.result()) for future in answered):
            asked |= {pool.submit(_observe, world, name): name for name in names[1:]}
        unrecorded: dict[ServerName, ClusterSeen] = {}
        for future in as_completed(asked):
            name, cluster = asked[future], future.result()
            if cluster is not None and _shows(uid, cluster):
                return name, cluster
            if cluster is not None and cluster.record is None:
                unrecorded[name] = cluster
        return next(((name, unrecorded[name]) for name in names if name in unrecorded), None)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def reaches_api(world: World, server: ServerName) -> bool:
    """Whether the API of its cluster answers a server; one that cannot be asked may reach it."""
    try:
        return world.reaches_api(server)
    except RpoolError:
        return True


def _shows(uid: PoolUid, cluster: ClusterSeen | None) -> bool:
    return cluster is not None and cluster.record is not None and cluster.record.uid == uid


def _observe(world: World, via: ServerName) -> ClusterSeen | None:
    try:
        return world.observe(via)
    except RpoolError:
        return None

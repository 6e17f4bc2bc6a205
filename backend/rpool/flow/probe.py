"""Probing servers at once. One that cannot be reached is data, not an error, and says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from rpool.errors import Overtaken, RpoolError
from rpool.model.claim import Fence
from rpool.model.observed import Sighting
from rpool.model.seen import ClockSeen
from rpool.model.server import ServerName
from rpool.model.world import World

AT_ONCE = 32
CLOCK_ERROR_SECONDS = 0.5
"""Half of a probe's time: more, and the clock is asked for again."""

Silent = dict[ServerName, RpoolError]


def our_clock() -> float:
    """Seconds since 1970, by a clock that nobody sets while we compare others with it."""
    return _BEGAN + _awake_or_not()


def _awake_or_not() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


_BEGAN = time.time() - _awake_or_not()


def probe_all(
    world: World,
    servers: Iterable[ServerName],
    now: Callable[[], float] = our_clock,
    fence: Fence | None = None,
) -> tuple[dict[ServerName, Sighting], Silent]:
    """Probe servers at once: those seen, and why the others could not be (mostly Unreachable; but
    also Refused, by a host key that is not the declared one or a user without sudo). With a fence,
    nothing of an earlier session changes what was seen. Raises Overtaken where a later one was.
    """
    names = list(servers)
    seen: dict[ServerName, Sighting] = {}
    silent: Silent = {}
    if not names:
        return seen, silent
    with ThreadPoolExecutor(min(AT_ONCE, len(names)), thread_name_prefix="probe") as pool:
        results = pool.map(lambda name: _probe(world, name, now, fence), names)
        for name, result in zip(names, results, strict=True):
            if isinstance(result, Sighting):
                seen[name] = result
            else:
                silent[name] = result
    for error in silent.values():
        if isinstance(error, Overtaken):
            raise error
    return seen, silent


def _probe(
    world: World, server: ServerName, now: Callable[[], float], fence: Fence | None
) -> Sighting | RpoolError:
    """What a probe brought. A first probe that was slow tells little of the server's clock (most of
    its time went into the connection), so a second one follows.
    """
    try:
        first = _timed(world, server, now, fence)
    except RpoolError as error:
        return error
    if first.clock.error_seconds <= CLOCK_ERROR_SECONDS:
        return first
    try:
        second = _timed(world, server, now)
    except RpoolError:
        return first
    return min(first, second, key=lambda sighting: sighting.clock.error_seconds)


def _timed(
    world: World, server: ServerName, now: Callable[[], float], fence: Fence | None = None
) -> Sighting:
    """A probe, and the clock's offset: the server read its clock at some moment of the probe."""
    before = now()
    probed = world.probe(server, fence)
    half = (now() - before) / 2
    return Sighting(probed, ClockSeen(probed.clock_seconds - before - half, half))

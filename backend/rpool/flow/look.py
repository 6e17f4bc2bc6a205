"""Asking servers: many at once, and a cluster's API through one of its control planes.

What cannot be reached is data, not an error, and says why.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from functools import partial
from typing import TypeVar

from rpool.certificates import is_of_ca
from rpool.errors import NewerFormat, Overtaken, Refused, RpoolError, Unreachable
from rpool.model.claim import Fence
from rpool.model.observed import Api, Sighting
from rpool.model.pool import PoolUid
from rpool.model.seen import ClockSeen, Probed
from rpool.model.server import ServerName
from rpool.model.world import Probing, World

AT_ONCE = 32
CLOCK_ERROR_SECONDS = 0.5
"""Half of a probe's time. If it is more, the clock is asked for again."""

Silent = dict[ServerName, RpoolError]

T = TypeVar("T")


def our_clock() -> float:
    """Seconds since 1970, by a clock that nobody sets while we compare others with it."""
    return _BEGAN + _awake_or_not()


def _awake_or_not() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


_BEGAN = time.time() - _awake_or_not()


def probe_all(
    world: Probing,
    servers: Iterable[ServerName],
    now: Callable[[], float] = our_clock,
    fence: Fence | None = None,
) -> tuple[dict[ServerName, Sighting], Silent]:
    """Probe servers at once. Returns sightings, and why other servers could not be probed (mostly
    Unreachable; also Refused, for a host key other than the declared one, or a user without sudo).
    With a fence, no earlier session changes what was seen; raises Overtaken where a later one was.
    """
    probe = partial(_probe, world, now=now, fence=fence)
    seen, silent = ask_at_once(probe, servers)
    for error in silent.values():
        if isinstance(error, Overtaken):
            raise error
    return seen, silent


def ask_at_once(
    ask: Callable[[ServerName], T], servers: Iterable[ServerName]
) -> tuple[dict[ServerName, T], Silent]:
    """What `ask` returns of each server, and the RpoolErrors that it raises of the others."""
    names = list(servers)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ask") as pool:
        answers = dict(zip(names, pool.map(partial(_or_why, ask), names), strict=True))
    answered = {n: answer for n, answer in answers.items() if not isinstance(answer, RpoolError)}
    return answered, {n: answer for n, answer in answers.items() if isinstance(answer, RpoolError)}


def _or_why(ask: Callable[[ServerName], T], server: ServerName) -> T | RpoolError:
    try:
        return ask(server)
    except RpoolError as error:
        return error


def _probe(
    world: Probing, server: ServerName, now: Callable[[], float], fence: Fence | None
) -> Sighting:
    """A sighting of the server. A slow first probe tells little of the server's clock (most of its
    time went into the connection), so a second one follows.
    """
    first = _timed(world, server, now, fence)
    if first.clock.error_seconds <= CLOCK_ERROR_SECONDS:
        return first
    try:
        second = _timed(world, server, now)
    except RpoolError:
        return first
    return min(first, second, key=lambda sighting: sighting.clock.error_seconds)


def _timed(
    world: Probing, server: ServerName, now: Callable[[], float], fence: Fence | None = None
) -> Sighting:
    """A probe, and the clock's offset: the server read its clock at some moment while the probe was
    on its way. The time that the server itself took, by its own clock, is not part of that.
    """
    before = now()
    probed = world.probe(server, fence)
    error_seconds = max(0.0, now() - before - probed.took_seconds) / 2
    return Sighting(probed, ClockSeen(probed.clock_seconds - before - error_seconds, error_seconds))


API_PATIENCE_SECONDS = 1.0
"""How long the first control plane has before the others are asked, too."""


def reach_api(
    world: World, uid: PoolUid, control_planes: Iterable[ServerName], known_ca: str = ""
) -> tuple[Api | None, Silent]:
    """The cluster's API through one of these control planes, and why those that were asked in vain
    do not show it. `known_ca`: a certificate of the cluster's CA or its pin, where one is known; a
    server that shows another is not of the cluster. Raises NewerFormat when only a newer rpool can
    read the record.

    The first is asked, and the others once it shows no record or is slow: so the cost does not grow
    with the control plane, and a dead server costs a second. One that shows no record is taken only
    if no other shows the cluster's: it may be in another cluster by now.
    """
    names = list(control_planes)
    silent: Silent = {}
    if not names:
        return None, silent
    pool = ThreadPoolExecutor(len(names), thread_name_prefix="observe")
    try:
        asked = {pool.submit(_api, world, names[0], known_ca): names[0]}
        (answered, _) = wait(asked, API_PATIENCE_SECONDS)
        if not any(_shows(uid, future.result()) for future in answered):
            asked |= {pool.submit(_api, world, name, known_ca): name for name in names[1:]}
        unrecorded: dict[ServerName, Api] = {}
        for future in as_completed(asked):
            name, answer = asked[future], future.result()
            if isinstance(answer, RpoolError):
                silent[name] = answer
            elif (record := answer.cluster.record) is None:
                unrecorded[name] = answer
            elif record.uid == uid:
                return answer, silent
            else:
                other = f"{record.spec.name} (uid {record.uid})"
                silent[name] = Refused(f"{name} serves another cluster's API {other}")
        first = next((unrecorded[name] for name in names if name in unrecorded), None)
        return first, silent
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _api(world: World, through: ServerName, known_ca: str) -> Api | RpoolError:
    """The API and etcd's members, which are asked at once: each takes some tenths of a second."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="etcd")
    try:
        asked = pool.submit(_or_why, world.etcd_members, through)
        cluster, etcd = world.observe(through), asked.result()
        if not is_of_ca(cluster.ca_certificate, known_ca):
            return Refused(
                f"{through} shows a different CA than the cluster's",
                "It is no control plane of that cluster, whatever its claim says: check who has "
                "access to it. What it reports is ignored.",
            )
        return Api(through, cluster, None if isinstance(etcd, RpoolError) else etcd)
    except NewerFormat:
        raise
    except RpoolError as error:
        return error
    finally:
        pool.shutdown(wait=False)


def _shows(uid: PoolUid, answer: Api | RpoolError) -> bool:
    record = None if isinstance(answer, RpoolError) else answer.cluster.record
    return record is not None and record.uid == uid


def reaches_api(world: World, server: ServerName) -> bool:
    """Whether the API of its cluster answers a server; one that cannot be asked may reach it."""
    return _or_why(world.reaches_api, server) is not False


SWEPT_AT_ONCE = 16
"""Each probe costs an SSH connection, about 50 ms of one core: more at once would only make all of
them slow, and look silent."""

Answer = Probed | RpoolError


Begun = dict[ServerName, "Future[Sighting | RpoolError]"]


def begin_probes(
    world: World, servers: Iterable[ServerName], now: Callable[[], float] = our_clock
) -> Begun:
    """Begin to probe servers without a fence: for a read, which changes nothing."""
    probe = partial(_or_why, partial(_probe, world, now=now, fence=None))
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe")
    begun = {name: pool.submit(probe, name) for name in servers}
    pool.shutdown(wait=False)
    return begun


def end_probes(
    begun: Begun, presumed_dead: Collection[ServerName]
) -> tuple[dict[ServerName, Sighting], Silent]:
    """The results of `begin_probes`. Servers that are `presumed_dead` are silent once the others
    have answered, and then none for `PATIENCE_SECONDS`.
    """
    last, pending = time.monotonic(), dict(begun)
    while pending:
        waits = None
        if pending.keys() <= set(presumed_dead):
            waits = max(0.0, last + PATIENCE_SECONDS - time.monotonic())
        done, _ = wait(pending.values(), waits, FIRST_COMPLETED)
        if not done:
            break
        last, pending = (
            time.monotonic(),
            {n: future for n, future in pending.items() if future not in done},
        )
    late = f"gave no answer within {PATIENCE_SECONDS:.0f} s"
    answers = {
        name: Unreachable(f"{name} {late}") if name in pending else future.result()
        for name, future in begun.items()
    }
    seen = {n: answer for n, answer in answers.items() if isinstance(answer, Sighting)}
    return seen, {n: answer for n, answer in answers.items() if isinstance(answer, RpoolError)}


PATIENCE_SECONDS = 2.0


def sweep(
    world: World,
    servers: Iterable[ServerName],
    patience_seconds: float,
    longest_seconds: float = math.inf,
) -> Iterator[tuple[ServerName, Answer]]:
    """Yields each server with its probe, or with why there is none, in the order of the answers.

    A server is Unreachable once neither it nor any other has answered for `patience_seconds` (a
    busy machine makes all of them slow); the next one is probed in its place. So is each that is
    left after `longest_seconds`. Closing the generator ends the sweep.
    """
    end = time.monotonic() + longest_seconds
    waiting = deque(servers)
    pool = ThreadPoolExecutor(max(1, len(waiting)), thread_name_prefix="sweep")
    asked: dict[Future[Answer], tuple[ServerName, float]] = {}
    try:
        last = time.monotonic()
        while waiting or asked:
            while waiting and len(asked) < SWEPT_AT_ONCE:
                name = waiting.popleft()
                asked[pool.submit(_or_why, world.probe, name)] = (name, time.monotonic())
            first = max(last, min(since for _, since in asked.values())) + patience_seconds
            done, _ = wait(asked, max(0.0, min(first, end) - time.monotonic()), FIRST_COMPLETED)
            now = time.monotonic()
            for future in done:
                last = now
                yield asked.pop(future)[0], future.result()
            if now >= end:
                break
            silent = [f for f, (_, since) in asked.items() if not f.done()]
            for future in silent:
                name, since = asked[future]
                if max(last, since) + patience_seconds <= now:
                    del asked[future]
                    late = f"{name} gave no answer within {patience_seconds:.0f} s"
                    yield name, Unreachable(late)
        for name in (*(name for name, _ in asked.values()), *waiting):
            yield name, Unreachable(f"{name} gave no answer within {longest_seconds:.0f} s")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

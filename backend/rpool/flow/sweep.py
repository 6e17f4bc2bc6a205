"""Probing many servers, answers as they come: bounded, and the silent ones are not waited for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from rpool.errors import RpoolError, Unreachable
from rpool.model.seen import Probed
from rpool.model.server import ServerName
from rpool.model.world import World

AT_ONCE = 16
"""Each probe costs an SSH connection, about 50 ms of one core: more at once would only make all of
them slow, and look silent."""

Answer = Probed | RpoolError


def sweep(
    world: World, servers: Iterable[ServerName], patience_seconds: float
) -> Iterator[tuple[ServerName, Answer]]:
    """Each server with what a probe brought, or why there is nothing. One that is silent for longer
    than `patience_seconds` is Unreachable, and its place is given to the next. Whoever stops
    listening ends the sweep.
    """
    waiting = deque(servers)
    pool = ThreadPoolExecutor(max(1, len(waiting)), thread_name_prefix="sweep")
    asked: dict[Future[Answer], tuple[ServerName, float]] = {}
    try:
        while waiting or asked:
            while waiting and len(asked) < AT_ONCE:
                name = waiting.popleft()
                until = time.monotonic() + patience_seconds
                asked[pool.submit(_probe, world, name)] = (name, until)
            first = min(until for _, until in asked.values())
            done, _ = wait(asked, max(0.0, first - time.monotonic()), FIRST_COMPLETED)
            for future in done:
                yield asked.pop(future)[0], future.result()
            now = time.monotonic()
            for future in [f for f, (_, until) in asked.items() if until <= now and not f.done()]:
                name, _ = asked.pop(future)
                yield name, _silent(name, patience_seconds)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _probe(world: World, server: ServerName) -> Answer:
    try:
        return world.probe(server)
    except RpoolError as error:
        return error


def _silent(server: ServerName, patience_seconds: float) -> Unreachable:
    return Unreachable(f"{server} gave no answer within {patience_seconds:.0f} s")

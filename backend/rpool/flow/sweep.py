"""Probing many servers: a bounded number at once, and silent ones are not waited for."""

from __future__ import annotations

import math
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
            while waiting and len(asked) < AT_ONCE:
                name = waiting.popleft()
                asked[pool.submit(_probe, world, name)] = (name, time.monotonic())
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
                    yield name, _silent(name, patience_seconds)
        for name in (*(name for name, _ in asked.values()), *waiting):
            yield name, Unreachable(f"{name} gave no answer within {longest_seconds:.0f} s")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _probe(world: World, server: ServerName) -> Answer:
    try:
        return world.probe(server)
    except RpoolError as error:
        return error


def _silent(server: ServerName, patience_seconds: float) -> Unreachable:
    return Unreachable(f"{server} gave no answer within {patience_seconds:.0f} s")

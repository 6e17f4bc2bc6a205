"""Runs schedules, in tests/: `python -m fault 17`, or `python -m fault 0-10000 --jobs 2`.

With one seed it prints that run. With many it prints the first that breaks a rule, whole and
shrunk, and a table of the faults that fired. The order of a set of names depends on the process's
hash seed, so all processes run with the same one: the same seed is the same run everywhere.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor

if os.environ.get("PYTHONHASHSEED") != "0":
    command = [sys.executable, "-m", "fault", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606

from fault.events import EVENTS
from fault.kinds import Fault
from fault.schedule import Schedule, drawn
from fault.shrink import shrunk

ONE_IN = 100
"""Each kind has to fire at least once per this many schedules."""

TOLD_EACH = 500
"""Schedules per line of progress."""


Ran = tuple[int, list[str], Counter[Fault], Counter[str]]


def run(seed: int) -> Ran:
    schedule = Schedule.of(seed).run()
    return seed, schedule.broken, schedule.fate.fired, schedule.happened


def told(seed: int) -> list[str]:
    """Lines that tell of the whole run, and of the shrunk one where it breaks a rule."""
    schedule = Schedule.of(seed).run()
    lines = [*schedule.history, *(f"BROKEN: {rule}" for rule in schedule.broken)]
    if schedule.broken:
        small = Schedule(shrunk(drawn(seed))).run()
        rounds = (f"    {event}," for event in small.rounds)
        lines += ["", "The least of it that breaks a rule: Schedule((", *rounds, ")).run()"]
        lines += [*small.history, *(f"BROKEN: {rule}" for rule in small.broken)]
    return lines


def run_all(seeds: Sequence[int], jobs: int) -> int:
    begun, broken = time.monotonic(), dict[int, list[str]]()
    fired, happened = Counter[Fault](), Counter[str]()
    for done, (seed, rules, faults, between) in enumerate(_runs(seeds, jobs), start=1):
        fired += faults
        happened += between
        if rules:
            broken[seed] = rules
            print(f"seed {seed}: {rules[0]}", flush=True)
        if done % TOLD_EACH == 0:
            so_far = time.monotonic() - begun
            print(f"[{so_far:6.0f} s] {done} schedules, {len(broken)} broken", flush=True)
    seconds = time.monotonic() - begun
    for kind in Fault:
        print(f"{fired[kind]:8} {kind.name}: {kind.value}")
    for event in sorted({event.__name__ for event in EVENTS}):
        print(f"{happened[event]:8} {event}, between two applies")
    enough = len(seeds) // ONE_IN
    rare = [kind.name for kind in Fault if fired[kind] < enough]
    rare += [kind.__name__ for kind in EVENTS if happened[kind.__name__] < enough]
    faults_, events = fired.total(), happened.total()
    print(f"{len(seeds)} schedules, {faults_} faults, {events} events, {seconds:.0f} s")
    print(f"{len(broken)} broken")
    for seed in list(broken)[:1]:
        print(f"\npython -m fault {seed}", *told(seed), sep="\n")
    if rare:
        print(f"Too seldom for a run that counts: {', '.join(rare)}")
    return 1 if broken or rare else 0


def _runs(seeds: Iterable[int], jobs: int) -> Iterable[Ran]:
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, seeds, chunksize=10)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m fault", description="Runs schedules of faults."
    )
    parser.add_argument("seeds", help="one, or a range: 0-500 (without the last)")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    if last:
        return run_all(range(int(first), int(last)), options.jobs)
    lines = told(int(first))
    print(*lines, sep="\n")
    return 1 if any(line.startswith("BROKEN") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

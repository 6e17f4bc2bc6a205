"""The provider with modelled servers: the real plugin process and engine, another world.

    python simulated_provider.py WORLD_FILE

It is the simulated site of `rpool.simulate.stored`, whatever the provider block says, with faults
and slowness on top. The servers' state is in WORLD_FILE, what goes wrong in a file beside it. Tests
prepare both with `keep` and look into them with `recall`.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rpool_provider import serve

if TYPE_CHECKING:
    from rpool.errors import RpoolError
    from rpool.model.action import Action
    from rpool.model.site import SiteConfig
    from rpool.model.step import News
    from rpool.model.world import World
    from rpool.simulate.store import Machines
    from rpool_provider.provider import Provider


Faults = dict[tuple[type[object], str], "RpoolError"]


@dataclass
class Kept:
    """What is in the files. `broken`: what fails, by action and server; `seconds`: how long each
    action takes.
    """

    machines: Machines = field(default_factory=dict)
    broken: Faults = field(default_factory=dict)
    seconds: float = 0.0


def keep(path: Path, kept: Kept) -> None:
    from rpool.simulate.store import Store

    faults = [
        (action.__name__, server, type(error).__name__, error.summary)
        for (action, server), error in kept.broken.items()
    ]
    _faults_of(path).write_text(json.dumps({"broken": faults, "seconds": kept.seconds}))
    if kept.machines:
        with closing(Store(path)) as store, store.alone():
            store.save(kept.machines)


def recall(path: Path) -> Kept:
    from rpool import errors
    from rpool.model import action
    from rpool.simulate.store import Store

    with closing(Store(path)) as store:
        machines = store.load() or {}
    file = _faults_of(path)
    if not file.exists():
        return Kept(machines)
    faults = json.loads(file.read_text())
    broken = {
        (getattr(action, kind), server): getattr(errors, error)(summary)
        for kind, server, error, summary in faults["broken"]
    }
    return Kept(machines, broken, faults["seconds"])


def _faults_of(path: Path) -> Path:
    return path.with_suffix(".faults")


def provider(path: Path) -> Provider:
    from rpool.api import Site
    from rpool_provider.provider import Provider

    return Provider(lambda config: Site(config, connect=lambda config: _world(config, path)))


def _world(config: SiteConfig, path: Path) -> World:
    from rpool.simulate.store import Store
    from rpool.simulate.stored import StoredWorld

    class FaultyWorld(StoredWorld):
        def __init__(self) -> None:
            super().__init__(config.fleet, Store(path))
            kept = recall(path)
            self._broken = kept.broken
            self._seconds = kept.seconds

        def carry_out(self, action: Action, timeout_seconds: float) -> News:
            time.sleep(self._seconds)
            error = self._broken.get((type(action), action.server))
            if error is not None:
                raise error
            return super().carry_out(action, timeout_seconds)

    return FaultyWorld()


if __name__ == "__main__":
    world_file = Path(sys.argv[1])
    sys.exit(serve.main(lambda: provider(world_file)))

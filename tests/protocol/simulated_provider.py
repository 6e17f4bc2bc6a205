"""The provider with modelled servers: the real plugin process and engine, another world.

    python simulated_provider.py WORLD_FILE

The servers' state is in WORLD_FILE, since Terraform starts several processes for one command. Tests
prepare the file with `keep` (faults, slowness) and look into it with `recall`.
"""

from __future__ import annotations

import pickle
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rpool_provider import serve

if TYPE_CHECKING:
    from rpool.errors import RpoolError
    from rpool.model.action import Action
    from rpool.model.site import SiteConfig
    from rpool.model.world import World
    from rpool.simulate.world import Machine
    from rpool_provider.provider import Provider


Faults = dict[tuple[type[object], str], "RpoolError"]


@dataclass
class Kept:
    """What is in the file. `broken`: what fails, by action and server; `seconds`: how long each
    action takes.
    """

    machines: dict[str, Machine] = field(default_factory=dict)
    broken: Faults = field(default_factory=dict)
    seconds: float = 0.0


def keep(path: Path, kept: Kept) -> None:
    part = path.with_suffix(f".{threading.get_ident()}")
    part.write_bytes(pickle.dumps((kept.machines, kept.broken, kept.seconds)))
    part.replace(path)


def recall(path: Path) -> Kept:
    return Kept(*pickle.loads(path.read_bytes())) if path.exists() else Kept()  # noqa: S301 ours


def provider(path: Path) -> Provider:
    from rpool.api import Site
    from rpool_provider.provider import Provider

    return Provider(lambda config: Site(config, connect=lambda config: _world(config, path)))


def _world(config: SiteConfig, path: Path) -> World:
    from rpool.simulate.world import SimulatedWorld

    class KeptWorld(SimulatedWorld):
        def __init__(self) -> None:
            super().__init__(config.fleet)
            kept = recall(path)
            self.machines |= {n: m for n, m in kept.machines.items() if n in self.machines}
            self.broken = kept.broken
            self._seconds = kept.seconds

        def carry_out(self, action: Action, timeout_seconds: float) -> None:
            time.sleep(self._seconds)
            try:
                super().carry_out(action, timeout_seconds)
            finally:
                with self._guard:
                    keep(path, Kept(self.machines, self.broken, self._seconds))

    return KeptWorld()


if __name__ == "__main__":
    world_file = Path(sys.argv[1])
    sys.exit(serve.main(lambda: provider(world_file)))

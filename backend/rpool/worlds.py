"""The world of a provider configuration: real servers, or simulated ones in a file."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from rpool.model.site import SiteConfig

if TYPE_CHECKING:
    from rpool.model.world import World


def world_of(config: SiteConfig) -> World:
    """The world of a site. Imports only the module needed; raises Refused for a file of another
    version.
    """
    if config.simulated:
        from rpool.simulate import FILE_NAME
        from rpool.simulate.store import Store
        from rpool.simulate.stored import StoredWorld

        return StoredWorld(config.fleet, Store(pathlib.Path.cwd() / FILE_NAME))
    from rpool.reach.world import RealWorld

    return RealWorld(config)

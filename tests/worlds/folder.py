"""A folder with a simulated site, as Terraform leaves it, in which a command is called."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from rpool.api import Attempt, Site
from rpool.model.generated_fleet import generated
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec, Tolerance
from rpool.model.secret import Secret
from rpool.model.site import SiteConfig, Ssh
from rpool.model.view import PoolView
from rpool.simulate import FILE_NAME
from rpool.simulate.store import Store
from rpool.simulate.stored import StoredWorld

SPEC = PoolSpec(
    name="batch",
    kubernetes_version="1.36.3",
    cores=32,
    memory_gib=128,
    control_plane=ControlPlane(1, Endpoint(vip="10.0.1.200")),
    tolerate=Tolerance(servers=1),
)
OWNER = "ann@desk"
SIMULATED = "SIMULATED: these servers are modelled.\n"


def site_in(folder: Path, **marks: dict[str, Any]) -> Site:
    """The site of twelve servers in a folder; `marks` are changes of their entries, by name."""
    fleet = generated(12)
    changed = {n: replace(fleet.servers[n], **changes) for n, changes in marks.items()}
    fleet = replace(fleet, servers={**fleet.servers, **changed})
    config = SiteConfig(fleet, Ssh(Secret("")), simulated=True, owner=OWNER)
    return Site(config, connect=lambda site: StoredWorld(site.fleet, Store(folder / FILE_NAME)))


def made_in(folder: Path, spec: PoolSpec = SPEC, **marks: dict[str, Any]) -> PoolView:
    """A cluster there, made by an apply that has ended."""
    with closing(site_in(folder, **marks)) as site:
        return site.create_pool(spec, Attempt(timeout_seconds=60))

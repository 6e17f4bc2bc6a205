"""A site in a file, for commands: what the provider block has, as YAML.

Two keys name a file instead of holding its content: `fleet_file` for `fleet`, and
`ssh.private_key_file` for `ssh.private_key`; paths are relative to the folder of this file. Where
there is no site file, but a simulated site that Terraform has made, the site is that one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rpool import plain_yaml
from rpool.api import Site, parse_site
from rpool.errors import Problem, SpecError
from rpool.simulate import FILE_NAME

if TYPE_CHECKING:
    from rpool.model.site import SiteConfig
    from rpool.model.world import World


SIMULATED = "SIMULATED: these servers are modelled."


def site_of(path: Path) -> Site:
    """The site in a file. Raises SpecError with all that is wrong with it."""
    stored = path.parent / FILE_NAME
    if not path.exists() and stored.exists():
        return _simulated(stored)
    config = _mapping(path, _read(path, str(path)))
    if isinstance(config.get("fleet_file"), str):
        file = path.parent / Path(config.pop("fleet_file")).expanduser()
        config["fleet"] = _mapping(file, _read(file, "fleet_file"))
    if isinstance(config.get("ssh"), dict):
        config["ssh"] = _with_key(config["ssh"], path)
    site = parse_site(config)
    assert site is not None  # noqa: S101 nothing in a file is unknown
    return Site(site, connect=lambda config: _world(config, stored))


def ssh_of(path: Path) -> dict[str, Any]:
    """The `ssh` of a site file, which may have no fleet yet. Raises SpecError."""
    ssh = _mapping(path, _read(path, str(path))).get("ssh")
    return _with_key(ssh, path) if isinstance(ssh, dict) else {}


def _with_key(ssh: dict[str, Any], path: Path) -> dict[str, Any]:
    if not isinstance(ssh.get("private_key_file"), str):
        return dict(ssh)
    key = path.parent / Path(ssh["private_key_file"]).expanduser()
    without_file = {name: value for name, value in ssh.items() if name != "private_key_file"}
    return without_file | {"private_key": _read(key, "ssh.private_key_file")}


def _world(config: SiteConfig, stored: Path) -> World:
    """The world of a site. Simulated servers are stored beside the site's file, wherever the
    command is called; stderr says that they are simulated.
    """
    if config.simulated:
        print(SIMULATED, file=sys.stderr)
        from rpool.simulate.store import Store
        from rpool.simulate.stored import StoredWorld

        return StoredWorld(config.fleet, Store(stored))
    from rpool.worlds import world_of

    return world_of(config)


def _simulated(stored: Path) -> Site:
    """The site of a simulated site's file, with its servers as they were declared last."""
    from contextlib import closing

    from rpool.model.secret import Secret
    from rpool.model.server import Fleet
    from rpool.model.site import SiteConfig, Ssh
    from rpool.simulate.store import Store

    with closing(Store(stored)) as store:
        machines = store.load() or {}
    fleet = Fleet({name: machine.server for name, machine in machines.items()})
    config = SiteConfig(fleet, Ssh(Secret("")), simulated=True)
    return Site(config, connect=lambda config: _world(config, stored))


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is not text"
        where = what if what == str(path) else f"{what}: {path}"
        raise _wrong(f"{where} cannot be read: {why}") from error


def _mapping(path: Path, text: str) -> dict[str, Any]:
    try:
        parsed = plain_yaml.load(text, aliases=True)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _wrong(f"{path} {plain_yaml.why_none(text, error)}") from error
    if not isinstance(parsed, dict):
        raise _wrong(f"{path} is not a mapping")
    return parsed


def _wrong(summary: str) -> SpecError:
    about = (
        "It takes the settings of the provider block: fleet (or fleet_file), ssh, mirrors, "
        "owner; or simulate: {servers: 12}. See docs/guides/command.md."
    )
    return SpecError([Problem((), summary, about)])

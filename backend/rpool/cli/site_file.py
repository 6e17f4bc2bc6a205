"""A site in a file, for commands: what the provider block has, as YAML.

`ssh.private_key_file` may name a file in the place of `ssh.private_key`, seen from its folder.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from rpool.api import Site, parse_site
from rpool.errors import Problem, SpecError


def site_of(path: Path) -> Site:
    """Raises SpecError with all that is wrong with the file."""
    try:
        config = yaml.safe_load(path.read_text())
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise _wrong(f"{path} is no YAML: {error}") from error
    if not isinstance(config, dict):
        raise _wrong(f"{path} is no mapping")
    ssh = config.get("ssh")
    if isinstance(ssh, dict) and isinstance(ssh.get("private_key_file"), str):
        key = path.parent / Path(ssh["private_key_file"]).expanduser()
        left = {name: its for name, its in ssh.items() if name != "private_key_file"}
        try:
            config["ssh"] = left | {"private_key": key.read_text()}
        except OSError as error:
            raise _wrong(f"ssh.private_key_file: {key} cannot be read: {error.strerror}") from error
    site = parse_site(config)
    assert site is not None  # noqa: S101 nothing in a file is unknown
    return Site(site)


def _wrong(summary: str) -> SpecError:
    about = "It has what the provider block has: fleet, ssh, mirrors, owner (docs/repair.md)."
    return SpecError([Problem((), summary, about)])

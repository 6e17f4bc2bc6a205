"""An Ansible inventory, read by Ansible itself in a child process.

Only text is read, INI and YAML: no script is run and no other plugin. Ansible lists variables as
they are written; a template in one stays text.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from rpool.decide.scanned import Host
from rpool.errors import Problem, SpecError

PATIENCE_SECONDS = 60.0
MOST_CHARACTERS = 600


def read_file(path: Path) -> list[Host]:
    """The hosts of an inventory in a file. Raises SpecError."""
    if not path.is_file():
        raise _wrong(f"{path} is no inventory in a file", "Give one in INI or YAML.")
    with tempfile.TemporaryDirectory(prefix="rpool-") as home:
        return list(_hosts(_listed(path.resolve(), home)))


def read_text(text: str) -> list[Host]:
    """The hosts of an inventory, INI or YAML. Raises SpecError."""
    with tempfile.TemporaryDirectory(prefix="rpool-") as home:
        path = Path(home) / ("inventory.yaml" if _is_yaml(text) else "inventory")
        path.write_text(text, "utf-8")
        return list(_hosts(_listed(path, home)))


def _is_yaml(text: str) -> bool:
    try:
        return isinstance(yaml.safe_load(text), dict)
    except yaml.YAMLError:
        return False


def _listed(path: Path, home: str) -> Mapping[str, Any]:
    command = [sys.executable, "-P", "-m", "ansible.cli.inventory"]
    command += [f"--inventory={path}", "--list"]
    config = Path(home) / "ansible.cfg"
    config.touch()  # so that Ansible reads no other
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": home,
        "ANSIBLE_HOME": home,
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_INVENTORY_ENABLED": "yaml,ini",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_NOCOLOR": "true",
    }
    try:
        completed = subprocess.run(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _wrong(f"{path.name} took Ansible longer than a minute to read") from None
    if completed.returncode != 0:
        output = (
            (completed.stdout + completed.stderr)
            .decode(errors="replace")
            .strip()[-MOST_CHARACTERS:]
        )
        raise _wrong(f"{path.name} is no inventory that Ansible can read", output)
    inventory = json.loads(completed.stdout)
    assert isinstance(inventory, dict)  # noqa: S101 Ansible prints nothing else
    return inventory


def _hosts(inventory: Mapping[str, Any]) -> Iterator[Host]:
    """The hosts by name, each with the groups that list it directly."""
    all_variables = inventory["_meta"]["hostvars"]
    groups: dict[str, list[str]] = {}
    for group, content in inventory.items():
        for name in content.get("hosts", ()) if group != "_meta" else ():
            groups.setdefault(name, []).append(group)
    for name in sorted(groups):
        variables = all_variables.get(name, {})
        yield Host(
            name,
            str(variables.get("ansible_host", name)),
            _port(name, variables.get("ansible_port", 22)),
            str(variables.get("ansible_user", "")),
            tuple(groups[name]),
            variables,
        )


def _port(name: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise _wrong(f"ansible_port of {name} is no number: {value!r:.60}") from None


def _wrong(summary: str, detail: str = "") -> SpecError:
    return SpecError([Problem((), summary, detail)])

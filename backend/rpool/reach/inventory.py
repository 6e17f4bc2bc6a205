"""An Ansible inventory, read by Ansible itself in a child process.

Only what is text is read, INI and YAML: no script is run and no plugin is asked. Ansible shows its
variables as they are written; a template in one stays text.
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
        file = Path(home) / ("inventory.yaml" if _is_yaml(text) else "inventory")
        file.write_text(text, "utf-8")
        return list(_hosts(_listed(file, home)))


def _is_yaml(text: str) -> bool:
    try:
        return isinstance(yaml.safe_load(text), dict)
    except yaml.YAMLError:
        return False


def _listed(file: Path, home: str) -> Mapping[str, Any]:
    command = [sys.executable, "-P", "-m", "ansible.cli.inventory"]
    command += [f"--inventory={file}", "--list"]
    config = Path(home) / "ansible.cfg"
    config.touch()  # so that no other is read
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
        ran = subprocess.run(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _wrong(f"{file.name} took Ansible longer than a minute to read") from None
    if ran.returncode != 0:
        said = (ran.stdout + ran.stderr).decode(errors="replace").strip()[-MOST_CHARACTERS:]
        raise _wrong(f"{file.name} is no inventory that Ansible can read", said)
    found = json.loads(ran.stdout)
    assert isinstance(found, dict)  # noqa: S101 that is what Ansible prints
    return found


def _hosts(listed: Mapping[str, Any]) -> Iterator[Host]:
    """In the order of their names; of each, the groups that it is in itself."""
    variables = listed["_meta"]["hostvars"]
    groups: dict[str, list[str]] = {}
    for group, its in listed.items():
        for name in its.get("hosts", ()) if group != "_meta" else ():
            groups.setdefault(name, []).append(group)
    for name in sorted(groups):
        its = variables.get(name, {})
        yield Host(
            name,
            str(its.get("ansible_host", name)),
            _port(name, its.get("ansible_port", 22)),
            str(its.get("ansible_user", "")),
            tuple(groups[name]),
            its,
        )


def _port(name: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise _wrong(f"ansible_port of {name} is no number: {value!r:.60}") from None


def _wrong(summary: str, detail: str = "") -> SpecError:
    return SpecError([Problem((), summary, detail)])

"""What a release leaves for later ones to find: Terraform's state, claims, records, servers.

    cd tests && python -m golden.kept        # keeps what this version makes, in golden/VERSION

The configuration is `main.tf` with `fleet.yaml` of that folder. The state is as Terraform wrote it,
except the address of the provider, which OpenTofu writes differently. The servers are those of a
simulated site. A record is the text in its ConfigMap, a claim that of its file on a server.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import tomllib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.plugin_process import CHECKOUT, LAUNCHER
from protocol.workspace import Workspace

from rpool.reach import documents
from rpool.simulate import FILE_NAME
from rpool.simulate.machine import Machine
from rpool.simulate.store import Store

HERE = Path(__file__).parent
VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
PROVIDER = "PROVIDER"
CONFIGURATION = ("main.tf", "fleet.yaml")


@dataclass(frozen=True)
class Kept:
    """A folder with what a version has left."""

    folder: Path

    @property
    def state(self) -> dict[str, Any]:
        """The state, for a provider whose address is PROVIDER."""
        state: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return state

    @property
    def instances(self) -> dict[str, dict[str, Any]]:
        """What is in the state, by address."""
        return {f"{r['type']}.{r['name']}": r["instances"][0] for r in self.state["resources"]}

    @property
    def claims(self) -> dict[str, dict[str, object]]:
        """The claim on each server that has one, by its name."""
        claims: dict[str, dict[str, object]] = json.loads((self.folder / "claims.json").read_text())
        return claims

    @property
    def records(self) -> dict[str, str]:
        """The text of each cluster's record, by its name."""
        records: dict[str, str] = json.loads((self.folder / "records.json").read_text())
        return records

    def restore(self, folder: Path) -> Workspace:
        """A workspace as that version has left it, for today's provider."""
        workspace = self.begin(folder)
        shutil.copy(self.folder / "servers.json", folder / FILE_NAME)
        text = (self.folder / "state.json").read_text()
        (folder / "terraform.tfstate").write_text(text.replace(PROVIDER, _provider(workspace)))
        return workspace

    def begin(self, folder: Path) -> Workspace:
        """A workspace with its configuration, and nothing made."""
        workspace = Workspace(folder, folder / FILE_NAME, provider=[str(LAUNCHER)])
        for name in CONFIGURATION:
            shutil.copy(self.folder / name, folder)
        return workspace

    def keep(self, workspace: Workspace) -> None:
        """Keep what is in a workspace."""
        text = (workspace.folder / "terraform.tfstate").read_text()
        (self.folder / "state.json").write_text(text.replace(_provider(workspace), PROVIDER))
        machines = machines_of(workspace)
        for machine in machines.values():
            machine.journal.clear()
        with closing(Store(self.folder / "servers.json")) as store:
            store.save(machines)
        _write(self.folder / "claims.json", claims_of(machines))
        _write(self.folder / "records.json", records_of(machines))


def released() -> list[Kept]:
    """All that is kept, the oldest version first."""
    folders = [path.parent for path in HERE.glob("*/state.json")]
    return [Kept(path) for path in sorted(folders, key=lambda path: _numbers(path.name))]


def made_anew(folder: Path) -> Workspace:
    """What today's provider makes of this version's configuration, refreshed once."""
    workspace = Kept(HERE / VERSION).begin(folder)
    for _ in range(2):  # what a refresh leaves in private data is in the state after the second
        applied = workspace.apply()
        if applied.status != 0:
            raise RuntimeError(applied.output)
    return workspace


def machines_of(workspace: Workspace) -> dict[str, Machine]:
    with closing(Store(workspace.world_file)) as store, store.alone():
        return store.load() or {}


def claims_of(machines: dict[str, Machine]) -> dict[str, Any]:
    """The claims as their files have them."""
    claims = {name: m.claim.as_dict() for name, m in machines.items() if m.claim is not None}
    written: dict[str, Any] = json.loads(json.dumps(claims))
    return written


def records_of(machines: dict[str, Machine]) -> dict[str, str]:
    """The records as their ConfigMaps have them."""
    records = (m.cluster.record for m in machines.values() if m.cluster is not None)
    return {
        record.spec.name: json.loads(documents.record(record))["data"]["record"]
        for record in records
        if record is not None
    }


def _provider(workspace: Workspace) -> str:
    """The provider's address as the Terraform at hand has it."""
    (address,) = json.loads(workspace.run("providers", "schema", "-json").output)[
        "provider_schemas"
    ]
    return str(address)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def main() -> int:
    kept = Kept(HERE / VERSION)
    if not (kept.folder / "main.tf").exists():
        before = released()[-1]
        kept.folder.mkdir()
        for name in CONFIGURATION:
            shutil.copy(before.folder / name, kept.folder)
        print(f"{kept.folder} has the configuration of {before.folder.name}: add what is new")
    with tempfile.TemporaryDirectory() as folder:
        kept.keep(made_anew(Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

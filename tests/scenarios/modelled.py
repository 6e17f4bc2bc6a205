"""The cluster on modelled servers: the example with `simulate {}` and the lab's fleet."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from lab.settings import LOAD_BALANCER_RANGE, VIPS
from lab.site.servers import as_yaml, servers
from protocol.site_config import PRIVATE_KEY, host_key
from protocol.workspace import terraform

from rpool.cli.main import main
from rpool.model.claim import Claim
from rpool.simulate import FILE_NAME
from rpool.simulate.machine import Cluster, Machine
from rpool.simulate.store import Machines, Store
from scenarios.pool import Done, Gaps, Pool

CHECKOUT = Path(__file__).parent.parent.parent
EXAMPLE = CHECKOUT / "examples" / "terraform" / "one-cluster"
NETWORK = "10.77.0"


class ModelledPool(Pool):
    def __init__(self, folder: Path, count: int, variables: dict[str, Any]) -> None:
        for path in EXAMPLE.glob("*.tf"):
            shutil.copy(path, folder)
        (folder / "key").write_text(PRIVATE_KEY)
        fleet = servers(count, NETWORK)
        keys = {server.name: host_key(n) for n, server in enumerate(fleet, 1)}
        (folder / "fleet.yaml").write_text(as_yaml(fleet, keys))
        first, last = LOAD_BALANCER_RANGE
        site = {
            "simulated": True,
            "fleet_file": "fleet.yaml",
            "ssh_key_file": "key",
            "api_vip": f"{NETWORK}.{VIPS[0]}",
            "service_addresses": [f"{NETWORK}.{first}-{NETWORK}.{last}"],
        }
        (folder / "lab.auto.tfvars.json").write_text(json.dumps(site))
        super().__init__(folder, NETWORK, variables)

    def terraform(self, *words: str) -> Done:
        return subprocess.run(
            [terraform(), words[0], "-no-color", *words[1:]],
            cwd=self.folder,
            env=os.environ | {"TF_CLI_CONFIG_FILE": str(CHECKOUT / "build" / "terraformrc")},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def nodes(self) -> dict[str, str]:
        machines, cluster = self._machines(), self._cluster()
        well = {name for name, machine in machines.items() if machine.powered and not machine.sick}
        states = {name: "Ready" if name in well else "NotReady" for name in cluster.nodes}
        return {
            name: f"{state},SchedulingDisabled" if name in cluster.cordoned else state
            for name, state in states.items()
        }

    def labels_and_taints(self, node: str) -> tuple[dict[str, str], set[str]]:
        spec = self._cluster().labelled[node]
        return dict(spec.labels), {taint.key for taint in spec.taints}

    def etcd_members(self) -> set[str]:
        return set(self._cluster().members)

    def leftovers(self, server: str) -> str:
        machine = self._machines()[server]
        return " ".join([*machine.traces, *([str(machine.claim)] if machine.claim else [])])

    def journal_on(self, server: str) -> list[str]:
        return self._machines()[server].journal

    def lose(self, server: str) -> None:
        assert main(["simulate", "lose", server, "--file", str(self.folder / FILE_NAME)]) == 0
        self.lost.add(server)

    def restore(self, server: str) -> None:
        assert main(["simulate", "restore", server, "--file", str(self.folder / FILE_NAME)]) == 0
        self.lost.discard(server)

    def fall_sick(self, server: str, what: Literal["kubelet", "disk"]) -> None:
        self._happen(lambda machines: machines[server].fall_sick(what))

    def holds_address(self) -> str:
        return self.with_role("control_plane")[0]  # any may: there are no addresses in the model

    def pass_time(self) -> None:
        """Ages what is down, as though its grace were over."""

        def age(machines: Machines) -> None:
            for machine in machines.values():
                if machine.down_since:
                    machine.down_since -= 60

        self._happen(age)

    def _happen(self, what: Callable[[Machines], None]) -> None:
        with closing(Store(self.folder / FILE_NAME)) as store, store.alone():
            machines = store.load() or {}
            what(machines)
            store.save(machines)

    def plant(self, server: str, *paths: str) -> None:
        def came(machines: Machines) -> None:
            machines[server].news = tuple(f"new {path}" for path in sorted(paths))

        self._happen(came)

    @contextmanager
    def asking(self) -> Iterator[Gaps]:
        yield Gaps()  # there are no applications in the model

    def announces(self) -> bool:
        return self._cluster().metallb

    def spread_application(self) -> None:
        pass

    def await_application(self) -> None:
        assert self._cluster().pools

    @contextmanager
    def taken(self, server: str, claim: Claim) -> Iterator[None]:
        self._set_claim(server, claim)
        try:
            yield
        finally:
            self._set_claim(server, None)

    def _set_claim(self, server: str, claim: Claim | None) -> None:
        def has(machines: Machines) -> None:
            machines[server].claim = claim

        self._happen(has)

    def figure(self, sentence: str) -> None:
        """What a model takes says nothing of servers."""

    def _machines(self) -> Machines:
        with closing(Store(self.folder / FILE_NAME)) as store:
            return store.load() or {}

    def _cluster(self) -> Cluster:
        cluster = self._control_plane().cluster
        assert cluster is not None
        return cluster

    def _control_plane(self) -> Machine:
        return self._machines()[self.with_role("control_plane")[0]]

"""The cluster on the lab's servers: seen by kubectl and etcdctl there, asked at its address."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

from desk import Desk, wait_for
from lab.application import manifest
from leftovers import leftovers
from scenarios.pool import Done, Gaps, Pool

from rpool.model.claim import Claim

ADDRESS = "get service hello -o jsonpath='{.status.loadBalancer.ingress[0].ip}'"
ETCDCTL = "etcdctl " + " ".join(
    f"--{option}=/etc/kubernetes/pki/etcd/{file}"
    for option, file in (("cacert", "ca.crt"), ("cert", "server.crt"), ("key", "server.key"))
)


SICK = {
    "kubelet": "systemctl stop kubelet",
    "disk": "echo 'no [toml' > /etc/containerd/config.toml; systemctl stop containerd",
}


class RealPool(Pool):
    def __init__(
        self, desk: Desk, variables: dict[str, Any], figure: Callable[[str], None]
    ) -> None:
        self.desk = desk
        self.application = ""
        self._figure = figure
        super().__init__(desk.folder, desk.lab.network, variables)

    def terraform(self, *words: str) -> Done:
        return self.desk.terraform(*words)

    def kubectl(self, words: str) -> str:
        return self.desk.kubectl(self.with_role("control_plane")[0], words)

    def nodes(self) -> dict[str, str]:
        lines = self.kubectl("get nodes --no-headers").splitlines()
        return {line.split()[0]: line.split()[1] for line in lines}

    def labels_and_taints(self, node: str) -> tuple[dict[str, str], set[str]]:
        document = json.loads(self.kubectl(f"get node {node} -o json"))
        taints = {taint["key"] for taint in document["spec"].get("taints", [])}
        return document["metadata"]["labels"], taints

    def etcd_members(self) -> set[str]:
        control_plane = self.with_role("control_plane")[0]
        listed = self.kubectl(f"-n kube-system exec etcd-{control_plane} -- {ETCDCTL} member list")
        members = [line.split(", ") for line in listed.splitlines()]
        assert all(fields[1] == "started" for fields in members), listed
        return {fields[2] for fields in members}

    def leftovers(self, server: str) -> str:
        return leftovers(self.desk, server)

    def journal_on(self, server: str) -> list[str]:
        return self.desk.ssh(server, "cat /var/lib/rpool/journal.jsonl").splitlines()

    def lose(self, server: str) -> None:
        self.desk.power("kill", server)
        self.lost.add(server)

    def restore(self, server: str) -> None:
        self.desk.power("power-on", server)
        wait_for(f"{server}'s sshd", 60, lambda: self.desk.is_up(server))
        self.lost.discard(server)

    def fall_sick(self, server: str, what: Literal["kubelet", "disk"]) -> None:
        self.desk.ssh(server, SICK[what])

    def holds_address(self) -> str:
        script = f"ip -o addr show | grep -q 'inet {self.desk.vip}/' && echo yes || :"
        control_planes = self.with_role("control_plane")
        (holder,) = [name for name in control_planes if self.desk.ssh(name, script)]
        return holder

    def pass_time(self) -> None:
        time.sleep(2)  # a plan is what we wait by, and takes longer

    def plant(self, server: str, *paths: str) -> None:
        for path in paths:
            self.desk.ssh(server, f"mkdir -p {path.rpartition('/')[0]} && echo came > {path}")

    def asking(self) -> AbstractContextManager[Gaps]:
        return self.desk.asking(self.application, "hello-")

    def announces(self) -> bool:
        return "metallb-system" in self.kubectl("get namespaces -o name")

    def install_application(self) -> None:
        self.kubectl(f"apply -f - <<'EOF'\n{manifest()}\nEOF")
        wait_for("an address for the application", 120, lambda: self.kubectl(ADDRESS) != "")
        self.application = f"http://{self.kubectl(ADDRESS)}/"

    def await_application(self) -> None:
        try:
            wait_for(
                "the application", 120, lambda: "hello-" in self.desk.answers(self.application)
            )
        except AssertionError as error:
            pods = self.kubectl("get pods -A -o wide")
            events = self.kubectl("-n metallb-system get events --sort-by=.lastTimestamp")
            raise AssertionError(f"{error}\n{pods}\n{events}") from error

    def spread_application(self) -> None:
        self.kubectl("rollout restart deployment/hello")
        self.kubectl("rollout status deployment/hello --timeout=60s")

    @contextmanager
    def taken(self, server: str, claim: Claim) -> Iterator[None]:
        text = json.dumps(claim.as_dict(), indent=1)
        path = "/var/lib/rpool"
        self.desk.ssh(server, f"mkdir -p {path} && cat > {path}/claim <<'EOF'\n{text}\nEOF")
        try:
            yield
        finally:
            self.desk.ssh(server, f"rm -r {path}")

    def figure(self, sentence: str) -> None:
        self._figure(sentence)

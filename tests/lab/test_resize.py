"""A cluster that is resized while somebody uses it: the tests build on each other.

All the time an HTTP client asks the application; each apply says how long it was without an answer.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from desk import EXAMPLE, Desk, wait_for
from leftovers import leftovers

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(1200),
    pytest.mark.usefixtures("plain_start"),
]
Figure = Callable[[str], None]

START = {"cores": 8, "memory": 16}


@dataclass
class Pool:
    """The cluster in use. `variables` is what its configuration says now."""

    desk: Desk
    variables: dict[str, Any]
    application: str = ""

    def write(self, **variables: Any) -> None:
        self.variables |= variables
        path = self.desk.folder / "resize.auto.tfvars.json"
        path.write_text(json.dumps(self.variables))

    def mark(self, server: str, mark: str) -> None:
        """Say something about a server in the fleet."""
        path = self.desk.folder / "fleet.yaml"
        text = re.sub(rf"^({server}: {{)", rf"\1{mark}: true, ", path.read_text(), flags=re.M)
        path.write_text(text)

    def unmark(self) -> None:
        path = self.desk.folder / "fleet.yaml"
        path.write_text(re.sub(r"(retire|lost|reserved): true, ", "", path.read_text()))

    def members(self) -> set[str]:
        return set(self.desk.state()["servers"])

    def journal(self) -> set[str]:
        """The lines that the pool's control planes keep."""
        kept = (
            self.desk.ssh(name, "cat /var/lib/rpool/journal.jsonl").splitlines()
            for name in self.desk.with_role("control_plane")
        )
        return {line for lines in kept for line in lines}


@pytest.fixture(scope="module")
def pool(desk: Desk) -> Iterator[Pool]:
    """Three control planes, one worker, and an application that two replicas keep alive."""
    pool = Pool(desk, dict(START))
    pool.write()
    applied = desk.terraform("apply", "-auto-approve")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    through = desk.with_role("control_plane")[0]
    manifest = (EXAMPLE / "web.yaml").read_text()
    desk.kubectl(through, f"apply -f - <<'EOF'\n{manifest}\nEOF")
    path = "jsonpath='{.status.loadBalancer.ingress[0].ip}'"
    wait_for(
        "an address for the application",
        120,
        lambda: desk.kubectl(through, f"get service hello -o {path}") != "",
    )
    pool.application = f"http://{desk.kubectl(through, f'get service hello -o {path}')}/"
    wait_for("the application", 120, lambda: "hello-" in desk.answers(pool.application))
    yield pool
    pool.unmark()
    (desk.folder / "resize.auto.tfvars.json").unlink()
    destroyed = desk.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr


def change(pool: Pool, figure: Figure, what: str) -> tuple[set[str], set[str]]:
    """Plan and apply; who joined and who left. What the plan named is what was done, and no other
    server was changed; a plan after it is empty.
    """
    desk = pool.desk
    before = pool.members()
    planned = desk.terraform("plan", "-out=resize.tfplan")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    named = named_in(desk)
    known = pool.journal()
    started = time.monotonic()
    with desk.asking(pool.application, "hello-") as web:
        applied = desk.terraform("apply", "resize.tfplan")
        seconds = time.monotonic() - started
    assert applied.returncode == 0, applied.stdout + applied.stderr
    after = pool.members()
    joined, left = after - before, before - after
    assert joined | left == named
    figure(
        f"{what}: +{len(joined)} -{len(left)} in {seconds:.1f} s; application: longest gap "
        f"{web.longest_seconds:.1f} s, {web.failed} of {web.asked} requests failed"
    )
    assert changed_by(pool.journal() - known) <= named
    assert {name: leftovers(desk, name) for name in left} == dict.fromkeys(left, "")
    again = desk.terraform("plan", "-detailed-exitcode")
    assert again.returncode == 0, again.stdout + again.stderr
    ready(desk, after)
    assert web.longest_seconds < 10
    return joined, left


def named_in(desk: Desk) -> set[str]:
    """The servers that a saved plan says will come or go."""
    shown = json.loads(desk.terraform("show", "-json", "resize.tfplan").stdout)
    (resource,) = shown["resource_changes"]
    before, after = (set(resource["change"][side]["servers"]) for side in ("before", "after"))
    return before ^ after


def changed_by(lines: set[str]) -> set[str]:
    """The servers that steps of these kinds changed something on."""
    kinds = ("claim ", "prepare ", "join ", "member ", "leave ", "step down ", "reset ")
    events = [json.loads(line) for line in lines]
    return {event["server"] for event in events if event["step"].startswith(kinds)}


def ready(desk: Desk, servers: set[str]) -> None:
    """The cluster's nodes are just these, all Ready and schedulable; so is etcd's membership."""
    heads = desk.with_role("control_plane")
    nodes = desk.kubectl(heads[0], "get nodes --no-headers").splitlines()
    assert {line.split()[0]: line.split()[1] for line in nodes} == dict.fromkeys(servers, "Ready")
    assert etcd_members(desk, heads[0]) == dict.fromkeys(heads, "started")


def etcd_members(desk: Desk, head: str) -> dict[str, str]:
    """Each member's state by its name, as etcd itself tells."""
    pki = "/etc/kubernetes/pki/etcd"
    files = f"--cacert={pki}/ca.crt --cert={pki}/server.crt --key={pki}/server.key"
    words = f"-n kube-system exec etcd-{head} -- etcdctl {files} member list"
    lines = [line.split(", ") for line in desk.kubectl(head, words).splitlines()]
    return {fields[2]: fields[1] for fields in lines}


def test_growing_by_one_worker(pool: Pool, figure: Figure) -> None:
    pool.write(cores=16, memory=32)
    joined, left = change(pool, figure, "grow by one worker")
    assert (len(joined), len(left)) == (1, 0)


def test_growing_by_two_workers(pool: Pool, figure: Figure) -> None:
    pool.write(cores=24, memory=48)
    joined, left = change(pool, figure, "grow by two workers")
    assert (len(joined), len(left)) == (2, 0)


def test_shrinking_by_one_worker(pool: Pool, figure: Figure) -> None:
    pool.write(cores=20, memory=40)
    joined, left = change(pool, figure, "shrink by one worker")
    assert (len(joined), len(left)) == (0, 1)


def test_from_three_control_planes_to_five(pool: Pool, figure: Figure) -> None:
    pool.write(control_planes=5)
    joined, left = change(pool, figure, "3 to 5 control planes")
    assert (len(joined), len(left)) == (2, 0)


def test_and_back_to_three(pool: Pool, figure: Figure) -> None:
    pool.write(control_planes=3)
    joined, left = change(pool, figure, "5 to 3 control planes")
    assert (len(joined), len(left)) == (0, 2)


def test_retiring_a_worker(pool: Pool, figure: Figure) -> None:
    worker = pool.desk.with_role("worker")[0]
    pool.mark(worker, "retire")
    joined, left = change(pool, figure, "retire a worker")
    assert left == {worker}
    assert joined


def test_retiring_a_control_plane(pool: Pool, figure: Figure) -> None:
    pool.unmark()
    head = pool.desk.with_role("control_plane")[0]
    pool.mark(head, "retire")
    joined, left = change(pool, figure, "retire a control plane")
    assert left == {head}
    assert len(joined) == 1


def test_another_selector(pool: Pool, figure: Figure) -> None:
    pool.unmark()
    pool.write(selector={"labels": {"disk": "ssd"}}, cores=8, memory=16)
    _, left = change(pool, figure, "another selector, and smaller")
    assert left
    ssd = {name for name in pool.members() if int(name[3:]) % 8 == 4}
    assert ssd == pool.members()


NODE = """
resource "rpool_node" "extra" {
  cluster = rpool_cluster.demo.id
  server  = "%s"
  labels  = { "example.org/kind" = "extra" }
  taints  = [{ key = "extra", effect = "NoSchedule" }]
}
"""


def test_a_node_is_put_in_and_taken_out(pool: Pool, figure: Figure) -> None:
    desk = pool.desk
    server = next(s.name for s in desk.lab.fleet if s.name not in pool.members())
    pool.mark(server, "reserved")
    (desk.folder / "node.tf").write_text(NODE % server)
    members = pool.members()
    try:
        seconds = apply_quietly(pool)
        assert pool.members() == members
        head = desk.with_role("control_plane")[0]
        path = "{.metadata.labels.example\\.org/kind} {.spec.taints[*].key}"
        assert desk.kubectl(head, f"get node {server} -o jsonpath='{path}'") == "extra extra"
        desk.kubectl(head, f"wait --for=condition=Ready node/{server} --timeout=60s")
    finally:
        (desk.folder / "node.tf").unlink()
    figure(f"rpool_node: in {seconds:.1f} s, out {apply_quietly(pool):.1f} s")
    assert leftovers(desk, server) == ""
    ready(desk, members)


def apply_quietly(pool: Pool) -> float:
    """Apply, with an empty plan after it; how many seconds it took."""
    started = time.monotonic()
    applied = pool.desk.terraform("apply", "-auto-approve")
    seconds = time.monotonic() - started
    assert applied.returncode == 0, applied.stdout + applied.stderr
    again = pool.desk.terraform("plan", "-detailed-exitcode")
    assert again.returncode == 0, again.stdout + again.stderr
    return seconds


def test_other_addresses_for_services_touch_no_server(pool: Pool, figure: Figure) -> None:
    first = Path(pool.desk.folder / "lab.auto.tfvars.json")
    addresses = json.loads(first.read_text())["service_addresses"]
    network, last = addresses[0].rpartition("-")[2].rsplit(".", 1)
    pool.write(service_addresses=[*addresses, f"{network}.{int(last) + 1}/32"])
    assert change(pool, figure, "other MetalLB addresses") == (set(), set())


def test_a_lost_control_plane_is_replaced(pool: Pool, figure: Figure) -> None:
    """The last test: the lost server keeps its claim, as lost hardware does."""
    desk = pool.desk
    lost = desk.with_role("control_plane")[-1]
    desk.power("kill", lost)
    pool.unmark()
    pool.mark(lost, "lost")
    pool.write(selector=None)
    seconds = apply_quietly(pool)
    figure(f"lost control plane replaced in {seconds:.1f} s")
    assert lost not in pool.members()
    assert len(desk.with_role("control_plane")) == 3
    ready(desk, pool.members())

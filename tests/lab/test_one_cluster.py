"""The main job, in the order in which an operator lives through it: the tests build on each other.

apply, look, lose a control plane, get it back, destroy. No server is reinstalled between the files
of tests: each works on those that the one before it gave back.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import benchmark
import pytest
from canary import Canary, ProcessWatch, unpacked
from desk import Desk, wait_for
from lab.application import manifest
from leftovers import leftovers

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(1200),
    pytest.mark.usefixtures("plain_start"),
]
Figure = Callable[[str], None]
API_SERVER = "/etc/kubernetes/api-server"


@pytest.fixture(scope="module")
def watch() -> Iterator[ProcessWatch]:
    with ProcessWatch() as watch:
        yield watch


@pytest.fixture(scope="module")
def traced(desk: Desk, watch: ProcessWatch) -> Path:
    """The log at TRACE of a plan that was saved and then applied."""
    log = desk.folder / "trace.log"
    planned = desk.terraform("plan", "-out=saved.tfplan", log=log)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    started = time.monotonic()
    applied = desk.terraform("apply", "saved.tfplan", log=log)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    (desk.folder / "seconds").write_text(f"{time.monotonic() - started:.1f}")
    return log


def test_apply_ends_with_five_ready_nodes(desk: Desk, traced: Path, figure: Figure) -> None:
    figure(f"terraform apply, 3 + 2: {(desk.folder / 'seconds').read_text()} s")
    control_planes, workers = desk.with_role("control_plane"), desk.with_role("worker")
    assert (len(control_planes), len(workers)) == (3, 2)
    nodes = json.loads(desk.kubectl(control_planes[0], "get nodes -o json"))["items"]
    ready = {
        node["metadata"]["name"]: condition["status"]
        for node in nodes
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    }
    assert ready == dict.fromkeys(control_planes + workers, "True")


def test_state_has_what_was_asked_for(desk: Desk, traced: Path) -> None:
    state = desk.state()
    assert (state["cores"], state["allocated_cores"]) == (24, 24)
    assert (state["memory"], state["allocated_memory"]) == (48, 48)
    assert state["condition"] == "settled"
    assert {s["zone"] for s in state["servers"].values() if s["role"] == "control_plane"} == {
        "rack1",
        "rack2",
        "rack3",
    }
    assert state["endpoint"] == f"{desk.vip}:6443"
    assert state["ca_certificate"].startswith("-----BEGIN CERTIFICATE-----")


def test_the_api_answers_at_the_virtual_ip(desk: Desk, traced: Path) -> None:
    assert desk.answers(f"https://{desk.vip}:6443/livez") == "ok"


def test_it_is_as_the_cis_benchmark_asks_save_for_the_exceptions(desk: Desk, traced: Path) -> None:
    """Before users have put anything into it."""
    failures = benchmark.failures(
        desk.ssh, desk.with_role("control_plane"), desk.with_role("worker")
    )
    assert not failures, "\n".join(failures)


def test_the_cluster_s_dns_outlives_any_one_server(desk: Desk, traced: Path) -> None:
    where = "-n kube-system get pods -l k8s-app=kube-dns -o jsonpath='{.items[*].spec.nodeName}'"
    pods = desk.kubectl(desk.with_role("control_plane")[0], where).split()
    assert len(set(pods)) > 1, f"all DNS servers are on {pods}"


def test_an_application_answers_at_its_load_balancer_address(desk: Desk, traced: Path) -> None:
    through = desk.with_role("control_plane")[0]
    desk.kubectl(through, f"apply -f - <<'EOF'\n{manifest()}\nEOF")
    wait_for(
        "an answer of the application", 120, lambda: "hello-" in desk.answers(_application(desk))
    )
    desk.kubectl(through, "rollout status deployment/hello --timeout=60s")


def _application(desk: Desk) -> str:
    path = "jsonpath='{.status.loadBalancer.ingress[0].ip}'"
    through = desk.with_role("control_plane")[0]
    return f"http://{desk.kubectl(through, f'get service hello -o {path}')}/"


def test_a_plan_after_the_apply_is_empty(desk: Desk, traced: Path) -> None:
    planned = desk.terraform("plan", "-detailed-exitcode")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "No changes." in planned.stdout


def test_no_secret_is_left_anywhere(desk: Desk, traced: Path, watch: ProcessWatch) -> None:
    control_planes = desk.with_role("control_plane")
    encryption_key = _encryption_key(desk, control_planes[0])
    canary = Canary.of(Path(desk.site["key_file"]).read_text(), encryption_key)
    texts = {
        "state": (desk.folder / "terraform.tfstate").read_bytes(),
        "plan file": unpacked(desk.folder / "saved.tfplan"),
        "log at TRACE": traced.read_bytes(),
        **{
            f"journal on {name}": desk.ssh(name, "cat /var/lib/rpool/journal.jsonl").encode()
            for name in control_planes
        },
        "command lines and environments of all processes": watch.seen(),
    }
    assert all(texts.values()), "something that should have been looked at was empty"
    assert b"kubeadm" in watch.seen(), "the watch was asleep while kubeadm ran"
    findings = {where: canary.in_(text) for where, text in texts.items()}
    assert {where: secrets for where, secrets in findings.items() if secrets} == {}


def _encryption_key(desk: Desk, control_plane: str) -> str:
    configuration = json.loads(desk.ssh(control_plane, f"cat {API_SERVER}/encryption.yaml"))
    return str(configuration["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"])


def test_a_secret_is_encrypted_by_a_key_that_all_control_planes_have(
    desk: Desk, traced: Path
) -> None:
    control_planes = desk.with_role("control_plane")
    assert len({_encryption_key(desk, name) for name in control_planes}) == 1
    desk.kubectl(control_planes[0], "create secret generic told --from-literal=word=plain-text")
    pki = "/etc/kubernetes/pki/etcd"
    command = (
        f"-n kube-system exec etcd-{control_planes[-1]} -- etcdctl --cacert={pki}/ca.crt "
        f"--cert={pki}/server.crt --key={pki}/server.key get /registry/secrets/default/told -w json"
    )
    (entry,) = json.loads(desk.kubectl(control_planes[0], command))["kvs"]
    value = base64.b64decode(entry["value"])
    assert value.startswith(b"k8s:enc:secretbox:v1:first:")
    assert b"plain-text" not in value
    for through in control_planes:  # each API server can read it
        address = desk.state()["servers"][through]["address"]
        query = f"--server=https://{address}:6443 get secret told -o jsonpath={{.data}}"
        assert "word" in desk.kubectl(through, query)
    desk.kubectl(control_planes[0], "delete secret told")


def test_a_key_that_came_by_a_variable_is_in_no_saved_plan(desk: Desk, traced: Path) -> None:
    """Runs after all environments were searched: here the operator puts it into Terraform's."""
    key = Path(desk.site["key_file"]).read_text()
    planned = desk.terraform("plan", "-out=variable.tfplan", TF_VAR_ssh_key=key)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert Canary.of(key).in_(unpacked(desk.folder / "variable.tfplan")) == []


def test_no_token_and_no_uploaded_certificate_outlives_the_apply(desk: Desk, traced: Path) -> None:
    through = desk.with_role("control_plane")[0]
    names = desk.kubectl(through, "-n kube-system get secrets -o name")
    assert "bootstrap-token" not in names
    assert "kubeadm-certs" not in names


def test_the_journal_shows_each_step_on_the_servers(desk: Desk, traced: Path) -> None:
    journals = [
        desk.ssh(name, "cat /var/lib/rpool/journal.jsonl").splitlines()
        for name in desk.with_role("control_plane")
    ]
    done = {
        event["step"]
        for lines in journals
        for event in map(json.loads, lines)
        if event["outcome"] == "done"
    }
    joined = {f"join {name}" for name in desk.with_role("worker")}
    assert joined | {"network", "metallb", "revoke joiners", "record settled"} <= done


def test_the_api_and_the_application_outlive_a_control_plane(
    desk: Desk, traced: Path, figure: Figure
) -> None:
    application = _application(desk)
    holder = next(
        name
        for name in desk.with_role("control_plane")
        if f"{desk.vip}/32" in desk.ssh(name, "ip -o addr show")
    )
    with (
        desk.asking(f"https://{desk.vip}:6443/livez", "ok") as api,
        desk.asking(application, "hello-") as web,
    ):
        wait_for("answers before the fault", 10, lambda: api.asked > 5 and web.asked > 5)
        desk.power("kill", holder)
        try:
            wait_for("the API after the fault", 60, lambda: api.longest_seconds > 1)
            settled = time.monotonic() + 15
            wait_for("quiet after the fault", 30, lambda: time.monotonic() > settled)
        finally:
            desk.power("power-on", holder)
    figure(f"control plane with the VIP killed: API gap {api.longest_seconds:.1f} s")
    failed = f"{web.failed} of {web.asked} requests failed"
    figure(f"the same, application: gap {web.longest_seconds:.1f} s, {failed}")
    assert api.longest_seconds < 10
    assert web.longest_seconds < 10
    address = desk.state()["servers"][holder]["address"]
    wait_for(
        "the killed control plane's own API",
        180,
        lambda: desk.answers(f"https://{address}:6443/readyz") == "ok",
    )
    desk.kubectl(holder, "wait --for=condition=Ready node --all --timeout=120s")


CHANGE = "cd /usr/bin && cp kubelet changed && echo changed >> changed && mv changed kubelet"
PURGE = "apt-get -qy purge --allow-change-held-packages kubelet"


def test_destroy_leaves_all_servers_clean_but_one_with_a_changed_kubelet_until_that_is_mended(
    desk: Desk, traced: Path, figure: Figure
) -> None:
    servers = sorted(desk.state()["servers"])
    changed = desk.with_role("worker")[0]
    desk.ssh(changed, CHANGE)
    started = time.monotonic()
    destroyed = desk.terraform("destroy", "-auto-approve")
    figure(f"terraform destroy, 3 + 2: {time.monotonic() - started:.1f} s")
    assert "package kubelet: changed /usr/bin/kubelet" in destroyed.stderr
    assert list(desk.state()["servers"]) == [changed] == list(desk.claims())
    desk.ssh(changed, PURGE)
    destroyed = desk.terraform("destroy", "-auto-approve")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert "given back, with" not in destroyed.stdout
    assert {name: leftovers(desk, name) for name in servers} == dict.fromkeys(servers, "")

"""The benchmark itself: it must find what is wrong, or its silence proves nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmark import entries, failures, script, unexpected
from benchmark.entries import Entry
from benchmark.facts import Facts, parse
from benchmark.kinds import problem
from benchmark.pods import pods

DOCS = Path(__file__).parents[2] / "docs/guides"
ALL = [*entries.each_control_plane(), *entries.each_server(), *entries.cluster()]
SERVER = parse(
    "process\tkube-apiserver --profiling=false --modes=Node,RBAC --maxage=30 --secure\n"
    "process\t/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml\n"
    "file\t600 root:root /etc/kubernetes/admin.conf\n"
    "file\t644 root:root /etc/kubernetes/pki/ca.crt\n"
    "file\t640 root:adm /etc/kubernetes/pki/ca.key\n"
    "listens\t127.0.0.1:10257\n"
    "listens\t*:10250\n"
    'kubelet\tr1u04 {"kubeletconfig": {"authentication": {"anonymous": {"enabled": false}}}}\n'
)
SERVER = replace(SERVER, kubelet=SERVER.kubelets["r1u04"])
API = "process: kube-apiserver, name"
PKI = "/etc/kubernetes/pki"


def named(entry: Entry) -> str:
    return f"{entry.id} {entry.holds}"


def why(kind: str, wanted: Any, facts: Facts = SERVER) -> str:
    return problem(Entry("0.0.0", "Something.", kind, wanted), facts)


@pytest.mark.parametrize("entry", ALL, ids=named)
def test_nothing_holds_where_nothing_is_told(entry: Entry) -> None:
    assert problem(entry, Facts()) != ""


@pytest.mark.parametrize(
    ("kind", "wanted", "expected"),
    [
        ("flag", {"name": "profiling", "is": "false"}, ""),
        ("flag", {"name": "profiling", "is": "true"}, "--profiling is false"),
        ("flag", {"name": "modes", "has": "RBAC"}, ""),
        ("flag", {"name": "modes", "has": "RB"}, "--modes is Node,RBAC"),
        ("flag", {"name": "modes", "lacks": "AlwaysAllow"}, ""),
        ("flag", {"name": "modes", "lacks": "Node"}, "--modes is Node,RBAC"),
        ("flag", {"name": "modes", "within": ["Node", "RBAC", "ABAC"]}, ""),
        ("flag", {"name": "modes", "within": ["Node"]}, "--modes is Node,RBAC"),
        ("flag", {"name": "maxage", "at_least": 30}, ""),
        ("flag", {"name": "maxage", "at_least": 31}, "--maxage is 30"),
        ("flag", {"name": "secure", "is": "true"}, ""),
        ("flag", {"name": "max", "at_least": 0}, "--max is not there"),
        ("flag", {"name": "other", "lacks": "it"}, "--other is not there"),
        ("flag", {"name": ["profiling", "other"], "set": True}, "--other is not there"),
        ("flag", {"name": "other", "absent": True}, ""),
        ("flag", {"name": "profiling", "absent": True}, "--profiling is false"),
        ("flag", {"process": "etcd", "name": "other", "absent": True}, "no etcd runs"),
        ("flag", {"process": "kubelet", "name": "config", "set": True}, ""),
        ("file", {"path": "/etc/kubernetes/*.conf", "mode": "600"}, ""),
        ("file", {"path": f"{PKI}/*.key", "mode": "640"}, ""),
        ("file", {"path": f"{PKI}/*", "mode": "644"}, ""),
        ("file", {"path": f"{PKI}/*", "mode": "600"}, f"{PKI}/ca.crt has mode 644"),
        ("file", {"path": f"{PKI}/*", "owner": "root:root"}, f"{PKI}/ca.key is root:adm's"),
        ("file", {"path": [f"{PKI}/*.crt", "/no"], "mode": "644"}, "there is no /no"),
        ("file", {"path": "/etc/kubernetes/super-admin.conf", "missing": True}, ""),
        ("file", {"path": f"{PKI}/ca.key", "missing": True}, f"{PKI}/ca.key is there"),
        ("listens", {"port": 10257, "within": ["127.0.0.1"]}, ""),
        ("listens", {"port": 10250, "within": ["127.0.0.1"]}, "who listens at 10250 is ['*']"),
        ("listens", {"port": 257, "within": ["127.0.0.1"]}, "who listens at 257 is not there"),
        ("kubelet", {"path": "authentication.anonymous.enabled", "is": False}, ""),
        ("kubelet", {"path": "authentication.anonymous.enabled", "is": True}, "is False"),
        ("kubelet", {"path": "authentication.webhook.enabled", "is": True}, "is not there"),
        ("kubelet", {"path": "authentication.anonymous", "absent": True}, "authentication.anon"),
    ],
)
def test_what_a_server_says_is_compared(kind: str, wanted: dict[str, Any], expected: str) -> None:
    reason = why(kind, {"process": "kube-apiserver", **wanted} if kind == "flag" else wanted)
    assert reason == "" if not expected else expected in reason


def api_object(kind: str, name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    return {"kind": kind, "metadata": {"name": name, **where}, **more}


def bound(kind: str, name: str, *accounts: str, role: str = "admin") -> dict[str, Any]:
    """A binding of these accounts of kube-system."""
    subjects = [{"kind": "ServiceAccount", "namespace": "kube-system", "name": a} for a in accounts]
    return api_object(kind, name, "kube-system", subjects=subjects, roleRef={"name": role})


def pod(name: str, container: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return api_object("Pod", name, "kube-system", spec={"containers": [container or {}], **spec})


READER = {"verbs": ["get"], "resources": ["secrets"]}
ADMIN = {"verbs": ["*"], "resources": ["*"]}
KUBEADM = bound("ClusterRoleBinding", "kubeadm:cluster-admins")
SECRET = {"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "key"}}}]}
ALL_LEFT = {"level": "Metadata"}


def role(rule: Mapping[str, Any]) -> dict[str, Any]:
    return api_object("ClusterRole", "reader", rules=[rule])


READ = {"verbs": ["get", "list"], "resources": ["secrets"]}
BINDING = bound("ClusterRoleBinding", "reading", "default", role="reader")


@pytest.mark.parametrize(
    ("kind", "wanted", "objects", "expected"),
    [
        ("rights", READ, [KUBEADM, role({"verbs": ["get"], "resources": ["pods"]}), BINDING], ""),
        ("rights", READ, [KUBEADM, role(READER), BINDING], "it is granted by reading"),
        ("rights", READ, [KUBEADM, role(ADMIN), BINDING], "it is granted by reading"),
        ("rights", READ | {"but": ["reading"]}, [KUBEADM, role(ADMIN), BINDING], ""),
        ("rights", READ, [role(READER)], "the bindings were not told"),
        ("wildcards", {}, [role(READER)], ""),
        ("wildcards", {}, [role(ADMIN)], "reader"),
        ("wildcards", {"but": ["reader"]}, [role(ADMIN)], ""),
        ("rule", "no_right_of_a_default_account", [BINDING], "kube-system"),
        (
            "rule",
            "default_accounts_give_no_token",
            [api_object("ServiceAccount", "default")],
            "default",
        ),
        ("rule", "tokens_have_rights", [pod("dns", serviceAccountName="default"), BINDING], ""),
        ("rule", "tokens_have_rights", [pod("dns", serviceAccountName="dns"), BINDING], "dns"),
        ("rule", "tokens_have_rights", [pod("static")], ""),
        ("rule", "no_secret_is_in_an_environment", [pod("web")], ""),
        ("rule", "no_secret_is_in_an_environment", [pod("web", SECRET)], "kube-system/web"),
        ("rule", "network_policies_are_enforced", [pod("kube-flannel-ds-7")], "there is none"),
        ("rule", "network_policies_are_enforced", [pod("cilium-7")], ""),
        ("rule", "each_namespace_has_a_network_policy", [api_object("Namespace", "web")], "web"),
        ("rule", "the_default_namespace_is_empty", [pod("web")], ""),
        (
            "rule",
            "the_default_namespace_is_empty",
            [pod("web"), api_object("Service", "web", "default")],
            "default/web",
        ),
    ],
)
def test_what_objects_say_is_judged(
    kind: str, wanted: Any, objects: list[dict[str, Any]], expected: str
) -> None:
    reason = why(kind, wanted, Facts(objects=objects))
    assert reason == "" if not expected else expected in reason


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([ALL_LEFT], ""),
        ([{"level": "None", "resources": [{"resources": ["events"]}]}, ALL_LEFT], ""),
        ([{"level": "None", "nonResourceURLs": ["/livez"]}, ALL_LEFT], ""),
        ([{"level": "None", "resources": [{"resources": ["secrets"]}]}, ALL_LEFT], "secrets"),
        ([{"level": "None", "resources": [{"group": ""}]}, ALL_LEFT], "leaves out *"),
        ([{"level": "None", "users": ["eve"]}, ALL_LEFT], "too much"),
        ([{"level": "Metadata", "users": ["eve"]}], "its last rule"),
        ([{"level": "None"}], "its last rule"),
    ],
)
def test_an_audit_policy_that_leaves_something_out_is_found(
    rules: list[dict[str, Any]], expected: str
) -> None:
    reason = why("rule", "audit_leaves_out_nothing_of_note", Facts(policy={"rules": rules}))
    assert reason == "" if not expected else expected in reason


@pytest.mark.parametrize(
    ("providers", "expected"),
    [(["secretbox", "identity"], ""), (["identity", "secretbox"], "identity encrypts")],
)
def test_the_provider_that_writes_counts(providers: list[str], expected: str) -> None:
    assert why("rule", "secrets_are_encrypted", Facts(providers=providers)) == expected


FORBIDDEN = 'Error: pods "check-0-0-0" is forbidden: violates PodSecurity "baseline:latest": {}'
PLAIN = "pod/plain created (server dry run)"


@pytest.mark.parametrize(
    ("admission", "expected"),
    [
        ([PLAIN, FORBIDDEN.format("hostPath volumes")], ""),
        ([PLAIN, FORBIDDEN.format("privileged")], "privileged"),
        ([PLAIN, "pod/check-0-0-0 created (server dry run)"], "is admitted"),
        ([PLAIN, 'Error: pods "check-0-0-0" is forbidden: no account'], "nothing is said"),
        ([FORBIDDEN.format("hostPath volumes")], "not even a plain pod"),
    ],
)
def test_a_pod_must_be_refused_for_its_own_fault(admission: list[str], expected: str) -> None:
    reason = why("refused", {"for": "hostPath"}, Facts(admission=admission))
    assert reason == "" if not expected else expected in reason


def test_a_pod_is_the_plain_one_but_for_what_is_asked() -> None:
    asked = {"container": {"securityContext": {"privileged": True}}, "for": "privileged"}
    plain, other = json.loads(pods([Entry("5.2.2", "", "refused", asked)]))["items"]
    context = other["spec"]["containers"][0]["securityContext"]
    assert context.pop("privileged") is True
    assert other["metadata"].pop("name") == "check-5-2-2"
    assert plain["metadata"].pop("name") == "plain"
    assert other == plain


def test_an_exception_is_for_what_does_not_hold() -> None:
    entry = Entry("0.0.0", "It holds.", "file", {"path": f"{PKI}/ca.crt", "mode": "600"}, "Why.")
    assert list(unexpected([entry], {"r1u04": SERVER})) == []
    met = replace(entry, wanted={"path": f"{PKI}/ca.crt", "mode": "644"})
    assert list(unexpected([met], {"r1u04": SERVER})) == [
        "0.0.0 It holds. It does now, so its exception can go."
    ]


def test_all_failures_are_shown_at_once_and_a_server_is_asked_once() -> None:
    asked: list[str] = []

    def ssh(server: str, script: str) -> str:
        asked.append(server)
        return "process\tsleep 9\n"

    lines = failures(ssh, ["r1u04"], ["r2u04"])
    assert sorted(asked) == ["r1u04", "r2u04"]
    expected = {entry.id for entry in ALL if not entry.exception}
    assert {line.partition(" ")[0] for line in lines} == expected
    assert "1.2.15 The API server cannot be profiled. On r1u04: no kube-apiserver runs" in lines


def test_the_api_is_asked_through_one_server_alone() -> None:
    assert "NODES='r1u04 r2u04'\n" in script(["r1u04", "r2u04"])
    assert "NODES=''\nPODS=''\n" in script([])
    assert "/etc/kubernetes/pki/*.key" in script([])


def test_the_docs_have_each_exception() -> None:
    text = (DOCS / "benchmark.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    exceptions = [entry for entry in ALL if entry.exception]
    assert sorted(rows) == sorted(f"| {e.id} | {e.holds} | {e.exception} |" for e in exceptions)

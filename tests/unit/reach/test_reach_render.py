"""From actions to scripts and documents, without a server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib.resources import files
from typing import Any, get_args

import pytest
from worlds.samples import (
    ACTIONS,
    CERTIFICATE_KEY,
    CLAIM,
    ENCRYPTION_KEY,
    NODE,
    SECRETS,
    SPEC,
    TOKEN,
    named,
    owning,
    scripted,
    site,
)

from rpool.config.values import url
from rpool.errors import Bug
from rpool.model import action as act
from rpool.model.action import Action, JoinSecrets
from rpool.model.pool import ControlPlane, Endpoint
from rpool.model.secret import Secret
from rpool.model.site import Mirrors
from rpool.reach import api_server, cni, documents, kubeadm, vip
from rpool.reach.manifests import METALLB
from rpool.reach.render import render
from rpool.reach.script import compose
from rpool.reach.verdict import redact
from rpool.reach.world import secrets_of


def test_the_samples_have_every_kind_of_action() -> None:
    assert {type(action) for action in ACTIONS} == set(get_args(Action))


@pytest.mark.parametrize("action", owning(), ids=named)
def test_every_changing_action_checks_the_claim_it_expects(action: Action) -> None:
    script = render(action, site(), 60)
    assert "CLAIM_UID=0badcafe\nCLAIM_EPOCH=3\nSERVER_NAME=r1u04\nSESSION=7\n" in script
    assert "\ncheck_claim() {" in script
    guard = re.search(r"^GUARD=(\w+)$", script, re.MULTILINE)
    alone: set[type[Action]] = {
        act.Init,
        act.Join,
        act.RestartKubelet,
        act.Mend,
        act.RecoverEtcd,
        act.StepDown,
        act.Reset,
    }
    briefly: set[type[Action]] = {act.SetPhase, act.AppendJournal}
    if not isinstance(action, act.TakeClaim):
        assert guard is not None
        kind = type(action)
        assert guard[1] == (
            "alone" if kind in alone else "briefly" if kind in briefly else "together"
        )
        # What a control plane keeps to run by itself is a script in this one.
        kept = isinstance(action, act.Init | act.Join) and "APPROVER_TEXT=" in script
        assert script.count("\nmain() {") == (2 if kept else 1)
        assert script.count("\nact() {") == 1


@pytest.mark.parametrize("action", scripted(), ids=named)
def test_a_script_that_was_cut_runs_nothing(action: Action) -> None:
    """Up to the call of main it only assigns and defines, whatever line the transfer ends at."""
    lines = render(action, site(), 60).splitlines()
    assert lines[-1] == "main </dev/null"
    for cut in range(0, len(lines) - 1, 7):
        text = "\n".join([*lines[:cut], "set +eu"])
        traced = subprocess.run(
            ["sh", "-x"], input=text, capture_output=True, text=True, check=False
        )
        ran = [line for line in traced.stderr.splitlines() if line.startswith("+ ")]
        assert all(re.match(r"\+ (\w+=|set |umask )", line) for line in ran), ran


@pytest.mark.parametrize("action", scripted(), ids=named)
def test_a_script_is_valid_shell(action: Action) -> None:
    script = render(action, site(), 60)
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_the_script_files_pass_shellcheck() -> None:
    folders = [files("rpool.reach").joinpath(folder) for folder in ("scripts", "cni")]
    entries = [entry for folder in folders for entry in folder.iterdir()]
    names = [str(entry) for entry in entries if entry.name.endswith(".sh")]
    subprocess.run(["shellcheck", *names], check=True)


def test_values_are_quoted_for_the_shell() -> None:
    script = compose(("library",), {"TEXT": "it's $(reboot) `x`\nline"})
    script = script.replace("main </dev/null", 'printf %s "$TEXT"')
    printed = subprocess.run(["sh", "-s"], input=script, text=True, capture_output=True, check=True)
    assert printed.stdout == "it's $(reboot) `x`\nline"


def test_a_member_that_nobody_looked_up_is_not_taken_out_of_etcd() -> None:
    with pytest.raises(Bug, match="r1u05 was to leave etcd before anybody looked"):
        render(act.RemoveEtcdMember("r1u04", CLAIM_OURS, "r1u05"), site(), 60)


def test_a_drain_without_any_time_is_no_drain_without_end() -> None:
    """To kubectl a timeout of 0 is none."""
    drain = act.Drain("r1u04", CLAIM_OURS, ("r1u05",), 0, act.Budgets.RESPECTED)
    assert "DRAIN_SECONDS=1\n" in render(drain, site(), 60)


def test_preparation_is_no_script() -> None:
    with pytest.raises(Bug):
        render(next(a for a in ACTIONS if isinstance(a, act.Prepare)), site(), 60)


@pytest.mark.parametrize("action", ACTIONS, ids=named)
def test_no_secret_of_an_action_is_told(action: Action) -> None:
    """None is in its description, and `secrets_of` names all to redact in its script's output."""
    assert TOKEN not in action.doing
    values = [getattr(action, field.name) for field in fields(action)]
    has_secrets = any(isinstance(value, JoinSecrets | Secret) for value in values)
    assert bool(secrets_of(action)) == has_secrets
    if isinstance(action, act.Join):
        assert redact(f'"secret": "{ENCRYPTION_KEY}"', secrets_of(action)) == '"secret": "****"'


def init(**changes: Any) -> list[Mapping[str, Any]]:
    return kubeadm.init(act.Init("r1u04", CLAIM_OURS, NODE, replace(SPEC, **changes), SECRETS))


CLAIM_OURS = CLAIM.ownership


def join(*, control_plane: bool) -> Mapping[str, Any]:
    action = act.Join("r1u04", CLAIM_OURS, NODE, SPEC, SECRETS, control_plane, through="r1u05")
    return kubeadm.join(action)[0]


def test_init_names_the_node_by_the_fleet_and_uses_our_token_alone() -> None:
    config = init()[0]
    assert config["nodeRegistration"]["name"] == "r1u04"
    assert config["nodeRegistration"]["kubeletExtraArgs"] == [
        {"name": "node-ip", "value": "10.0.1.4"},
        {"name": "node-labels", "value": "topology.kubernetes.io/zone=rack1"},
    ]
    assert config["nodeRegistration"]["ignorePreflightErrors"] == ["SystemVerification"]
    assert [token["token"] for token in config["bootstrapTokens"]] == [TOKEN]
    assert config["bootstrapTokens"][0]["ttl"] == "30m0s"
    assert config["certificateKey"] == CERTIFICATE_KEY
    assert config["localAPIEndpoint"]["advertiseAddress"] == "10.0.1.4"


def test_the_cluster_is_found_at_its_vip() -> None:
    cluster = init()[1]
    assert cluster["controlPlaneEndpoint"] == "10.0.1.200:6443"
    assert cluster["apiServer"]["certSANs"] == ["10.0.1.200", "api.example.org"]
    assert cluster["kubernetesVersion"] == "v1.36.3"
    assert cluster["networking"] == {
        "podSubnet": "10.77.0.0/16",
        "serviceSubnet": "10.96.0.0/12",
    }


def test_an_endpoint_of_the_site_is_in_the_certificate_and_needs_no_kube_vip() -> None:
    endpoint = Endpoint(address="lb.example.org:6443")
    spec = replace(SPEC, control_plane=ControlPlane(3, endpoint))
    config = kubeadm.init(act.Init("r1u04", CLAIM_OURS, NODE, spec, SECRETS))
    assert config[1]["controlPlaneEndpoint"] == "lb.example.org:6443"
    assert config[1]["apiServer"]["certSANs"] == ["lb.example.org", "api.example.org"]
    script = render(act.Init("r1u04", CLAIM_OURS, NODE, spec, SECRETS), site(), 60)
    assert "VIP=''\nVIP_POD=''\n" in script


def test_a_cluster_is_hardened_unless_the_user_says_otherwise() -> None:
    cluster, kubelet = init()[1:3]
    for part in ("apiServer", "controllerManager", "scheduler"):
        assert {"name": "profiling", "value": "false"} in cluster[part]["extraArgs"]
    assert (kubelet["seccompDefault"], kubelet["podPidsLimit"]) == (True, 4096)
    assert not [
        suite for suite in kubelet["tlsCipherSuites"] if "CBC" in suite or "TLS_RSA" in suite
    ]
    flags = {flag["name"]: flag["value"] for flag in cluster["apiServer"]["extraArgs"]}
    assert flags["audit-log-path"] == "/var/log/kubernetes/audit.log"
    assert flags["service-account-extend-token-expiration"] == "false"
    assert flags["kubelet-certificate-authority"] == "/etc/kubernetes/pki/ca.crt"
    assert kubelet["serverTLSBootstrap"] is True
    other = replace(SPEC.kubeadm, kubelet="podPidsLimit: 100000")
    assert init(kubeadm=other)[2]["podPidsLimit"] == 100000


def test_what_a_site_asks_of_the_api_servers_is_told_them() -> None:
    text = "omitStages: [ResponseStarted]\nrules: [{level: Request}]"
    oidc = replace(SPEC.api_server.oidc, ca_certificate="PEM")  # type: ignore[type-var]
    wanted = replace(SPEC.api_server, oidc=oidc, audit_policy=text, pod_security="restricted")
    flags = api_server.flags(replace(SPEC, api_server=wanted))
    assert flags["oidc-issuer-url"] == "https://id.example.org"
    assert flags["oidc-groups-claim"] == "groups"
    assert "oidc-username-claim" not in flags  # the API's own default
    assert flags["event-ttl"] == "2h"
    files = api_server.files(replace(SPEC, api_server=wanted))
    assert files["OIDC_CA"] == "PEM"
    policy = json.loads(files["AUDIT_POLICY"])
    assert (policy["kind"], policy["rules"]) == ("Policy", [{"level": "Request"}])
    (plugin,) = json.loads(files["ADMISSION"])["plugins"]
    assert plugin["configuration"]["defaults"]["enforce"] == "restricted"


def test_what_the_user_says_about_kubelet_and_kube_proxy_wins() -> None:
    kubelet, kube_proxy = init()[2:]
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert kubelet["failCgroupV1"] is False
    assert kube_proxy["mode"] == "nftables"
    plain = init(kubeadm=type(SPEC.kubeadm)())
    assert plain[2]["cgroupDriver"] == "systemd"


def test_a_worker_joins_by_a_pinned_ca_and_gets_no_certificate_key() -> None:
    worker = join(control_plane=False)
    assert worker["discovery"]["bootstrapToken"] == {
        "apiServerEndpoint": "10.0.1.200:6443",
        "token": TOKEN,
        "caCertHashes": [SECRETS.ca_pin],
    }
    assert "controlPlane" not in worker


def test_a_control_plane_joins_with_the_certificate_key() -> None:
    assert join(control_plane=True)["controlPlane"]["certificateKey"] == CERTIFICATE_KEY


def test_a_join_without_a_pin_is_a_bug() -> None:
    action = act.Join("r1u04", CLAIM_OURS, NODE, SPEC, replace(SECRETS, ca_pin=""), False, "r1u05")
    with pytest.raises(Bug):
        kubeadm.join(action)


def test_every_document_of_a_stream_is_json_and_so_yaml() -> None:
    parts = kubeadm.stream(init()).split("\n---\n")
    kinds = [json.loads(part)["kind"] for part in parts]
    assert kinds == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
        "KubeProxyConfiguration",
    ]


def test_kube_vip_holds_the_address_by_a_short_lease() -> None:
    pod = json.loads(vip.pod("10.0.1.200"))
    container = pod["spec"]["containers"][0]
    settings = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert settings["address"] == "10.0.1.200"
    lease = [settings[f"vip_{name}"] for name in ("leaseduration", "renewdeadline", "retryperiod")]
    assert lease == ["3", "2", "1"]
    assert int(str(settings["vip_arpRate"])) == 500  # less is 3000 to kube-vip
    assert container["image"] == "ghcr.io/kube-vip/kube-vip:v1.0.0"
    assert container["securityContext"]["capabilities"]["add"] == ["NET_ADMIN", "NET_RAW"]


def test_manifests_come_from_the_mirror_where_there_is_one() -> None:
    flannel = cni.installed("flannel").manifest
    assert flannel.url(Mirrors()).startswith("https://raw.githubusercontent.com/flannel-io/")
    mirrored = METALLB.url(Mirrors(manifests="http://10.0.0.1/manifests/"))
    assert mirrored == "http://10.0.0.1/manifests/metallb/v0.15.2/metallb-native.yaml"


def test_metallb_gets_a_pool_for_each_and_one_advertisement_of_them_all() -> None:
    text = documents.metallb({"b": ("10.0.1.240/29", "10.0.1.7"), "a": ("10.0.1.210-10.0.1.230",)})
    objects = [json.loads(part) for part in text.split("\n---\n")]
    assert [(o["kind"], o["metadata"]["name"]) for o in objects] == [
        ("IPAddressPool", "a"),
        ("IPAddressPool", "b"),
        ("L2Advertisement", "rpool"),
    ]
    assert objects[1]["spec"] == {"addresses": ["10.0.1.240/29", "10.0.1.7/32"]}
    assert objects[2]["spec"] == {"ipAddressPools": ["a", "b"]}


@pytest.mark.parametrize("user", ["ann", "ann:sesame", "ann:se$ame", ":sesame"])
def test_no_password_for_a_mirror_can_get_into_a_script(user: str) -> None:
    with pytest.raises(ValueError, match="must not hold a user or a password") as caught:
        url(f"https://{user}@mirror.example.org/k8s")
    assert "ame" not in str(caught.value)
    assert url("https://mirror.example.org/k8s/@v1/") == "https://mirror.example.org/k8s/@v1"

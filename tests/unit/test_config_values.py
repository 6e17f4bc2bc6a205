"""What single values may be: none that undoes what rpool promises."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from worlds.declared import POOL, SITE, changed

from rpool.config import parse_pool, parse_site, values
from rpool.errors import Path, SpecError

ENDPOINT: Path = ("control_plane", "endpoint")


@pytest.mark.parametrize(
    "address",
    [
        "--all:6443",
        ".:6443",
        "-api:6443",
        "api-:6443",
        "a..b:6443",
        "300.1.1.1:6443",
        "10.0.1:6443",
        "1:6443",
        "api.example.org:0",
        "api.example.org:06443",
        "api.example.org:65536",
        "api.example.org:٦٤٤٣",
        "API.example.org:6443",
        "api.example.org:6443\n",
        "api.example.org",
        ":6443",
        "a" * 64 + ":6443",
    ],
)
def test_an_endpoint_that_is_no_host_and_port_is_found(address: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_pool(changed(POOL, ENDPOINT, {"address": address}))
    (problem,) = caught.value.problems
    assert problem.path == (*ENDPOINT, "address")
    assert "host:port such as" in problem.summary


@pytest.mark.parametrize(
    "address", ["api.example.org:6443", "10.0.1.9:443", "lb-1:1", "x1.y2z:65535"]
)
def test_an_endpoint_may_be_a_name_or_an_address(address: str) -> None:
    assert parse_pool(changed(POOL, ENDPOINT, {"address": address}))


@pytest.mark.parametrize(
    ("attribute", "value", "says"),
    [
        ("kubelet", "apiVersion: v1", "apiVersion can only be kubelet.config.k8s.io/v1beta1"),
        ("kubelet", "kind: ClusterConfiguration", "kind can only be KubeletConfiguration"),
        ("kube_proxy", "apiVersion: v1", "apiVersion can only be kubeproxy.config.k8s.io/v1alpha1"),
        ("kube_proxy", "kind: Secret", "kind can only be KubeProxyConfiguration"),
        ("kubelet", "since: 2026-01-01", "this has a value that kubeadm does not accept"),
        ("kubelet", "a: .nan", "a value that kubeadm does not accept"),
        ("kubelet", "a: !!binary aGVsbG8=", "a value that kubeadm does not accept"),
        ("kubelet", "authentication: {anonymous: {enabled: true}}", "lets anybody"),
        ("kubelet", "authorization: {mode: AlwaysAllow}", "must be Webhook"),
        ("kubelet", "readOnlyPort: 10255", "readOnlyPort"),
        ("kubelet", 'cgroupDriver: "{{ 7 * 7 }}"', "systemd or cgroupfs"),
        ("kubelet", "cgroupDriver: [systemd]", "systemd or cgroupfs"),
        ("kubelet", "[" * 5000, "this is not YAML"),
        ("kube_proxy", "- a", "yamlencode"),
    ],
)
def test_what_a_component_may_not_be_told_is_found(attribute: str, value: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_pool(changed(POOL, ("kubeadm", attribute), value))
    (problem,) = caught.value.problems
    assert problem.path == ("kubeadm", attribute)
    assert says in problem.summary


def test_what_leaves_a_kubelet_as_closed_as_it_was_is_taken() -> None:
    text = (
        "cgroupDriver: cgroupfs\nauthentication: {anonymous: {enabled: false}}\n"
        "authorization: {mode: Webhook}\nreadOnlyPort: 0\nfailSwapOn: false\n"
    )
    assert parse_pool(changed(POOL, ("kubeadm", "kubelet"), text))


@pytest.mark.parametrize(
    ("check", "says"),
    [
        ("all", "name the checks"),
        ("ALL", "name the checks"),
        ("--all", "not the name of a kubeadm check"),
        ("Num CPU", "not the name of a kubeadm check"),
        ("", "not the name of a kubeadm check"),
    ],
)
def test_a_check_of_kubeadm_s_is_passed_over_by_its_name(check: str, says: str) -> None:
    path = ("kubeadm", "ignore_preflight_errors")
    with pytest.raises(SpecError) as caught:
        parse_pool(changed(POOL, path, ["SystemVerification", check]))
    (problem,) = caught.value.problems
    assert problem.path == (*path, 1)
    assert says in problem.summary


def test_the_names_that_kubeadm_has_are_taken() -> None:
    names = [
        "NumCPU",
        "Port-10250",
        "FileContent--proc-sys-net-ipv4-ip_forward",
        "FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml",
    ]
    spec = parse_pool(changed(POOL, ("kubeadm", "ignore_preflight_errors"), names))
    assert spec is not None
    assert spec.kubeadm.ignore_preflight_errors == tuple(names)


@pytest.mark.parametrize("version", ["1.036.3", "1.36.03", "1.٣٦.3", "1.36.3\n"])
def test_a_version_is_ascii_digits_without_leading_zeros(version: str) -> None:
    with pytest.raises(SpecError, match="is not a Kubernetes version"):
        parse_pool(changed(POOL, ("kubernetes_version",), version))


@pytest.mark.parametrize(
    "address", ["300.1.1.1", "10.0.1", "a..b", "-a", "x_y", "", "r1u00.example"]
)
def test_a_server_s_address_is_one_of_ipv4(address: str) -> None:
    with pytest.raises(SpecError, match=r"is not an IPv4 address|is a name; the kubelet"):
        parse_site(changed(SITE, ("fleet", "r1u00", "address"), address))


@pytest.mark.parametrize(
    "url", ["https://x/{{7*7}}", "https://x/\x1b[2J", "https://x/a b", "ftp://x"]
)
def test_a_mirror_s_address_has_the_characters_of_one(url: str) -> None:
    with pytest.raises(SpecError, match="is not an http or https address"):
        parse_site(changed(SITE, ("mirrors", "images"), url))


@pytest.mark.parametrize(("bits", "sound"), [(1024, False), (2048, True)])
def test_an_rsa_host_key_is_long_enough(bits: int, sound: bool) -> None:
    key = rsa.generate_private_key(65537, bits).public_key()
    text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    config = changed(SITE, ("fleet", "r1u00", "host_key"), text)
    if sound:
        assert parse_site(config)
        return
    with pytest.raises(SpecError, match=f"this RSA host key has {bits} bits") as caught:
        parse_site(config)
    assert caught.value.problems[0].path == ("fleet", "r1u00", "host_key")


@pytest.mark.parametrize(
    ("names", "says"),
    [(("a", "bc"), 'one of "a" or "bc"'), (("a", "b", "c"), 'one of "a", "b" or "c"')],
)
def test_a_closed_set_is_told_with_all_its_names(names: tuple[str, ...], says: str) -> None:
    assert [values.one_of(names)(name) for name in names] == list(names)
    for other in ("", "A", "ab", "a|b", "a\n"):
        with pytest.raises(ValueError, match=says):
            values.one_of(names)(other)

"""Mistakes in a configuration: each is found, at its place, in a sentence that helps."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from worlds.declared import HOST_KEYS, POOL, SITE, changed

from rpool.config import parse_node, parse_pool, parse_site
from rpool.decide.rules import check, placed
from rpool.errors import DoesNotFit, Path, Problem, SpecError
from rpool.model.pool import PoolSpec, Selector
from rpool.model.site import SiteConfig


def site() -> SiteConfig:
    config = parse_site(SITE)
    assert config is not None
    return config


def problems_at_plan(pool: dict[str, Any]) -> tuple[Problem, ...]:
    """What validate and plan say together, without any server."""
    try:
        spec = parse_pool(pool)
        assert isinstance(spec, PoolSpec)
        check(spec, site().fleet)
        placed(spec, site().fleet, {}, {})
    except SpecError as error:
        return error.problems
    return ()


def test_the_sound_configuration_has_no_problem() -> None:
    assert problems_at_plan(POOL) == ()


CP: Path = ("control_plane", "servers")
VIP: Path = ("control_plane", "endpoint", "vip")
RANGE: Path = ("metallb", "pools", "default", 0)


@pytest.mark.parametrize(
    ("path", "value", "at", "says"),
    [
        (CP, 2, CP, "etcd needs an odd number"),
        (CP, 0, CP, "etcd needs an odd number"),
        (CP, 9, CP, "(1, 3, 5 or 7)"),
        (("cores",), 0, ("cores",), "must be at least 1"),
        (("cores",), -4, ("cores",), "must be at least 1"),
        (("cores",), 1.5, ("cores",), "whole number"),
        (("memory",), 0, ("memory",), "must be at least 1"),
        (("name",), "Batch_1", ("name",), "DNS label"),
        (("name",), "a" * 41, ("name",), "DNS label"),
        (("name",), "", ("name",), "DNS label"),
        (("kubernetes_version",), "latest", ("kubernetes_version",), 'such as "1.36.3"'),
        (("kubernetes_version",), "v1.36.3", ("kubernetes_version",), 'such as "1.36.3"'),
        (("kubernetes_version",), "1.20.1", ("kubernetes_version",), "knows 1.34 to 1.37"),
        (VIP, "10.0.1", VIP, "is not an IPv4 address"),
        (VIP, None, ("control_plane", "endpoint"), "exactly one of vip and address"),
        (VIP, "10.0.1.220", VIP, "inside range 10.0.1.210-10.0.1.230 of MetalLB pool default"),
        (VIP, "10.244.3.4", VIP, "lies inside pod_cidr"),
        (VIP, "10.0.1.4", VIP, "a server has: 10.0.1.4 of r1u00"),
        (("control_plane", "endpoint", "address"), "api.example.org:6443", VIP[:2], "exactly one"),
        (("selector", "zones"), ["rack9"], ("selector", "zones"), "The fleet's zones are: rack1"),
        (
            ("selector", "labels"),
            {"disk": "tape"},
            ("selector", "labels", "disk"),
            "Values of disk in the fleet: nvme",
        ),
        (
            ("networking", "pod_cidr"),
            "10.96.0.0/16",
            ("networking", "service_cidr"),
            "overlaps pod_cidr",
        ),
        (
            ("networking", "pod_cidr"),
            "10.0.0.0/16",
            ("networking", "pod_cidr"),
            "a server has: 10.0.1.4 of r1u00",
        ),
        (
            ("networking", "pod_cidr"),
            "10.244.0.1/16",
            ("networking", "pod_cidr"),
            "the network is 10.244.0.0/16",
        ),
        (("networking", "pod_cidr"), "10.1.0.0/28", ("networking", "pod_cidr"), "too small"),
        (("networking", "cni"), "weave", ("networking", "cni"), '"weave" is not one of "'),
        (RANGE, "10.0.1.230-10.0.1.210", RANGE, "ends before it begins"),
        (RANGE, "10.0.1.0/24", VIP, "inside range 10.0.1.0/24"),
        (RANGE, "10.0.1.2-10.0.1.5", RANGE, "a server has: 10.0.1.4 of r1u00"),
        (
            ("metallb", "pools", "default"),
            ["10.0.1.210-10.0.1.220", "10.0.1.215-10.0.1.230"],
            RANGE,
            "overlaps 10.0.1.215-10.0.1.230",
        ),
        (("metallb", "pools"), {}, ("metallb", "pools"), "must not be empty"),
        (("kubeadm", "kubelet"), "- a\n- b", ("kubeadm", "kubelet"), "yamlencode"),
        (("cores",), 400, ("cores",), "does not fit"),
        (CP, 7, ("cores",), "does not fit"),
    ],
)
def test_a_mistake_in_a_pool_is_found_at_plan(path: Path, value: Any, at: Path, says: str) -> None:
    problems = problems_at_plan(changed(POOL, path, value))
    texts = [f"{p.summary}\n{p.detail}" for p in problems if p.path == at]
    assert any(says in text for text in texts), problems


@pytest.mark.parametrize(
    ("path", "value", "at", "says"),
    [
        (("fleet",), {}, ("fleet",), "must not be empty"),
        (("fleet", "r1u00", "cores"), 0, ("fleet", "r1u00", "cores"), "at least 1"),
        (("fleet", "r1u00", "address"), "10.0.1.5", ("fleet", "r2u01", "address"), "the same"),
        (("fleet", "r1u00", "host_key"), HOST_KEYS[1], ("fleet", "r2u01", "host_key"), "the same"),
        (
            ("fleet", "r1u00", "host_key"),
            "SHA256:abc",
            ("fleet", "r1u00", "host_key"),
            "ssh_host_ed25519_key.pub",
        ),
        (
            ("fleet", "r1u00", "host_key"),
            HOST_KEYS[0].replace("ssh-ed25519", "ssh-rsa"),
            ("fleet", "r1u00", "host_key"),
            "holds a key of another type",
        ),
        (("fleet", "r1u00", "zone"), "Rack 1", ("fleet", "r1u00", "zone"), "DNS label"),
        (("ssh", "private_key"), "/home/me/id", ("ssh", "private_key"), "not a path"),
        (("ssh", "user"), "o ps", ("ssh", "user"), "user name"),
        (("mirrors", "images"), "registry:5000", ("mirrors", "images"), "http or https"),
    ],
)
def test_a_mistake_in_a_site_is_found_before_any_server_is_asked(
    path: Path, value: Any, at: Path, says: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_site(changed(SITE, path, value))
    summaries = {problem.path: problem.summary for problem in caught.value.problems}
    assert says in summaries[at]


def test_a_server_name_that_cannot_be_a_node_name_is_found() -> None:
    config = copy.deepcopy(SITE)
    config["fleet"]["R1_U1"] = config["fleet"].pop("r1u00")
    with pytest.raises(SpecError) as caught:
        parse_site(config)
    assert caught.value.problems[0].path == ("fleet", "R1_U1")


def test_all_mistakes_come_at_once() -> None:
    pool = changed(changed(changed(POOL, CP, 2), ("cores",), 0), ("name",), "A")
    assert {problem.path for problem in problems_at_plan(pool)} == {CP, ("cores",), ("name",)}


def test_a_private_key_is_never_part_of_an_error() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"
    with pytest.raises(SpecError) as caught:
        parse_site(changed(SITE, ("ssh", "private_key"), key))
    assert "c2VjcmV0" not in repr(caught.value.problems) + str(caught.value)


def test_modelled_servers_need_no_private_key() -> None:
    """So the same block can be tried without one."""
    without = changed(SITE, ("ssh", "private_key"), None)
    site = parse_site({**without, "simulate": {}})
    assert site is not None and site.simulated
    assert parse_site(without, [("ssh", "private_key")]) is None
    with pytest.raises(SpecError, match=r"ssh\.private_key is required"):
        parse_site(without)


def test_rules_about_unknown_values_wait_and_the_others_do_not() -> None:
    pool = copy.deepcopy(POOL)
    del pool["cores"], pool["control_plane"]["endpoint"]
    unknown = [("cores",), ("control_plane", "endpoint")]
    assert parse_pool(pool, unknown) is None
    empty = pool | {"metallb": {"pools": {}}}
    assert parse_pool(empty, [*unknown, ("metallb", "pools", "default")]) is None
    with pytest.raises(SpecError) as caught:
        parse_pool(pool | {"memory": 0}, unknown)
    assert [problem.path for problem in caught.value.problems] == [("memory",)]


def test_what_does_not_fit_is_counted() -> None:
    spec = parse_pool(POOL | {"cores": 48})
    assert spec is not None
    with pytest.raises(DoesNotFit) as caught:
        placed(spec, site().fleet, {"r1u00": "claimed by cluster other"}, {})
    detail = caught.value.problems[0].detail
    assert "Missing: 32 cores" in detail
    assert "r1u00: claimed by cluster other" in detail
    assert "Free for its selector: " in detail
    assert detail.endswith("Or widen the selector.")
    with pytest.raises(DoesNotFit) as caught:
        placed(replace(spec, selector=Selector()), site().fleet, {}, {})
    assert "Free: " in caught.value.problems[0].detail
    assert "selector" not in caught.value.problems[0].detail


def test_taints_of_a_node_are_compared_before_its_cluster_is_known() -> None:
    taint = {"key": "gpu", "effect": "NoSchedule"}
    config = {"server": "gpu1", "taint": [taint, taint | {"value": "yes"}]}
    with pytest.raises(SpecError, match="two taints have the key gpu"):
        parse_node(config, [("cluster",)])
    assert parse_node(config | {"taint": [taint]}, [("cluster",)]) is None

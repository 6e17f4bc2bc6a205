"""A private key in the wrong attribute is no part of any error, whichever attribute it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from worlds.declared import POOL, PRIVATE_KEY, SITE

from rpool.config import parse_node, parse_pool, parse_site
from rpool.errors import Path, SpecError
from rpool.model.secret import shown
from rpool_provider.resources import durations

BODY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"
LINES = f"{BODY}\nQyNTUxOQAAACDkr5sQWq7Zl0hD3g1yVvH0lJf2mTn8bXoUeYw4cKpRzAAAAJgMZ1GADGdR\ngAAAAA=="
KEYS = {
    "whole": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{LINES}\n-----END OPENSSH PRIVATE KEY-----\n",
    "with lines of Windows'": f"-----BEGIN RSA PRIVATE KEY-----\r\n{BODY}\r\n",
    "without its frame": LINES,
    "one line of it": BODY,
    "in one line": "-----BEGIN PRIVATE KEY-----" + LINES.replace("\n", ""),
}

FULL_SITE: dict[str, Any] = {
    **SITE,
    "fleet": {name: {**entry, "labels": {"disk": "nvme"}} for name, entry in SITE["fleet"].items()},
    "ssh": {"private_key": PRIVATE_KEY, "user": "ops"},
    "mirrors": {"packages": "https://a", "images": "https://b", "manifests": "https://c"},
}
FULL_POOL: dict[str, Any] = {
    **POOL,
    "selector": {"zones": ["rack1"], "labels": {"disk": "nvme"}},
    "networking": {"pod_cidr": "10.244.0.0/16", "service_cidr": "10.96.0.0/12", "cni": "none"},
    "control_plane": {"servers": 3, "endpoint": {"vip": "10.0.1.200"}},
    "kubeadm": {
        "kubelet": "maxPods: 50",
        "kube_proxy": "mode: ipvs",
        "ignore_preflight_errors": ["NumCPU"],
    },
    "tolerate": {"servers": 1},
    "drain": {"timeout": "10m", "on_timeout": "fail"},
}
LOAD_BALANCED = {**FULL_POOL, "control_plane": {"servers": 3, "endpoint": {"address": "a.b:6443"}}}
NODE = {
    "cluster": "0863513a9c41d07e",
    "server": "r1u04",
    "labels": {"disk": "nvme"},
    "taint": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}],
}
CONFIGURATIONS: dict[str, tuple[Callable[[Any], object], dict[str, Any]]] = {
    "provider": (parse_site, FULL_SITE),
    "cluster": (parse_pool, FULL_POOL),
    "cluster behind a load balancer": (parse_pool, LOAD_BALANCED),
    "node": (parse_node, NODE),
}


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, bool]]:
    """The path of each value and of each key of a map, and whether it is a key."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    for step, item in items:
        if isinstance(value, Mapping):
            yield (*path, step), True
        if isinstance(item, Mapping | list):
            yield from places(item, (*path, step))
        yield (*path, step), False


def spoilt(config: dict[str, Any], path: Path, is_key: bool, text: str) -> dict[str, Any]:
    config = copy.deepcopy(config)
    at: Any = config
    for step in path[:-1]:
        at = at[step]
    if is_key:
        at[text] = at.pop(path[-1])
    else:
        at[path[-1]] = text
    return config


CASES = [
    pytest.param(read, config, path, is_key, id=f"{name}: {'.'.join(map(str, path))} {is_key}")
    for name, (read, config) in CONFIGURATIONS.items()
    for path, is_key in places(config)
]


def parts(key: str) -> list[str]:
    text = "".join(key.split())
    return [text[start : start + 12] for start in range(len(text) - 12) if "-" not in text[start:]]


@pytest.mark.parametrize(("read", "config", "path", "is_key"), CASES)
def test_no_error_has_a_part_of_a_key_in_any_place(
    read: Callable[[Any], object], config: dict[str, Any], path: Path, is_key: bool
) -> None:
    for key in KEYS.values():
        try:
            read(spoilt(config, path, is_key, key))
        except SpecError as error:
            text = "".join(f"{str(error)!r}{error.problems!r}".split())
            assert BODY[:12] not in text
            assert not [part for part in parts(key) if part in text]
        else:
            assert path == ("ssh", "private_key")


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_nor_has_one_about_a_time_limit(key: str) -> None:
    (problem,) = durations.problems({"create": key}, ("timeouts",))
    assert BODY[:12] not in repr(problem)


def test_a_key_and_a_user_that_were_swapped_are_told_without_the_key() -> None:
    ssh = {"private_key": "ops", "user": KEYS["whole"]}
    with pytest.raises(SpecError) as caught:
        parse_site({**FULL_SITE, "ssh": ssh})
    assert {problem.path for problem in caught.value.problems} == {
        ("ssh", "private_key"),
        ("ssh", "user"),
    }
    assert BODY[:12] not in repr(caught.value.problems)


def test_a_value_is_shown_in_one_short_line() -> None:
    assert shown("ops team") == '"ops team"'
    assert shown("one\n two") == '"one two"'
    assert len(shown("some words " * 30)) == 62
    assert "not shown" in shown("x" * 40)


@pytest.mark.parametrize("damaged", ["AAAAC3NzaC1lZDI1NTE5A", "AAAAC3NzaC1lZDI1NTE5AAAAI!", "A"])
def test_a_host_key_that_was_not_copied_whole_is_told_in_our_words(damaged: str) -> None:
    site = copy.deepcopy(FULL_SITE)
    name = next(iter(site["fleet"]))
    site["fleet"][name]["host_key"] = f"ssh-ed25519 {damaged}"
    with pytest.raises(SpecError) as caught:
        parse_site(site)
    (problem,) = caught.value.problems
    assert problem.path == ("fleet", name, "host_key")
    assert "this host key is damaged: the part after its type is not base64" in problem.summary
    assert "data characters" not in str(caught.value)
    assert "padding" not in str(caught.value)

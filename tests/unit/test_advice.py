"""Some test follows each advice in each of its ways, and each place that gives one fills it in."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import following
import pytest

import rpool
import rpool_provider
from rpool.advice import Do

for path in Path(__file__).parent.glob("test_advice_*.py"):
    import_module(path.stem)  # the import notes which ways its tests go

FOOTHOLDS = "tests/unit/reach/test_reach_footholds.py"
ELSEWHERE = {
    # Ways that need the real Terraform or a real server, and the test that goes each.
    (Do.IMPORT_NODE, 0): "tests/protocol/test_node.py::test_a_node_is_renamed_by_a_moved_block",
    (Do.SET_BACK, 1): "tests/protocol/test_terraform.py::test_a_cluster_is_built_anew_as_advised",
    (Do.WITHOUT_KUBECONFIG, 0): "tests/protocol/test_kubeconfig.py::"
    "test_a_cluster_without_its_api_is_mended_as_advised",
    (Do.PUT_CA_KEY_BACK, 0): "tests/unit/reach/test_reach_observe.py::"
    "test_who_has_not_the_key_of_its_ca_is_no_control_plane",
    (Do.REINSTALL, 0): f"{FOOTHOLDS}::test_a_server_whose_packages_were_put_right_is_given_back",
    (Do.REINSTALL, 1): f"{FOOTHOLDS}::test_a_server_whose_packages_were_put_right_is_given_back",
    (Do.REINSTALL, 2): f"{FOOTHOLDS}::test_a_server_whose_packages_were_put_right_is_given_back",
    (Do.LOOK_AROUND, 0): f"{FOOTHOLDS}::test_what_stays_is_the_servers_own_at_the_next_claim",
    (Do.LOOK_AROUND, 1): f"{FOOTHOLDS}::test_what_stays_is_the_servers_own_at_the_next_claim",
    (Do.NEW_HOST_KEY, 0): "tests/unit/reach/test_reach_ssh.py::"
    "test_a_wrong_host_key_is_refused_with_both_fingerprints_until_the_right_one_is_put_in",
}

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("advice", Do, ids=lambda advice: advice.name)
def test_each_way_of_an_advice_is_gone_by_some_test(advice: Do) -> None:
    elsewhere = {way for do, way in ELSEWHERE if do is advice}
    followed = following.WALKS[advice] | elsewhere
    assert followed == set(range(len(advice.ways)))


@pytest.mark.parametrize("place", ELSEWHERE.values())
def test_what_is_gone_elsewhere_is_there(place: str) -> None:
    file, _, test = place.partition("::")
    assert f"def {test}(" in (CHECKOUT / file).read_text()


def given() -> Iterator[tuple[str, Do, ast.Call]]:
    """Every place that gives an advice: the place, the advice, the call."""
    for package in (rpool, rpool_provider):
        for path in Path(package.__path__[0]).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(function := node.func, ast.Attribute):
                    advice = function.value
                    if isinstance(advice, ast.Attribute) and ast.unparse(advice.value) == "Do":
                        yield f"{path.name}:{node.lineno}", Do[advice.attr], node


def test_whoever_gives_an_advice_fills_in_what_it_names() -> None:
    places = list(given())
    assert {advice for _, advice, _ in places} == set(Do)
    wrong = {}
    for place, advice, call in places:
        named = {name for _, name, _, _ in string.Formatter().parse(" ".join(advice.ways)) if name}
        words = {keyword.arg for keyword in call.keywords}
        if None not in words and words != named:  # most_of() gives words of its own
            wrong[place] = (advice.name, words ^ named)
    assert wrong == {}

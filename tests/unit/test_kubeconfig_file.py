"""A kubeconfig of the user's own: a cluster comes in, and all the rest stays as it is."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rpool.certificates import new_ca
from rpool.cli.kubeconfig_file import merge
from rpool.errors import Refused
from rpool.kubeconfig import kubeconfig, with_certificate
from rpool.model.access import Credential, Entrance
from rpool.model.secret import Secret

CA = new_ca()
DOOR = Entrance("0badcafe", "batch", "r1u04", "https://10.0.1.200:6443", CA)
OLD = """\
apiVersion: v1
kind: Config
preferences: {}
current-context: old
clusters:
- name: old
  cluster: {server: "https://old:6443", insecure-skip-tls-verify: yes}
users:
- name: old
  user: {token: '0123', expiry: 2024-01-01T00:00:00Z, id: 0o17, at: 12:30:45}
contexts:
- {name: old, context: {cluster: old, user: old}}
extensions: null
"""


def document(key: str = "one", door: Entrance = DOOR) -> Any:
    return kubeconfig("rpool-batch", door, with_certificate(Credential("cert", Secret(key), 0.0)))


def text_of(path: Path) -> Any:
    """The document in a file, with each scalar as it is written."""
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 only strings


def names(path: Path, section: str) -> list[str]:
    return [entry["name"] for entry in text_of(path)[section]]


@pytest.mark.parametrize("before", [None, "", "null\n", "---\n# empty\n"])
def test_where_there_is_nothing_it_is_a_whole_kubeconfig(tmp_path: Path, before: str) -> None:
    path = tmp_path / ".kube/config"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    merge(path, document())
    assert yaml.safe_load(path.read_text()) == document()


def test_what_others_have_is_written_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OLD)
    before = text_of(path)
    merge(path, document())
    after = text_of(path)
    for section in ("clusters", "users", "contexts"):
        assert after[section][:-1] == before.pop(section)
        assert after.pop(section)[-1]["name"] == "rpool-batch"
    assert after == before
    assert "yes" in path.read_text() and "0o17" in path.read_text()
    assert "!!" not in path.read_text()


def test_a_second_time_takes_the_place_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OLD)
    for key in ("one", "two"):
        merge(path, document(key))
    assert names(path, "users") == ["old", "rpool-batch"]
    assert names(path, "clusters") == names(path, "contexts") == ["old", "rpool-batch"]
    assert text_of(path)["users"][1] == document("two")["users"][0]


def test_the_current_context_stays_the_users_choice(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OLD)
    merge(path, document())
    assert text_of(path)["current-context"] == "old"
    path.write_text(OLD.replace("current-context: old", 'current-context: ""'))
    merge(path, document())
    assert text_of(path)["current-context"] == "rpool-batch"


def test_another_cluster_of_that_name_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "config"
    merge(path, document())
    before = path.read_bytes()
    another = Entrance("feedc0de", "batch", "r1u04", "https://10.0.1.200:6443", new_ca())
    with pytest.raises(Refused, match="already has another cluster named rpool-batch"):
        merge(path, document(door=another))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clusters: [", "in line"),
        ("a: b\n---\na: c\n", "but found another document in line 2"),
        ("- a\n", "it is not a mapping"),
        ("clusters: {}\n", "clusters is not a list"),
        ("\x00", "it is not valid YAML"),
        (b"\xff\xfe\xff", "it is not valid YAML"),
    ],
)
def test_what_is_no_kubeconfig_is_left_as_it_is(
    tmp_path: Path, text: str | bytes, says: str
) -> None:
    path = tmp_path / "config"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = path.read_bytes()
    with pytest.raises(Refused, match=says):
        merge(path, document())
    assert [file.name for file in tmp_path.iterdir()] == ["config"]
    assert path.read_bytes() == before


def test_an_error_about_a_file_quotes_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text('users:\n- user: {token: "canary\n  ]')
    with pytest.raises(Refused) as caught:
        merge(path, document())
    assert "canary" not in str(caught.value)


def test_only_its_owner_reads_it_and_a_link_stays_one(tmp_path: Path) -> None:
    real, path = tmp_path / "dotfiles", tmp_path / ".kube/config"
    real.write_text(OLD)
    real.chmod(0o644)
    path.parent.mkdir()
    path.symlink_to(real)
    merge(path, document())
    assert path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == [".kube", "dotfiles"]


def test_a_file_that_kubectl_is_changing_is_not_changed(tmp_path: Path) -> None:
    path, lock = tmp_path / "config", tmp_path / "config.lock"
    path.write_text(OLD)
    lock.touch()
    with pytest.raises(Refused, match="is locked"):
        merge(path, document())
    assert path.read_text() == OLD
    assert lock.exists()
    lock.unlink()
    merge(path, document())
    assert not lock.exists()


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(max_size=8).filter(lambda name: name != "current-context"), VALUES),
    st.lists(st.dictionaries(st.text(max_size=8), VALUES, max_size=3), max_size=3),
    st.booleans(),
)
def test_of_any_file_that_is_one_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    others: dict[str, Any],
    entries: list[dict[str, Any]],
    flow: bool,
) -> None:
    path = tmp_path_factory.mktemp("kube") / "config"
    sections = dict.fromkeys(("clusters", "users", "contexts"), entries)
    path.write_text(yaml.safe_dump(others | sections, default_flow_style=flow))
    merge(path, document())
    after = yaml.safe_load(path.read_text())
    wanted = document()
    for section in sections:
        assert after.pop(section) == entries + wanted[section]
    assert after == {name: value for name, value in others.items() if name not in sections} | {
        "current-context": "rpool-batch"
    }

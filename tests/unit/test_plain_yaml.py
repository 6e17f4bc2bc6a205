"""YAML of users and of their clusters' records: a few lines are never gigabytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from worlds.samples import RECORD

from rpool import plain_yaml
from rpool.cli.main import main
from rpool.config import component
from rpool.errors import Refused
from rpool.model.record import Record
from rpool.reach import documents
from rpool.user_settings import settings
from rpool_provider.resources import meaning

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_what_was_written_is_read() -> None:
    text = "maxPods: 50\nevictionHard: {memory.available: 100Mi}"
    assert plain_yaml.load(text) == yaml.safe_load(text)


MERGED = """
base: &base {cores: 4, memory: 16}
more: {one: &one {<<: *base, cores: 8}}
other: {<<: *one, zone: a}
1: a
"1": b
"""


def test_a_name_that_is_also_merged_in_is_not_there_twice() -> None:
    loaded = plain_yaml.load(MERGED, aliases=True)
    assert loaded == yaml.safe_load(MERGED)
    assert loaded["other"] == {"cores": 8, "memory": 16, "zone": "a"}


def test_a_setting_of_kubernetes_own_that_is_there_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"not YAML \(line 2, column 1\): duplicate key"):
        component.kubelet("maxPods: 50\nmaxPods: 60\n")


def record_with(text: str) -> Record:
    spec = RECORD.spec
    return replace(RECORD, settled=replace(spec, kubeadm=replace(spec.kubeadm, kubelet=text)))


def test_a_record_whose_text_says_of_itself_what_it_is_not_is_unreadable_and_no_more() -> None:
    """An admin of the cluster can write such a record."""
    written = json.loads(documents.record(record_with('a: !!int ""')))["data"]["record"]
    with pytest.raises(ValueError, match="not YAML"):
        documents.read_record(written)


def test_an_alias_is_refused_wherever_such_a_text_is_read() -> None:
    with pytest.raises(yaml.YAMLError, match="aliases"):
        plain_yaml.load(BOMB)
    with pytest.raises(ValueError, match=r"this is not YAML \(line 2"):
        component.kubelet(BOMB)
    with pytest.raises(Refused):
        settings(BOMB)
    assert meaning.yaml(BOMB) == BOMB
    written = json.loads(documents.record(record_with(BOMB)))["data"]["record"]
    with pytest.raises(ValueError, match="not YAML"):
        documents.read_record(written)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [\n b: c: d\n", "in line 2, column 6: expected ',' or ']', but got ':'"),
        ("a: 1\n  b: 2\n", "in line 2, column 4: mapping values are not allowed here"),
        ("a: é\nb: \x01\n", "in line 2, column 4: '\\x01' is a character that YAML does not allow"),
        ("a: !!python/x 1\n", "in line 1, column 4: could not determine a constructor"),
        ("a: 2026-13-01\n", "month must be in 1..12"),
        ('a: !!int ""\n', "in line 1, column 4: this is not a valid int"),
        ("b: 1\na: !!bool x\n", "in line 2, column 4: this is not a valid bool"),
        ("a: !!timestamp x\n", "in line 1, column 4: this is not a valid timestamp"),
        ("a: 1\nb: 2\na: 3\n", "in line 3, column 1: duplicate key, first in line 1"),
        ('a: {"b": 1, b: 2}\n', "in line 1, column 13: duplicate key, first in line 1"),
        ("[" * 5000, "recursion"),
    ],
)
@pytest.mark.parametrize("named", ["site.yaml", "servers.yaml"])
def test_a_file_that_is_no_yaml_is_named_with_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str, text: str, says: str
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("fleet_file: servers.yaml\n")
    (tmp_path / named).write_text(text)
    assert main(["list", "--site", str(site)]) == 1
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f"rpool: {tmp_path / named} is not valid YAML")
    assert says in first
    assert "unicode string" not in first

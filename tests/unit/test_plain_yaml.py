"""YAML of users and of their clusters' records: a few lines are never gigabytes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml
from worlds.samples import RECORD

from rpool import plain_yaml
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


def record_with(text: str) -> Record:
    spec = RECORD.spec
    return replace(RECORD, settled=replace(spec, kubeadm=replace(spec.kubeadm, kubelet=text)))


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

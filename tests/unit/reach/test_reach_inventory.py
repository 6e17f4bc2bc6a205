"""An Ansible inventory is read by Ansible, and nothing in it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rpool.errors import SpecError
from rpool.reach.inventory import read_file, read_text

INI = """
[rack1]
r1u0[1:2].example.org ansible_port=2222 rpool_cores=16

[rack2]
r2u01 ansible_host=10.0.2.1 x="{{ lookup('pipe', 'touch {file}') }}"

[all:vars]
ansible_user=ops
"""
YAML = """
all:
  children:
    rack1:
      vars: {rpool_memory: 64Gi}
      hosts:
        r1u01: {ansible_host: 10.0.1.1, rpool_labels: {disk: nvme}}
"""


def test_ini_with_ranges_groups_and_variables_is_read_and_no_template_is_filled_in(
    tmp_path: Path,
) -> None:
    first, second, third = read_text(INI.replace("{file}", str(tmp_path / "ran")))
    assert (first.name, first.address) == ("r1u01.example.org", "r1u01.example.org")
    assert (first.port, first.user, first.groups) == (2222, "ops", ("rack1",))
    assert first.variables["rpool_cores"] == 16
    assert second.name == "r1u02.example.org"
    assert (third.name, third.address, third.port) == ("r2u01", "10.0.2.1", 22)
    assert "lookup" in third.variables["x"]
    assert not (tmp_path / "ran").exists()


def test_yaml_is_read_with_what_its_groups_say() -> None:
    (host,) = read_text(YAML)
    assert (host.address, host.groups) == ("10.0.1.1", ("rack1",))
    assert host.variables["rpool_memory"] == "64Gi"
    assert host.variables["rpool_labels"] == {"disk": "nvme"}


def test_an_inventory_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    program = tmp_path / "hosts"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho '{{}}'\n")
    program.chmod(0o755)
    with pytest.raises(SpecError, match="hosts is no inventory that Ansible can read"):
        read_file(program)
    assert not (tmp_path / "ran").exists()


def test_no_setting_of_the_operator_s_changes_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_INVENTORY_ENABLED", "script")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    (tmp_path / "ansible.cfg").write_text("[inventory]\nenable_plugins = script\n")
    assert len(read_text(YAML)) == 1


@pytest.mark.parametrize("text", ["[a:children]\nnowhere\n", "[a\n", "all: {hosts: [1]}\n"])
def test_what_is_none_is_an_error_with_ansible_s_word(text: str) -> None:
    with pytest.raises(SpecError, match="is no inventory that Ansible can read") as caught:
        read_text(text)
    assert caught.value.problems[0].detail

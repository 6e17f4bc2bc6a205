"""What the pages show is understood by the real Terraform and the provider."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from lab.terraform import version

from protocol.plugin_process import CHECKOUT, LAUNCHER
from protocol.workspace import Workspace, terraform
from rpool.simulate import FILE_NAME

REQUIRED = (
    'terraform {\n required_providers {\n  rpool = { source = "resource-pool/rpool" }\n }\n}\n'
)
UNKNOWN = {
    "Unsupported argument",
    "Unsupported block type",
    "Invalid resource type",
    "Invalid data source",
    "Invalid ephemeral resource type",
    "Unsupported attribute",
    "Incorrect attribute value type",
    "Argument or block definition required",
    "Invalid expression",
}
"""Terraform's errors for an unknown name, for a value of another type, and for what is no HCL."""

IDENTITY = re.compile(r"^ +identity +=", re.M)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, tmp_path / FILE_NAME, provider=[str(LAUNCHER)])


def shown(page: Path) -> list[tuple[str, str]]:
    """All HCL in a page, and what file it is, if its fence says so: ```terraform main.tf"""
    return re.findall(r"^```(?:terraform|hcl) ?(\S*)\n(.*?)^```", page.read_text(), re.M | re.S)


def configurations() -> dict[str, str]:
    """All configurations in pages for users, less settings of Terraform's own, values and tests."""
    pages = (CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md")))
    return {
        f"{page.relative_to(CHECKOUT)} {number}": text
        for page in pages
        if "decisions" not in page.parts
        for number, (file, text) in enumerate(shown(page), 1)
        if not text.startswith("provider_installation") and not file.endswith((".tfvars", ".hcl"))
    }


def whole(text: str) -> str:
    """A piece as a configuration: what is no block of Terraform's is in a cluster."""
    kinds = "terraform|provider|resource|data|ephemeral|import|variable|locals|module|output"
    if not re.search(rf"^({kinds})\b", text, re.M):
        text = f'resource "rpool_cluster" "shown" {{\n{text}\n}}\n'
    return text if "required_providers" in text else REQUIRED + text


def unknown(workspace: Workspace, pieces: Mapping[str, str]) -> list[tuple[str, str]]:
    """The pieces with an error of UNKNOWN, and that error. Each piece is a module here."""
    root = []
    for number, (where, text) in enumerate(pieces.items()):
        module = workspace.folder / f"module{number}"
        module.mkdir()
        (module / "main.tf").write_text(f"# {where}\n{whole(text)}")
        root.append(f'module "of{number}" {{\n source = "./module{number}"\n}}\n')
    (workspace.folder / "main.tf").write_text("".join(root))
    assert workspace.run("get").status == 0
    diagnostics = json.loads(workspace.run("validate", "-json").output)["diagnostics"]
    names = list(pieces)
    return [
        (names[int(match[1])], f"{diagnostic['summary']}: {diagnostic['detail']}")
        for diagnostic in diagnostics
        if diagnostic["summary"] in UNKNOWN
        and (match := re.match(r"module(\d+)/", diagnostic["range"]["filename"]))
    ]


def test_a_configuration_that_is_shown_has_no_name_that_is_unknown(workspace: Workspace) -> None:
    pieces = configurations()
    if version(terraform()) < (1, 12):  # nothing that has one can be read
        pieces = {where: text for where, text in pieces.items() if not IDENTITY.search(text)}
    assert len(pieces) > 20
    assert unknown(workspace, pieces) == []


@pytest.mark.parametrize(
    "piece",
    ["drain {\n timout = 1\n}", 'data "rpool_fleets" "x" {}', 'cores = "many"'],
)
def test_one_that_has_is_found(piece: str, workspace: Workspace) -> None:
    right = 'resource "rpool_cluster" "a" {\n name = "a"\n}\n'
    found = unknown(workspace, {"right": right, "wrong": piece, "right, too": right})
    assert {where for where, _ in found} == {"wrong"}


def test_the_tests_of_a_module_pass(workspace: Workspace) -> None:
    files = {name: text for name, text in shown(CHECKOUT / "docs/guides/simulated.md") if name}
    for name, text in files.items():
        path = workspace.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    ran = workspace.run("test", "-no-color")
    assert (len(files), ran.status) == (2, 0), ran.output
    assert "Success! 2 passed, 0 failed." in ran

"""HashiCorp's own tool finds nothing wrong with the pages that a registry is to show."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from lab.cache import default_cache, locked, made
from lab.packages.go_modules import Program, build

from protocol.plugin_process import CHECKOUT, LAUNCHER
from protocol.workspace import Workspace
from rpool.simulate import FILE_NAME

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

TFPLUGINDOCS = Program(
    "tfplugindocs",
    "github.com/hashicorp/terraform-plugin-docs",
    "0.25.0",
    {"tfplugindocs": "cmd/tfplugindocs"},
)
NAMESPACE = "hashicorp"  # in which alone it looks for a schema


@pytest.fixture(scope="module")
def tfplugindocs() -> Path:
    """The program, built once (a minute), and kept in the lab's cache."""
    cache = default_cache()
    with locked(cache):
        folder = cache.programs / TFPLUGINDOCS.key
        made(folder, f"building {TFPLUGINDOCS.key}", lambda into: build(TFPLUGINDOCS, into))
    return folder / "tfplugindocs"


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider's schema as Terraform prints it, under the name that the tool asks for."""
    folder = tmp_path_factory.mktemp("schema")
    workspace = Workspace(folder, folder / FILE_NAME, provider=[str(LAUNCHER)])
    workspace.write(site_values={"simulate": {"servers": 12}})
    printed = json.loads(workspace.run("providers", "schema", "-json").output)
    ((address, provider),) = printed["provider_schemas"].items()
    host, _, name = address.split("/")
    printed["provider_schemas"] = {f"{host}/{NAMESPACE}/{name}": provider}
    (folder / "schema.json").write_text(json.dumps(printed))
    return folder / "schema.json"


def validated(program: Path, schema: Path, checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(program), "validate",
            f"--provider-dir={checkout}",
            "--provider-name=terraform-provider-rpool",
            f"--providers-schema={schema}",
        ],
        capture_output=True,
        text=True,
        timeout=100,
    )  # fmt: skip


def test_the_pages_are_as_a_registry_wants_them(tfplugindocs: Path, schema: Path) -> None:
    done = validated(tfplugindocs, schema, CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "running file checks on docs/guides/repair.md" in done.stdout + done.stderr


def test_a_page_of_nothing_and_one_without_a_title_are_found(
    tfplugindocs: Path, schema: Path, tmp_path: Path
) -> None:
    """So that the test above can fail."""
    shutil.copytree(CHECKOUT / "docs", tmp_path / "docs")
    (tmp_path / "docs/resources" / "moon.md").write_text("---\npage_title: moon\n---\n")
    (tmp_path / "docs/guides" / "bare.md").write_text("# Bare\n")
    done = validated(tfplugindocs, schema, tmp_path)
    assert done.returncode != 0
    assert "moon.md" in done.stdout + done.stderr
    assert "bare.md" in done.stdout + done.stderr

"""The HCL in README and docs, and what each piece needs around it so that Terraform can take it.

A piece is what a reader copies: often less than a configuration. What it leaves out comes from
here: a provider block with modelled servers, a cluster called batch. A piece of a cluster is merged
into that one as Terraform merges override files.
"""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from protocol.plugin_process import CHECKOUT
from protocol.site_config import PRIVATE_KEY

_FENCE = re.compile(r"^ *```(?:hcl|terraform) ?(?P<file>\S*)\n(?P<text>.*?)^ *```$", re.M | re.S)
_BLOCKS = [
    "terraform",
    "provider",
    "resource",
    "data",
    "ephemeral",
    "variable",
    "locals",
    "output",
    "module",
    "import",
    "moved",
    "removed",
    "check",
]
_FIRST = re.compile(r"^(\w+)", re.M)
_VARIABLE = re.compile(r'^variable "(\w+)"', re.M)
_OTHERS = re.compile(r'^provider "(?:kubernetes|helm)" \{.*?^\}\n', re.M | re.S)
"""Blocks of providers that are not available here: they are cut out, and the rest is applied."""

BASE = """\
terraform {
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}
"""
PROVIDER = """\
provider "rpool" {
  fleet = yamldecode(file("fleet.yaml"))
  simulate {}
}
"""
SIMULATED = 'provider "rpool" {\n  simulate {}\n}\n'
CLUSTER = """\
resource "rpool_cluster" "batch" {
  name               = "batch"
  kubernetes_version = "1.36.3"
  cores              = 16
  memory             = 32
  control_plane {
    servers = 1
    endpoint {
      vip = "10.0.7.200"
    }
  }
}
"""
KUBECONFIG = """\
ephemeral "rpool_kubeconfig" "batch" {
  cluster = rpool_cluster.batch.id
}
"""


@dataclass(frozen=True)
class Fragment:
    """`path` is relative to the checkout, `line` is that of the fence. `file` is the name in the
    fence: a file of an example, or one that is of no use alone.
    """

    path: Path
    line: int
    text: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def is_settings(self) -> bool:
        """Whether it is Terraform's own configuration, and no part of a site's."""
        return self.text.startswith("provider_installation")

    @property
    def is_inside_cluster(self) -> bool:
        first = _FIRST.search(self.text)
        return first is not None and first[1] not in _BLOCKS

    def configuration(self) -> Mapping[str, str]:
        """Files by name that make a configuration of it."""
        text = _OTHERS.sub("", self.text)
        if self.is_inside_cluster:
            text = f'resource "rpool_cluster" "batch" {{\n{text}}}\n'
        of_cluster = 'resource "rpool_cluster"' in text
        partly = of_cluster and "kubernetes_version" not in text
        files = {
            "base.tf": "" if "required_providers" in text else BASE,
            "piece_override.tf" if partly else "piece.tf": text,
            "given.auto.tfvars.json": json.dumps(
                {name: PRIVATE_KEY for name in _VARIABLE.findall(text) if name == "ssh_key"}
            ),
        }
        if 'provider "rpool"' not in text:
            files["provider.tf"] = PROVIDER
        elif "simulate {" not in text:
            files["simulate_override.tf"] = SIMULATED
        if partly or not of_cluster:
            files["cluster.tf"] = CLUSTER
        if "ephemeral.rpool_kubeconfig." in text and 'ephemeral "rpool_kubeconfig"' not in text:
            files["kubeconfig.tf"] = KUBECONFIG
        return files


def fragments() -> Iterator[Fragment]:
    """All pieces in the Markdown files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in sorted(filter(None, listed.stdout.split("\0"))):
        if not (CHECKOUT / name).exists():
            continue
        whole = (CHECKOUT / name).read_text()
        for fence in _FENCE.finditer(whole):
            text = textwrap.dedent(fence["text"])
            line = whole.count("\n", 0, fence.start()) + 1
            yield Fragment(Path(name), line, text, fence["file"])

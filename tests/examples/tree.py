"""The examples in a folder of their own, and the checkout's provider for whatever they call it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from protocol.plugin_process import CHECKOUT
from protocol.workspace import Ran, terraform

EXAMPLES = CHECKOUT / "examples"
_SOURCE = re.compile(r'source\s*=\s*"([^"]*/rpool)"')


def copied(folder: Path) -> Path:
    """The examples as they are in the repository, without what runs have left there."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "."],
        cwd=EXAMPLES, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (EXAMPLES / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(EXAMPLES / name, folder / name)
    return folder


def configurations(folder: Path = EXAMPLES) -> list[Path]:
    """Each folder below this one that has a configuration, as a relative path."""
    return sorted({path.parent.relative_to(folder) for path in folder.rglob("*.tf")})


def sources(texts: Iterable[str]) -> set[str]:
    """All addresses by which these texts require the provider."""
    return {address for text in texts for address in _SOURCE.findall(text)} | {
        "resource-pool/rpool"
    }


def settings(folder: Path, addresses: Iterable[str]) -> Path:
    """A CLI configuration by which each of these addresses is the checkout's provider."""
    file = folder / "terraformrc"
    overrides = "".join(
        f'    "{address}" = "{CHECKOUT}/provider_py"\n' for address in sorted(addresses)
    )
    file.write_text(
        f"provider_installation {{\n  dev_overrides {{\n{overrides}  }}\n  direct {{}}\n}}\n"
    )
    return file


def run(folder: Path, rc: Path, *words: str, **environment: str) -> Ran:
    """Terraform in that folder."""
    done = subprocess.run(
        [terraform(), words[0], "-no-color", *words[1:]],
        cwd=folder,
        env=os.environ | {"TF_CLI_CONFIG_FILE": str(rc), "TF_INPUT": "0"} | environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        text=True, check=False, timeout=200,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout)

"""The example's application as it runs in the lab, whose registry has its own image for it."""

from __future__ import annotations

import re
from pathlib import Path

from lab.versions import HELLO

_MANIFEST = Path(__file__).parent.parent / "examples/terraform/one-cluster/web.yaml"


def manifest() -> str:
    """The text of web.yaml with the lab's image."""
    image = f"image: rpool/hello:{HELLO}"
    text, count = re.subn(r"image: \S+", image, _MANIFEST.read_text())
    assert count == 1  # noqa: S101 one container
    return text

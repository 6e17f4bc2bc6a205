"""What a site may say to the API servers, and what the page says of it."""

from __future__ import annotations

import re
from pathlib import Path

from rpool.config.api_server import FLAGS

PAGE = Path(__file__).parents[2] / "docs/guides/api-server.md"


def test_the_page_lists_the_flags_that_are_taken() -> None:
    section = PAGE.read_text().split("**Flags**")[1]
    assert set(re.findall(r"`([a-z0-9-]+)`", section)) - {"kubeadm"} == FLAGS

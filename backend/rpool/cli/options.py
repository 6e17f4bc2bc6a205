"""The arguments that several commands have."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

SITE = Path("site.yaml")


def add_site(parser: argparse.ArgumentParser) -> None:
    """Add `--site`, the file that `rpool.cli.site_file` reads."""
    parser.add_argument(
        "--site",
        type=Path,
        default=SITE,
        metavar="FILE",
        help="settings of the provider block, as YAML (default: %(default)s)",
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cluster", metavar="CLUSTER", help="its name or uid")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)

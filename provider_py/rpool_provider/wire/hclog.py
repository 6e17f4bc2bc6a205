"""Log lines as Terraform's host process reads them from our stderr: hclog's JSON, one per line.

The host filters them by `TF_LOG` and `TF_LOG_PROVIDER`, so everything is written.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import Literal

from rpool.errors import printable

Level = Literal["trace", "debug", "info", "warn", "error"]

_LONGEST = 48_000
"""Characters of a message. The host cuts lines at 64 KiB, and then does not know their level."""


def log(level: Level, message: str, **fields: str | int | float) -> None:
    line = json.dumps(
        {
            "@level": level,
            "@message": printable(message[:_LONGEST]),
            "@module": "rpool",
            "@timestamp": timestamp(time.time()),
            **fields,
        }
    )
    with suppress(OSError):  # the host may be gone, and then the line has no reader
        os.write(2, line.encode() + b"\n")


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with exactly six decimals: the host drops the level of any other form."""
    whole_seconds, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole_seconds))}.{micro:06d}Z"

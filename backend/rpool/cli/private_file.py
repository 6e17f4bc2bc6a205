"""Files that only their owner can read, replaced atomically: a reader never sees a part."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from rpool.errors import Refused


def write(path: Path, text: str) -> None:
    """Create or replace the file, and create its folder. Raises Refused."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error

"""The zip file of a folder, reproducible: the same wherever and whenever it is made.

The Python in a release runs it as a program: that Python has the same zlib everywhere, which writes
the same bytes.
"""

from __future__ import annotations

import sys
import time
import zipfile
from pathlib import Path

FIRST = 315532800
"""1980-01-01, the earliest time that a zip file can have."""


def write(
    folder: Path, archive: Path, epoch_seconds: int, method: int = zipfile.ZIP_DEFLATED
) -> None:
    """Pack all files of a folder, in the order of their names, as if made at that time."""
    moment = time.gmtime(max(epoch_seconds, FIRST))[:6]
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            if path.is_dir():
                continue
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), moment)
            entry.create_system = 3  # Unix, so that modes are kept
            # Only whether it is a program is kept: the rest of a mode depends on the umask.
            entry.external_attr = (0o100755 if path.stat().st_mode & 0o100 else 0o100644) << 16
            entry.compress_type = method
            packed.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

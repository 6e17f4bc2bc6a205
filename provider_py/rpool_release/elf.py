"""The shared libraries that an ELF file needs: an archive must have each, or the loader would take
the host's library of the same name, which may be musl's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"\x7fELF"
_LOAD, _DYNAMIC = 1, 2  # kinds of segments
_NEEDED, _STRINGS = 1, 5  # tags of the dynamic segment


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def needed(path: Path) -> list[str]:
    """Names of the libraries that this file (64 bits, little-endian) is linked with."""
    data = path.read_bytes()
    if data[:6] != MAGIC + b"\x02\x01":
        raise ValueError(f"{path} is no ELF file of 64 bits, little-endian")
    segments = list(_segments(data))
    dynamic = [
        _entries(data, offset, size) for kind, offset, _, size in segments if kind == _DYNAMIC
    ]
    if not dynamic:
        return []
    entries = list(dynamic[0])
    (address,) = [value for tag, value in entries if tag == _STRINGS]
    strings = _file_offset(segments, address)
    return [_text(data, strings + value) for tag, value in entries if tag == _NEEDED]


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Kind, offset, address and size in the file of each segment."""
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for at in range(start, start + size * count, size):
        kind, _, offset, address, _, in_file = struct.unpack_from("<IIQQQQ", data, at)
        yield kind, offset, address, in_file


def _entries(data: bytes, offset: int, size: int) -> Iterator[tuple[int, int]]:
    yield from struct.iter_unpack("<QQ", data[offset : offset + size])


def _file_offset(segments: list[tuple[int, int, int, int]], address: int) -> int:
    for kind, offset, begin, size in segments:
        if kind == _LOAD and begin <= address < begin + size:
            return offset + address - begin
    raise ValueError(f"no segment holds address {address:#x}")


def _text(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode()

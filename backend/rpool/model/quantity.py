"""Kubernetes' quantities: `3920m` of cores, `16374680Ki` of memory."""

from __future__ import annotations

import math
import re

_FACTORS = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_FACTORS |= {f"{prefix}i": 1024.0 ** (n + 1) for n, prefix in enumerate("KMGT")}


def quantity(text: str) -> float:
    """The number that a quantity stands for; 0 for an empty text (none yet). Raises ValueError."""
    matched = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text or "0")
    if matched is None or matched[2] not in _FACTORS:
        raise ValueError(f"{text!r:.60} is no quantity")
    number = float(matched[1]) * _FACTORS[matched[2]]
    if not math.isfinite(number):
        raise ValueError(f"{number} is no number that can be computed with")
    return number


def gib(text: str) -> int:
    """Whole GiB of a quantity of memory. Raises ValueError, with the size, for anything else."""
    size = quantity(text.strip()) / 2**30
    if not text.strip() or size != int(size) or size < 1:
        raise ValueError(
            f"{text!r:.60} is {size:g} GiB, and the memory of a server is a whole number of them: "
            "192Gi, say"
        )
    return int(size)

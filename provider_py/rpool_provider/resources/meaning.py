"""What values of attributes mean: equal for two spellings of the same, which are no change.

A malformed value means itself.
"""

from __future__ import annotations

import json
from typing import Any

from rpool.model.duration import seconds


def duration(text: Any) -> Any:
    """Seconds: 10m is 600s."""
    try:
        return seconds(text)
    except (TypeError, ValueError):
        return text


def ranges(pools: Any) -> Any:
    """Ranges without spaces: those around a dash mean nothing."""
    if not isinstance(pools, dict) or not all(isinstance(pool, list) for pool in pools.values()):
        return pools
    return {name: ["".join(str(text).split()) for text in pool] for name, pool in pools.items()}


def yaml(text: Any) -> Any:
    """JSON with sorted keys: comments, quotes and the order of keys mean nothing."""
    from yaml import YAMLError

    from rpool import plain_yaml

    try:
        return json.dumps(plain_yaml.load(text), sort_keys=True)  # true is not 1, and 110 not 110.0
    except (YAMLError, AttributeError, RecursionError, TypeError, ValueError):
        return text

"""Domains of trust: a server changes its domain by being installed anew, and by nothing else.

What has one has the name that the fleet and a cluster give by `trust`; what has none is in the
common domain, which is a domain like any other. A server's mark, a file of its own that outlives
claims and resets, says in which one it has served (page 21).
"""

from __future__ import annotations

import json
import re

Domain = str

COMMON: Domain = ""
"""Of servers and clusters without `trust`."""

UNREAD: Domain = "?"
"""Of a mark that cannot be read: no server and no cluster has a domain of this name."""

FORMAT = 1

_NAME = re.compile(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?")
"""A DNS label, or nothing."""


def named(domain: Domain) -> str:
    """The domain in a sentence."""
    if domain == UNREAD:
        return "a domain that its mark (/var/lib/rpool/trust) does not tell"
    return f"domain {domain}" if domain else "the common domain"


def mark(domain: Domain) -> str:
    """The text of a mark. A server compares it as a whole (claim.sh)."""
    return json.dumps({"format": FORMAT, "trust": domain})


def read_mark(text: str) -> Domain:
    """The domain in the text of a mark; UNREAD where it is no mark that this version writes."""
    try:
        domain = read_domain(json.loads(text)["trust"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return UNREAD
    return domain if mark(domain) == text.strip() else UNREAD


def read_domain(value: object) -> Domain:
    """A domain as a server tells it. Raises ValueError where it is none."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{str(value)[:20]!r} is no domain")
    return value

"""Domains of trust: a server changes its domain only by being installed anew.

The fleet and clusters name a domain by `trust`; without it, a server or cluster is in the common
domain, which is like any other. A server's mark, a file of its own that outlives claims and resets,
says in which domain it has served (page 21).
"""

from __future__ import annotations

import json
import re

Domain = str

COMMON: Domain = ""
"""The domain of servers and clusters without `trust`."""

UNREAD: Domain = "?"
"""The domain of an unreadable mark: no server and no cluster has a domain of this name."""

FORMAT = 1

_NAME = re.compile(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?")
"""A DNS label, or nothing."""


def named(domain: Domain) -> str:
    """The domain in a sentence."""
    if domain == UNREAD:
        return "a domain that its mark (/var/lib/rpool/trust) does not tell"
    return f"domain {domain}" if domain else "the common domain"


def mark(domain: Domain) -> str:
    """The text of a mark. Servers compare the whole text (claim.sh)."""
    return json.dumps({"format": FORMAT, "trust": domain})


def read_mark(text: str) -> Domain:
    """The domain in the text of a mark; UNREAD unless this version writes such a mark."""
    try:
        domain = read_domain(json.loads(text)["trust"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return UNREAD
    return domain if mark(domain) == text.strip() else UNREAD


def read_domain(value: object) -> Domain:
    """The domain in a server's answer. Raises ValueError if it is none."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{str(value)[:20]!r} is no domain")
    return value

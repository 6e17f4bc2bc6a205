"""Certificates of control planes that end soon, by what a probe shows without an API. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from rpool.advice import Do
from rpool.model.seen import Probed
from rpool.model.server import ServerName

SOON_DAYS = 60
DAY_SECONDS = 86400


def told(cluster: str, seen: Mapping[ServerName, Probed]) -> str:
    """A warning whose first line is the summary; "" where no certificate ends soon."""
    days_left = {name: _days(probed) for name, probed in sorted(seen.items()) if probed.certificate}
    soon = {name: days for name, days in days_left.items() if days < SOON_DAYS}
    if not soon:
        return ""
    first = min(soon.values())
    when = f"expire within {int(first)} days" if first >= 1 else "have expired, or expire today"
    lines = [f"{name}: {seen[name].certificate} {_when(days)}." for name, days in soon.items()]
    summary = f"Cluster {cluster}: certificates of its control planes {when}"
    return "\n".join([summary, *lines, Do.RENEW.text()])


def _days(probed: Probed) -> float:
    return (probed.certificate_end_seconds - probed.clock_seconds) / DAY_SECONDS


def _when(days: float) -> str:
    return f"expires in {int(days)} days" if days >= 0 else f"expired {int(-days)} days ago"

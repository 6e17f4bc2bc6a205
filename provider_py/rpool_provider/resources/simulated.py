"""What a plan says on a site whose servers are modelled, so that nobody takes it for a real one.

Every plan says so, one without changes too: "No changes" would otherwise be read as "the cluster
is there". It is one warning for a resource, so a plan that has a warning already gets a longer one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rpool_provider import diagnostic
from rpool_provider.resources.resource import Plan

if TYPE_CHECKING:
    from rpool.api import Site

_PREFIX = "SIMULATED: "
_DETAIL = (
    "The provider's servers are modelled (simulate is set); nothing real is touched. Their state "
    "is in .rpool-simulated.json."
)


def told(plan: Plan, subject: str, site: Site | None) -> Plan:
    """`plan` with the word SIMULATED, on a site that is; `subject` is what the plan is about."""
    if site is None or not site.config.simulated:
        return plan
    if not plan.diagnostics:
        said = diagnostic.warning(f"{_PREFIX}{subject} is on modelled servers", _DETAIL)
        return replace(plan, diagnostics=[said])
    first, *others = plan.diagnostics
    longer = replace(
        first, summary=_PREFIX + first.summary, detail=f"{first.detail}\n\n{_DETAIL}".lstrip()
    )
    return replace(plan, diagnostics=[longer, *others])

"""What a plan says on a site whose servers are modelled, so that nobody takes it for a real one.

Every plan says so, one without changes too: "No changes" would otherwise be read as "the cluster
is there". It is one warning for a pool, so a plan that has a warning already gets a longer one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rpool_provider import diagnostic
from rpool_provider.resources.resource import Plan, Values

if TYPE_CHECKING:
    from rpool.api import Site

_PREFIX = "SIMULATED: "
_DETAIL = (
    "The provider's servers are modelled (simulate is set); nothing real is touched. Their state "
    "is in .rpool-simulated.json."
)


def told(plan: Plan, values: Values | None, site: Site | None) -> Plan:
    """`plan` with the word SIMULATED, on a site that is; `values` have the pool's name."""
    if site is None or not site.config.simulated:
        return plan
    if not plan.diagnostics:
        name = values["name"] if values else None
        pool = f"pool {name}" if isinstance(name, str) else "this pool"
        said = diagnostic.warning(f"{_PREFIX}{pool} is on modelled servers", _DETAIL)
        return replace(plan, diagnostics=[said])
    first, *others = plan.diagnostics
    longer = replace(
        first, summary=_PREFIX + first.summary, detail=f"{first.detail}\n\n{_DETAIL}".lstrip()
    )
    return replace(plan, diagnostics=[longer, *others])

"""The warnings at the end of an apply that made a cluster."""

from __future__ import annotations

from rpool.advice import Do
from rpool.errors import RpoolError
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic


def way_in(name: str) -> Diagnostic:
    return diagnostic.warning(
        f"Cluster {name} serves. To get in: rpool kubeconfig {name} --merge",
        "site.yaml, or --site FILE, has what the provider block has. "
        'In Terraform: ephemeral "rpool_kubeconfig".',
    )


def to_be_mended(name: str, error: RpoolError) -> Diagnostic:
    return diagnostic.warning(
        f"Cluster {name} serves, but is incomplete: {error.summary}",
        f"{error.detail}\n{Do.APPLY_AGAIN.text()}".lstrip(),
    )

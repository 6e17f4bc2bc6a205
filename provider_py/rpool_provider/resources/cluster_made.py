"""The warnings at the end of an apply that made a cluster."""

from __future__ import annotations

from rpool.advice import Do
from rpool.errors import RpoolError
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic


def way_in(name: str) -> Diagnostic:
    return diagnostic.warning(
        f"Cluster {name} is up. To connect: rpool kubeconfig {name} --merge",
        "site.yaml, or --site FILE, takes the settings of the provider block. In Terraform, use "
        'ephemeral "rpool_kubeconfig".',
    )


def to_be_mended(name: str, error: RpoolError) -> Diagnostic:
    return diagnostic.warning(
        f"Cluster {name} is up, but incomplete: {error.summary}",
        f"{error.detail}\n{Do.APPLY_AGAIN.text()}".lstrip(),
    )

"""`python -m rpool_provider`: what Terraform starts, through `terraform-provider-rpool`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rpool_provider import serve

if TYPE_CHECKING:
    from rpool_provider.provider import Provider


def provider() -> Provider:
    from rpool_provider.provider import Provider

    return Provider()


if __name__ == "__main__":
    sys.exit(serve.main(provider))

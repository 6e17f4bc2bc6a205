"""`python -m rpool_provider`: what Terraform starts, through `terraform-provider-rpool`."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

gc.disable()  # Loading leaves no garbage; collecting takes 7 of 77 ms. `serve` enables it again.

from rpool_provider import serve  # noqa: E402 the line above must come first

if TYPE_CHECKING:
    from rpool_provider.provider import Provider


def provider() -> Provider:
    from rpool_provider.provider import Provider

    return Provider()


if __name__ == "__main__":
    sys.exit(serve.main(provider))

"""What an ephemeral resource has to implement. Values are as in `resource`.

Terraform opens it in each plan and apply in which its configuration is known, and keeps nothing of
it. All values that it returns have to be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources.resource import Values
from rpool_provider.schema import Schema

if TYPE_CHECKING:
    from rpool.api import Site


class EphemeralResource(Protocol):
    name: str
    schema: Schema

    def validate(self, config: Values) -> list[Diagnostic]:
        """Everything that is wrong with a configuration by itself."""

    def open(self, config: Values, site: Site) -> Values:
        """The values for as long as Terraform runs. Raises RpoolErrors."""

"""What a data source has to implement. Values are as in `resource`.

Terraform reads it in the plan if its configuration is known, else in the apply. All values that it
returns have to be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources.resource import Values
from rpool_provider.schema import Schema

if TYPE_CHECKING:
    from rpool.api import Site


class DataSource(Protocol):
    name: str
    schema: Schema

    def validate(self, config: Values) -> list[Diagnostic]:
        """Everything that is wrong with a configuration by itself."""

    def read(self, config: Values, site: Site) -> Values:
        """The values that there are. Raises RpoolErrors, also where nothing is found."""

"""Configuration as users write it, checked value by value and turned into frozen data.

Values may still be unknown (Terraform plans before everything is known): the caller leaves them
out and names their paths, and rules about them wait. All mistakes are reported at once, with their
paths.
"""

import rpool.config.pydantic_alone  # noqa: F401 the others import pydantic
from rpool.config.access import parse_identity
from rpool.config.node import NodeRequest, parse_node
from rpool.config.parse import parse_draft, parse_pool, parse_site
from rpool.config.written import written, wrong_in

__all__ = [
    "NodeRequest",
    "parse_draft",
    "parse_identity",
    "parse_node",
    "parse_pool",
    "parse_site",
    "written",
    "wrong_in",
]

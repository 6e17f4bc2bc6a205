"""The base of all models of configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """The base of all models. Each is built on first use: Terraform starts a process for each
    step, and none uses all models. (So defaults are constructed, not checked.)
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=True
    )

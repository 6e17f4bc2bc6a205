"""What all shapes of configuration have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """What all of them have in common. Each is built when it is first used: Terraform starts a
    process a step, and none uses them all. (So defaults are constructed, not checked.)
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=True
    )

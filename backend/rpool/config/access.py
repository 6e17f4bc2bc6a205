"""What a kubeconfig can ask for: a user, groups, a time to live."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from rpool.config.base import Model
from rpool.config.problems import validated
from rpool.errors import Path, SpecError
from rpool.model import duration
from rpool.model.access import (
    ADMINS,
    LONGEST_NAME,
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    Identity,
)
from rpool.model.secret import shown

_NAME = re.compile(rf"[A-Za-z0-9][-A-Za-z0-9_.:@/+]{{0,{LONGEST_NAME - 1}}}")
_STRANGE = re.compile(r"[^-A-Za-z0-9_.:@/+]+")
DEFAULT_TTL = "1h"


def _name(value: str) -> str:
    """Check the name of a user or a group."""
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a name of 1 to {LONGEST_NAME} letters, digits or - _ . : @ / +"
        )
    if value == "system:masters":
        raise ValueError(
            "Kubernetes signs no certificate for system:masters, whose rights cannot be "
            f"revoked; use {ADMINS}, which is also bound to cluster-admin"
        )
    if value.startswith("system:"):
        raise ValueError(
            f"{value} is reserved for Kubernetes, like all that begins with system:; bind the "
            "role to another name, and use that"
        )
    return value


def _ttl(value: str) -> str:
    if not SHORTEST_SECONDS <= duration.seconds(value) <= LONGEST_SECONDS:
        least, most = duration.text(SHORTEST_SECONDS), duration.text(LONGEST_SECONDS)
        raise ValueError(f"{value} is not between {least} and {most}")
    return value


class _Identity(Model):
    user: Annotated[str, AfterValidator(_name)] | None = None
    groups: list[Annotated[str, AfterValidator(_name)]] | None = None
    ttl: Annotated[str, AfterValidator(_ttl)] = DEFAULT_TTL


def parse_identity(
    config: Mapping[str, Any], unknown: Collection[Path] = (), owner: str = ""
) -> Identity | None:
    """The requested identity, by `user`, `groups` and `ttl`, or None while some of it is unknown.
    The default user is made of `owner`. Raises SpecError.
    """
    model, problems = validated(_Identity, config, unknown)
    if problems:
        raise SpecError(problems)
    if model is None or unknown:
        return None
    groups = [ADMINS] if model.groups is None else model.groups
    user = model.user or _STRANGE.sub("-", f"rpool-{owner}")[:LONGEST_NAME]
    return Identity(user, tuple(dict.fromkeys(groups)), duration.seconds(model.ttl))

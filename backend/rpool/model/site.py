"""One provider configuration: a fleet, how to reach it, and where software comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

from rpool.model.secret import Secret
from rpool.model.server import Fleet

UPSTREAM_PACKAGES = "https://pkgs.k8s.io/core:/stable:"
UPSTREAM_PACKAGES_KEY = "DE15B14486CD377B9E876E1A234654DA9A296436"
"""The fingerprint of the key that signs them (isv:kubernetes OBS Project)."""


@dataclass(frozen=True, slots=True)
class Ssh:
    """How servers are reached. `private_key` is the key's text; any user but root needs sudo."""

    private_key: Secret
    user: str = "root"
    connect_timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Where packages, images and manifests come from instead of their upstream addresses.

    `packages` replaces the base of the Kubernetes package site: `{packages}/v1.36/deb/` is an apt
    repository with its key at `Release.key`. Only the key with the fingerprint `packages_key` is
    trusted. `images` is a registry that has every image under its upstream path. `manifests` has
    each manifest at its path in `rpool.reach` (`Manifest.mirrored`).
    """

    packages: str | None = None
    packages_key: str = UPSTREAM_PACKAGES_KEY
    images: str | None = None
    manifests: str | None = None

    def repository(self, minor: str) -> str:
        """The apt repository of a Kubernetes minor version (1.36); ends in a slash."""
        return f"{self.packages or UPSTREAM_PACKAGES}/v{minor}/deb/"


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """One provider configuration. With `simulated` the fleet is modelled: nothing is reached, so
    `ssh` and `mirrors` are not used. `owner` says who works here; empty: the workspace of the run,
    or user@host.
    """

    fleet: Fleet
    ssh: Ssh
    mirrors: Mirrors = field(default_factory=Mirrors)
    simulated: bool = False
    owner: str = ""

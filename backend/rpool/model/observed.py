"""Observed: what was observed of a cluster, in three values.

A server was *seen*, is *silent* (asked, no answer; the reason is kept), or is *unknown* (not
asked). Silence alone never justifies an action: only what was seen does, and a mark in the fleet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rpool.errors import RpoolError
from rpool.model.claim import Claim
from rpool.model.pool import PoolUid
from rpool.model.record import Record
from rpool.model.seen import ClockSeen, ClusterSeen, EtcdMember, NodeSeen, Probed
from rpool.model.server import ServerName


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a probe returned, and what it shows of the server's clock."""

    probed: Probed
    clock: ClockSeen


@dataclass(frozen=True, slots=True)
class Api:
    """A cluster's API, reached `through` a control plane. `etcd` is None where its members are
    unknown.
    """

    through: ServerName
    cluster: ClusterSeen
    etcd: tuple[EtcdMember, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    uid: PoolUid
    # None: no control plane that was asked shows the cluster's API.
    api: Api | None = None
    # The record to go by: the API's, or one that was rebuilt from the claims.
    record: Record | None = None
    seen: Mapping[ServerName, Sighting] = field(default_factory=dict)
    silent: Mapping[ServerName, RpoolError] = field(default_factory=dict)

    @property
    def nodes(self) -> Mapping[ServerName, NodeSeen]:
        return self.api.cluster.nodes if self.api else {}

    @property
    def etcd(self) -> tuple[EtcdMember, ...] | None:
        """etcd's members; None where they are unknown."""
        return self.api.etcd if self.api else None

    @property
    def open_to_joiners(self) -> bool:
        """Whether a join token of ours was seen."""
        return self.api is not None and self.api.cluster.open_to_joiners

    def has_joined(self, server: ServerName) -> bool:
        """Whether a probe showed that kubeadm has finished on the server."""
        probed = self.probed(server)
        return probed is not None and probed.joined

    def probed(self, server: ServerName) -> Probed | None:
        sighting = self.seen.get(server)
        return sighting.probed if sighting else None

    @property
    def probes(self) -> dict[ServerName, Probed]:
        return {name: sighting.probed for name, sighting in self.seen.items()}

    def claim(self, server: ServerName) -> Claim | None:
        """The claim of this cluster that was seen on the server."""
        probed = self.probed(server)
        return probed.claim_of(self.uid) if probed else None

    @property
    def claims(self) -> dict[ServerName, Claim]:
        claims = {name: self.claim(name) for name in self.seen}
        return {name: claim for name, claim in claims.items() if claim is not None}

    def was_asked(self, server: ServerName) -> bool:
        return server in self.seen or server in self.silent

    def with_servers(
        self, seen: Mapping[ServerName, Sighting], silent: Mapping[ServerName, RpoolError]
    ) -> Observed:
        """These observations and those of more servers; the latest of each server counts."""
        still_seen = {name: sighting for name, sighting in self.seen.items() if name not in silent}
        still_silent = {name: error for name, error in self.silent.items() if name not in seen}
        return replace(self, seen=still_seen | dict(seen), silent=still_silent | dict(silent))

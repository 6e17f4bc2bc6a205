"""Observed: what was seen of a cluster, in three values.

A server was *seen*, or is *silent* (asked, and no answer came: why is kept), or *unknown* (not
asked). No answer licenses an act: only what was seen does, and a mark in the fleet.
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
    """What a probe brought, and what that tells of the server's clock."""

    probed: Probed
    clock: ClockSeen


@dataclass(frozen=True, slots=True)
class Api:
    """A cluster's API as it was reached `through` a control plane. `etcd` is None where its
    members could not be told.
    """

    through: ServerName
    cluster: ClusterSeen
    etcd: tuple[EtcdMember, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    uid: PoolUid
    # None: no control plane that was asked shows the cluster's API; `api_silent` says why.
    api: Api | None = None
    # What is taken for the record: the API's, or one that was made anew from the claims.
    record: Record | None = None
    seen: Mapping[ServerName, Sighting] = field(default_factory=dict)
    silent: Mapping[ServerName, RpoolError] = field(default_factory=dict)

    @property
    def nodes(self) -> Mapping[ServerName, NodeSeen]:
        return self.api.cluster.nodes if self.api else {}

    @property
    def etcd(self) -> tuple[EtcdMember, ...] | None:
        """None where its members could not be told."""
        return self.api.etcd if self.api else None

    @property
    def open_to_joiners(self) -> bool:
        """Whether a join token of ours was seen."""
        return self.api is not None and self.api.cluster.open_to_joiners

    def has_joined(self, server: ServerName) -> bool:
        """Whether kubeadm was seen to have finished there."""
        probed = self.probed(server)
        return probed is not None and probed.joined

    def probed(self, server: ServerName) -> Probed | None:
        sighting = self.seen.get(server)
        return sighting.probed if sighting else None

    @property
    def probes(self) -> dict[ServerName, Probed]:
        return {name: sighting.probed for name, sighting in self.seen.items()}

    def claim(self, server: ServerName) -> Claim | None:
        """The claim of this very cluster that was seen on the server."""
        probed = self.probed(server)
        return probed.claim_of(self.uid) if probed else None

    @property
    def claims(self) -> dict[ServerName, Claim]:
        found = {name: self.claim(name) for name in self.seen}
        return {name: claim for name, claim in found.items() if claim is not None}

    def was_asked(self, server: ServerName) -> bool:
        return server in self.seen or server in self.silent

    def with_servers(
        self, seen: Mapping[ServerName, Sighting], silent: Mapping[ServerName, RpoolError]
    ) -> Observed:
        """With what more servers said; the last word of a server counts."""
        was_seen = {n: its for n, its in self.seen.items() if n not in silent}
        was_silent = {n: its for n, its in self.silent.items() if n not in seen}
        return replace(self, seen=was_seen | dict(seen), silent=was_silent | dict(silent))

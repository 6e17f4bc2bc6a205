"""The models of a provider block and of an `rpool_cluster`, and what each is built into."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from rpool.config import api_server, component, values
from rpool.config.base import Model
from rpool.config.groups import Groups, Selector, Tolerate
from rpool.config.keys import check_host_key, check_private_key
from rpool.errors import Path
from rpool.model import pool, site
from rpool.model.cni import DEFAULT_CNI
from rpool.model.duration import seconds
from rpool.model.generated_fleet import MOST_SERVERS, generated
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Server
from rpool.model.trust import COMMON


class _Server(Model):
    address: values.Address
    cores: values.Cores
    memory: values.MemoryGib
    zone: Annotated[str, AfterValidator(values.dns_label(63))]
    host_key: Annotated[str, AfterValidator(check_host_key)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    labels: dict[values.NodeLabelKey, values.LabelValue] = Field(default_factory=dict)
    reserved: bool = False
    retire: bool = False
    lost: bool = False
    trust: values.Name63 | None = None

    def build(self, name: str) -> Server:
        return Server(
            name=name,
            address=self.address,
            cores=self.cores,
            memory_gib=self.memory,
            zone=self.zone,
            host_key=self.host_key or "",
            port=self.port,
            labels=self.labels,
            reserved=self.reserved,
            retire=self.retire,
            lost=self.lost,
            trust=self.trust or COMMON,
        )


class ServerFacts(Model):
    """What a cluster's record has about a member."""

    name: values.Name63
    address: values.Address
    zone: Annotated[str, AfterValidator(values.dns_label(63))]
    cores: values.Cores
    memory: values.MemoryGib
    group: values.Name63
    labels: dict[values.NodeLabelKey, values.LabelValue]


SERVER_SETTINGS = tuple(_Server.model_fields)


class _Ssh(Model):
    private_key: Annotated[str, AfterValidator(check_private_key)] | None = None
    user: Annotated[
        str, AfterValidator(values.matching(re.compile(r"[a-z_][-a-z0-9_]*"), 32, "a user name"))
    ] = "root"

    def build(self) -> site.Ssh:
        return site.Ssh(Secret(self.private_key or ""), self.user)


class _Mirrors(Model):
    packages: values.Url | None = None
    packages_key: Annotated[str, AfterValidator(values.fingerprint)] = site.UPSTREAM_PACKAGES_KEY
    images: values.Url | None = None
    insecure_images: bool = False
    manifests: values.Url | None = None

    def build(self) -> site.Mirrors:
        return site.Mirrors(self.packages, self.packages_key, self.images, self.manifests)


class _Simulate(Model):
    servers: Annotated[int, Field(ge=1, le=MOST_SERVERS)] | None = None


class SiteModel(Model):
    """A provider block. `rpool.config.parse` checks which of its parts go together."""

    fleet: Annotated[dict[values.Name63, _Server], Field(min_length=1)] | None = None
    ssh: _Ssh | None = None
    simulate: _Simulate | None = None
    mirrors: _Mirrors = _Mirrors.model_construct()
    owner: Annotated[str, AfterValidator(values.owner)] = ""

    def build(self) -> site.SiteConfig:
        return site.SiteConfig(
            fleet=self._fleet(),
            ssh=self.ssh.build() if self.ssh else _NO_SSH,
            mirrors=self.mirrors.build(),
            simulated=self.simulate is not None,
            owner=self.owner,
        )

    def _fleet(self) -> Fleet:
        if self.simulate is not None and self.simulate.servers is not None:
            return generated(self.simulate.servers)
        return Fleet({name: server.build(name) for name, server in (self.fleet or {}).items()})


SITE_SETTINGS: dict[Path, tuple[str, ...]] = {
    (): (*SiteModel.model_fields, "fleet_file"),
    ("ssh",): (*_Ssh.model_fields, "private_key_file"),
    ("mirrors",): tuple(_Mirrors.model_fields),
    ("simulate",): tuple(_Simulate.model_fields),
}
"""The settings in a command's site file, which can name two files: see `rpool.cli.site_file`."""

_NO_SSH = site.Ssh(Secret(""))


_Claim = Annotated[str, AfterValidator(api_server.claim)]


class _Endpoint(Model):
    vip: Annotated[str, AfterValidator(values.ipv4)] | None = None
    address: Annotated[str, AfterValidator(values.host_and_port)] | None = None


class _ControlPlane(Model):
    servers: Annotated[int, AfterValidator(values.odd)] = 1
    endpoint: _Endpoint
    recover_from: values.Name63 | None = None
    selector: Selector | None = None
    labels: dict[values.NodeLabelKey, values.LabelValue] = Field(default_factory=dict)
    schedulable: bool = False

    def build(self) -> pool.ControlPlane:
        return pool.ControlPlane(
            self.servers,
            pool.Endpoint(self.endpoint.vip, self.endpoint.address),
            self.recover_from,
            self.selector.build() if self.selector else None,
            self.labels,
            self.schedulable,
        )


class _Networking(Model):
    pod_cidr: Annotated[str, AfterValidator(values.cidr)] = "10.244.0.0/16"
    service_cidr: Annotated[str, AfterValidator(values.service_cidr)] = "10.96.0.0/12"
    cni: Annotated[str, AfterValidator(values.cni)] = DEFAULT_CNI


class _MetalLB(Model):
    pools: Annotated[
        dict[
            values.Name63,
            Annotated[
                list[Annotated[str, AfterValidator(values.address_span)]], Field(min_length=1)
            ],
        ],
        Field(min_length=1),
    ]


class _Kubeadm(Model):
    kubelet: Annotated[str, AfterValidator(component.kubelet)] | None = None
    kube_proxy: Annotated[str, AfterValidator(component.kube_proxy)] | None = None
    ignore_preflight_errors: list[Annotated[str, AfterValidator(component.preflight_check)]] = (
        Field(default_factory=list)
    )

    def build(self) -> pool.Kubeadm:
        return pool.Kubeadm(self.kubelet, self.kube_proxy, tuple(self.ignore_preflight_errors))


class _Oidc(Model):
    issuer_url: Annotated[str, AfterValidator(api_server.issuer)]
    client_id: _Claim
    username_claim: _Claim | None = None
    username_prefix: _Claim | None = None
    groups_claim: _Claim | None = None
    groups_prefix: _Claim | None = None
    ca_certificate: Annotated[str, AfterValidator(api_server.certificate)] | None = None


class _ApiServer(Model):
    oidc: _Oidc | None = None
    audit_policy: Annotated[str, AfterValidator(api_server.audit_policy)] | None = None
    extra_sans: list[Annotated[str, AfterValidator(api_server.san)]] = Field(default_factory=list)
    pod_security: Annotated[str, AfterValidator(values.one_of(pool.POD_SECURITY))] = "baseline"
    flags: Annotated[
        dict[
            Annotated[str, AfterValidator(api_server.flag)],
            Annotated[str, AfterValidator(api_server.flag_value)],
        ],
        AfterValidator(api_server.flags),
    ] = Field(default_factory=dict)

    def build(self) -> pool.ApiServer:
        oidc = pool.Oidc(**self.oidc.model_dump()) if self.oidc else None
        sans = tuple(self.extra_sans)
        return pool.ApiServer(oidc, self.audit_policy, sans, self.pod_security, self.flags)


class _Drain(Model):
    timeout: Annotated[str, AfterValidator(values.duration)] = "10m"
    on_timeout: Annotated[
        str,
        AfterValidator(values.one_of(("fail", "evict_anyway"))),
    ] = "fail"

    def build(self) -> pool.DrainPolicy:
        return pool.DrainPolicy(seconds(self.timeout), pool.OnTimeout(self.on_timeout))


class _Repair(Model):
    grace: Annotated[str, AfterValidator(values.duration)] = "5m"
    mode: Annotated[str, AfterValidator(values.one_of(("plan", "warn")))] = "plan"
    max_lost: Annotated[int, Field(ge=1, le=1000)] = 1

    def build(self) -> pool.Repair:
        return pool.Repair(seconds(self.grace), pool.RepairMode(self.mode), self.max_lost)


class PoolModel(Model):
    name: values.Name40
    kubernetes_version: Annotated[str, AfterValidator(values.version)]
    cores: values.Cores
    memory: values.MemoryGib
    control_plane: _ControlPlane
    selector: Selector = Selector.model_construct()
    networking: _Networking = _Networking.model_construct()
    metallb: _MetalLB | None = None
    kubeadm: _Kubeadm = _Kubeadm.model_construct()
    api_server: _ApiServer = _ApiServer.model_construct()
    tolerate: Tolerate = Tolerate.model_construct()
    drain: _Drain = _Drain.model_construct()
    repair: _Repair = _Repair.model_construct()
    trust: values.Name63 | None = None
    workers: Groups = Field(default_factory=dict)

    def build(self) -> pool.PoolSpec:
        return pool.PoolSpec(
            name=self.name,
            kubernetes_version=self.kubernetes_version,
            cores=self.cores,
            memory_gib=self.memory,
            control_plane=self.control_plane.build(),
            selector=self.selector.build(),
            networking=pool.Networking(**self.networking.model_dump()),
            metallb_pools={
                name: tuple(ranges)
                for name, ranges in (self.metallb.pools if self.metallb else {}).items()
            },
            kubeadm=self.kubeadm.build(),
            api_server=self.api_server.build(),
            tolerate=self.tolerate.build(),
            drain=self.drain.build(),
            repair=self.repair.build(),
            trust=self.trust or COMMON,
            groups={name: group.build() for name, group in self.workers.items()},
        )

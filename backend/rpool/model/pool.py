"""What a user asks for: a cluster that is a pool of cores and memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from rpool.model.cni import DEFAULT_CNI
from rpool.model.trust import COMMON, Domain

KUBERNETES_VERSION = re.compile(r"1\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")
"""Without a `v`; ASCII digits without leading zeros, since texts are compared."""

CGROUP_DRIVERS = ("systemd", "cgroupfs")

PoolUid = str
"""Hex digits, drawn when a cluster is created; names may be reused, uids are not."""

UID = re.compile("[0-9a-f]{8,16}")
"""The text of a uid: 64 bits. Eight digits were drawn before there was a release."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The API's address: a virtual IP that the cluster holds, or an address that the site serves.

    Exactly one of the two is set; `address` is `host:port`.
    """

    vip: str | None = None
    address: str | None = None

    @property
    def host_and_port(self) -> str:
        return self.address or f"{self.vip}:6443"


@dataclass(frozen=True, slots=True)
class Selector:
    """Which servers may be picked: in any of `zones` (empty: all), with every one of `labels`."""

    zones: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """How many servers run the control plane, and the API's address. They are picked by `selector`,
    or else by the cluster's. Their Nodes have `labels`. If `schedulable`, they take pods and count
    for the cluster's cores and memory. `recover_from` is the control plane from whose data etcd was
    made anew, after most were lost.
    """

    servers: int
    endpoint: Endpoint
    recover_from: str | None = None
    selector: Selector | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    schedulable: bool = False


@dataclass(frozen=True, slots=True)
class Networking:
    """CIDRs of pods and services, and the CNI: one of `CNIS`."""

    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    cni: str = DEFAULT_CNI

    @property
    def cidrs(self) -> dict[str, str]:
        """The CIDRs by attribute name."""
        return {"pod_cidr": self.pod_cidr, "service_cidr": self.service_cidr}


@dataclass(frozen=True, slots=True)
class Kubeadm:
    """What a site adds to the configuration that rpool gives to kubeadm.

    `kubelet` and `kube_proxy`, YAML as the user wrote it, are merged into KubeletConfiguration and
    KubeProxyConfiguration. `ignore_preflight_errors` goes into nodeRegistration.
    """

    kubelet: str | None = None
    kube_proxy: str | None = None
    ignore_preflight_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Oidc:
    """An issuer whose users may log in, too: the API's settings of the same names. `ca_certificate`
    (PEM) is the issuer's, where the system does not know it.
    """

    issuer_url: str
    client_id: str
    username_claim: str | None = None
    username_prefix: str | None = None
    groups_claim: str | None = None
    groups_prefix: str | None = None
    ca_certificate: str | None = None


POD_SECURITY = ("privileged", "baseline", "restricted")


@dataclass(frozen=True, slots=True)
class ApiServer:
    """What a site asks of the API servers beyond what rpool does.

    `audit_policy` is YAML as the user wrote it, and replaces ours. `extra_sans` are further names
    and addresses in the certificate. `pod_security` (one of POD_SECURITY) is what a namespace
    without a label of its own enforces. `flags` are kube-apiserver's, without leading dashes.
    """

    oidc: Oidc | None = None
    audit_policy: str | None = None
    extra_sans: tuple[str, ...] = ()
    pod_security: str = "baseline"
    flags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The loss that the request must outlast: the worst `servers` workers, or the worst `zones`
    with all workers in them. At most one of the two is above zero.
    """

    servers: int = 0
    zones: int = 0


class OnTimeout(StrEnum):
    """What happens to a server whose pods did not leave in time."""

    FAIL = "fail"  # it is uncordoned and stays in the cluster
    EVICT_ANYWAY = "evict_anyway"  # its pods are deleted, disruption budgets or not


@dataclass(frozen=True, slots=True)
class DrainPolicy:
    """How a server is drained before it leaves a cluster that goes on."""

    timeout_seconds: int = 600
    on_timeout: OnTimeout = OnTimeout.FAIL


class RepairMode(StrEnum):
    """What a plan does about members that are not well."""

    PLAN = "plan"  # it mends or replaces them
    WARN = "warn"  # it only names them


@dataclass(frozen=True, slots=True)
class Repair:
    """What is done about a member that is not well for longer than `grace_seconds`. Where more than
    `max_lost` members are not well at once, nothing is repaired: then no single server is the
    cause.
    """

    grace_seconds: int = 300
    mode: RepairMode = RepairMode.PLAN
    max_lost: int = 1


@dataclass(frozen=True, slots=True)
class Taint:
    """`effect` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """The labels and taints that a server's Node is to have."""

    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()

    def beside(self, other: NodeSpec) -> NodeSpec:
        """All labels and taints that a Node may have while it changes from this spec to `other`."""
        taints = dict.fromkeys([*self.taints, *other.taints])
        return NodeSpec({**self.labels, **other.labels}, tuple(taints))


MOST_GROUPS = 20
DEFAULT_GROUP = "default"
"""The group whose size is the cluster's own. Control planes are in it."""


@dataclass(frozen=True, slots=True)
class Group:
    """A named group of workers beside `DEFAULT_GROUP`: their total, and what their Nodes get."""

    cores: int
    memory_gib: int
    tolerate: Tolerance = field(default_factory=Tolerance)
    selector: Selector = field(default_factory=Selector)
    node: NodeSpec = field(default_factory=NodeSpec)


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """The request: cores and memory (GiB) that the workload servers have together, as hardware.
    Servers of `groups` (by name) count for their group only.
    """

    name: str
    kubernetes_version: str
    cores: int
    memory_gib: int
    control_plane: ControlPlane
    selector: Selector = field(default_factory=Selector)
    networking: Networking = field(default_factory=Networking)
    metallb_pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kubeadm: Kubeadm = field(default_factory=Kubeadm)
    api_server: ApiServer = field(default_factory=ApiServer)
    tolerate: Tolerance = field(default_factory=Tolerance)
    drain: DrainPolicy = field(default_factory=DrainPolicy)
    repair: Repair = field(default_factory=Repair)
    trust: Domain = COMMON
    groups: Mapping[str, Group] = field(default_factory=dict)

    def part(self, group: str) -> PoolSpec:
        """The request for one group alone; control planes are in the default one."""
        if group == DEFAULT_GROUP:
            return replace(self, groups={})
        chosen = self.groups[group]
        return replace(
            self,
            cores=chosen.cores,
            memory_gib=chosen.memory_gib,
            tolerate=chosen.tolerate,
            selector=chosen.selector,
            control_plane=replace(self.control_plane, servers=0, selector=None, schedulable=False),
            groups={},
        )

    def selector_of(self, *, control_plane: bool) -> Selector:
        """The selector of control planes, or of workers."""
        planes = self.control_plane.selector
        return planes if control_plane and planes is not None else self.selector

    @property
    def digest(self) -> str:
        """Sixteen hex digits that identify this request; they are the same in every process."""
        import hashlib  # takes some milliseconds, and not every process needs it
        import json

        text = json.dumps(asdict(self), default=sorted, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

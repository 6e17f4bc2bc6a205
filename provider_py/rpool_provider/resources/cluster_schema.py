"""The schema of `rpool_cluster`. What is not here does not work yet."""

from __future__ import annotations

from rpool.model.cni import CNIS, DEFAULT_CNI, NO_CNI
from rpool_provider.resources import meaning
from rpool_provider.resources.group_schema import GROUP, SELECTOR, TOLERATE
from rpool_provider.schema import (
    BOOL,
    NUMBER,
    STRING,
    Attribute,
    List,
    Map,
    Object,
    Schema,
    computed,
    defaulted,
    optional,
    required,
)

_ENDPOINT = Object(
    (
        optional(
            "vip",
            STRING,
            "Virtual IP that the control planes keep among themselves: a free IPv4 address of "
            "their network. Either this or `address`.",
            replaces=True,
        ),
        optional(
            "address",
            STRING,
            "`host:port` of a load balancer of your own that forwards to port 6443.",
            replaces=True,
        ),
    )
)

_CONTROL_PLANE = Object(
    (
        required("servers", NUMBER, "How many servers run it: 1, 3, 5 or 7."),
        required("endpoint", _ENDPOINT, "Where the API is found.", replaces=True),
        optional(
            "recover_from",
            STRING,
            "When most control planes are gone for good (and marked `lost`): the one that is left, "
            "from whose data etcd is made anew. It does nothing while the API answers, and nothing "
            "a second time.",
        ),
        optional(
            "selector",
            SELECTOR,
            "Which servers may be picked for it. Unless set, those of the cluster's `selector`.",
        ),
        optional("labels", Map(STRING), "Labels of its Nodes, besides those of the fleet."),
        defaulted(
            "schedulable",
            BOOL,
            False,
            "Whether these servers take pods, too: then they count for `cores` and `memory`. "
            "Default `false`.",
        ),
    )
)

_NETWORKING_DEFAULTS = {
    "pod_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/12",
    "cni": DEFAULT_CNI,
}

_INSTALLED_CNIS = ", ".join(f"`{name}`" for name in CNIS if name != NO_CNI)

_NETWORKING = Object(
    always=True,
    attributes=tuple(
        defaulted(
            name,
            STRING,
            _NETWORKING_DEFAULTS[name],
            f"{description} Default `{_NETWORKING_DEFAULTS[name]}`.",
            replaces=True,
        )
        for name, description in (
            ("pod_cidr", "Addresses of pods."),
            ("service_cidr", "Addresses of services."),
            ("cni", f"{_INSTALLED_CNIS}, or `{NO_CNI}` to install one yourself."),
        )
    ),
)

_METALLB = Object(
    (
        required(
            "pools",
            Map(List(STRING)),
            "Addresses for services of type LoadBalancer (L2): ranges `a-b` or CIDRs, by name.",
            meaning=meaning.ranges,
        ),
    )
)

_KUBEADM = Object(
    (
        optional(
            "kubelet",
            STRING,
            "YAML merged into KubeletConfiguration; use `yamlencode`.",
            meaning=meaning.yaml,
        ),
        optional(
            "kube_proxy", STRING, "YAML merged into KubeProxyConfiguration.", meaning=meaning.yaml
        ),
        optional("ignore_preflight_errors", List(STRING), "Checks of kubeadm to pass over."),
    )
)

_OIDC = Object(
    (
        required("issuer_url", STRING, "The issuer's https address."),
        required("client_id", STRING, "For whom tokens have to be."),
        optional("username_claim", STRING, "Which claim is the user's name. Default `sub`."),
        optional("username_prefix", STRING, "What comes before it; `-` for nothing."),
        optional("groups_claim", STRING, "Which claim has the user's groups."),
        optional("groups_prefix", STRING, "What comes before each."),
        optional("ca_certificate", STRING, "The issuer's CA (PEM), if the system has it not."),
    )
)

_API_SERVER = Object(
    (
        optional("oidc", _OIDC, "Lets users of an OpenID Connect issuer log in."),
        optional(
            "audit_policy",
            STRING,
            "YAML of an audit Policy, in the place of rpool's (metadata of all but noise).",
            meaning=meaning.yaml,
        ),
        optional("extra_sans", List(STRING), "Further names and addresses in its certificate."),
        optional(
            "pod_security",
            STRING,
            "What namespaces without a label of their own enforce: `privileged`, `baseline` or "
            "`restricted`. Default `baseline`.",
        ),
        optional("flags", Map(STRING), "Further flags of kube-apiserver, without dashes."),
    )
)

_DRAIN = Object(
    always=True,
    attributes=(
        defaulted(
            "timeout",
            STRING,
            "10m",
            "How long pods may take to leave. Default `10m`.",
            meaning=meaning.duration,
        ),
        defaulted(
            "on_timeout",
            STRING,
            "fail",
            "`fail`: the server stays in the cluster. `evict_anyway`: what is left is deleted, "
            "disruption budgets or not. Default `fail`.",
        ),
    ),
)


_REPAIR = Object(
    always=True,
    attributes=(
        defaulted(
            "grace",
            STRING,
            "5m",
            "How long a member may be NotReady before a plan repairs it: where it answers by SSH "
            "it is mended in its place, else another server takes its place. Default `5m`.",
            meaning=meaning.duration,
        ),
        defaulted(
            "mode",
            STRING,
            "plan",
            "`plan`: plans repair. `warn`: they only name who is not well. Default `plan`.",
        ),
        defaulted(
            "max_lost",
            NUMBER,
            1,
            "Where more members than this are not well at once, nothing is repaired. Default `1`.",
        ),
    ),
)


_DESTROY = Object(
    always=True,
    attributes=(
        defaulted(
            "on_unreachable",
            STRING,
            "fail",
            "`fail`: a destroy keeps servers that do not answer in the state. `abandon`: it lets "
            "go of them, with their claims on them. It counts once it is applied. Default `fail`.",
        ),
    ),
)


def _limit(name: str, description: str) -> Attribute:
    return optional(name, STRING, description, meaning=meaning.duration)


_TIMEOUTS = Object(
    (
        _limit("create", "At most this long for a create, such as `45m`. Default 60m."),
        _limit("update", "At most this long for a change. Default 60m."),
        _limit("delete", "At most this long for a destroy. Default 30m."),
    )
)

_SERVER = Object(
    (
        computed("role", STRING, "`control_plane` or `worker`."),
        computed("address", STRING, "Its address in the fleet."),
        computed("zone", STRING, "Its zone."),
        computed("group", STRING, "Which `workers` it is of; else `default`."),
        computed("cores", NUMBER, "Its cores."),
        computed("memory", NUMBER, "Its memory in GiB."),
        computed("labels", Map(STRING), "Its labels in the fleet, which its Node has, too."),
    )
)

CLUSTER = Schema(
    Object(
        (
            required("name", STRING, "Name of the cluster, a DNS label.", replaces=True),
            required("kubernetes_version", STRING, "Version such as `1.36.3`."),
            required("cores", NUMBER, "Cores of the workload servers together, as hardware."),
            required("memory", NUMBER, "GiB of memory of these together."),
            optional("tolerate", TOLERATE, "Which loss `cores` and `memory` must outlast."),
            required("control_plane", _CONTROL_PLANE, "The servers that run Kubernetes itself."),
            optional("selector", SELECTOR, "Which servers may be picked; all unless set."),
            optional(
                "workers",
                Map(GROUP),
                "A further group of workers, by its name, beside those of `cores` and `memory`: "
                "servers of another kind, say, or with taints.",
            ),
            optional(
                "trust",
                STRING,
                "Its domain of trust: it takes only servers that have the same `trust` in the "
                "fleet and have served in no other domain since they were installed. Unless set, "
                "only servers without. It is for good.",
            ),
            optional("networking", _NETWORKING, "Networks inside the cluster."),
            optional("metallb", _METALLB, "Installs MetalLB with these address pools."),
            optional("drain", _DRAIN, "How servers are drained before they leave."),
            optional("repair", _REPAIR, "What becomes of members that are not well."),
            optional("destroy", _DESTROY, "How a destroy goes about servers that do not answer."),
            defaulted(
                "deletion_protection",
                BOOL,
                False,
                "Refuses plans that destroy or replace the cluster, also by `-replace` or a taint. "
                "Setting it to `false` counts once that is applied. Default `false`.",
            ),
            optional("kubeadm", _KUBEADM, "What this site must say to kubeadm besides."),
            optional("api_server", _API_SERVER, "What this site asks of the API servers."),
            optional("timeouts", _TIMEOUTS, "How long things may take."),
            computed("id", STRING, "The cluster's uid. Names may be used again, uids are not."),
            computed(
                "condition",
                STRING,
                "`settled`; `degraded` when a member is not well for longer than `repair.grace`, "
                "`incomplete` when a change was cut off, `unreachable` when no control plane shows "
                "the API.",
            ),
            computed(
                "allocated_cores",
                NUMBER,
                "Cores of the workers it has, as hardware, but for those of `workers`.",
            ),
            computed("allocated_memory", NUMBER, "GiB of memory of these."),
            computed("endpoint", STRING, "`host:port` of the API."),
            computed("ca_certificate", STRING, "The cluster's CA certificate (PEM)."),
            computed(
                "ca_pin", STRING, "Its pin, `sha256:...`: who shows another is not the cluster."
            ),
            computed("servers", Map(_SERVER), "The servers it has, by name."),
        )
    ),
    "A Kubernetes cluster as a pool of cores and memory on servers of the fleet.",
    identity=("id",),
)

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
            "Virtual IP of the API, held by one of the control planes: a free IPv4 address of "
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
        required("servers", NUMBER, "Number of control planes: 1, 3, 5 or 7."),
        required("endpoint", _ENDPOINT, "Address of the API.", replaces=True),
        optional(
            "recover_from",
            STRING,
            "When most control planes are gone for good (and marked `lost`): the remaining one, "
            "from whose data etcd is rebuilt. It has no effect while the API answers, nor a "
            "second time.",
        ),
        optional(
            "selector",
            SELECTOR,
            "Which servers may be picked for it. Unless set, the cluster's `selector` applies.",
        ),
        optional("labels", Map(STRING), "Labels of its Nodes, in addition to those of the fleet."),
        defaulted(
            "schedulable",
            BOOL,
            False,
            "Whether these servers also run workloads: then they count towards `cores` and "
            "`memory`. Default `false`.",
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
        optional("ignore_preflight_errors", List(STRING), "Preflight checks of kubeadm to ignore."),
    )
)

_OIDC = Object(
    (
        required("issuer_url", STRING, "The issuer's https address."),
        required("client_id", STRING, "The client that tokens must be issued for."),
        optional("username_claim", STRING, "Claim with the user's name. Default `sub`."),
        optional("username_prefix", STRING, "Prefix of user names; `-` for none."),
        optional("groups_claim", STRING, "Claim with the user's groups."),
        optional("groups_prefix", STRING, "Prefix of group names."),
        optional(
            "ca_certificate", STRING, "The issuer's CA (PEM), if the system does not have it."
        ),
    )
)

_API_SERVER = Object(
    (
        optional("oidc", _OIDC, "Lets users of an OpenID Connect issuer log in."),
        optional(
            "audit_policy",
            STRING,
            "YAML of an audit Policy that replaces rpool's (metadata of all but noise).",
            meaning=meaning.yaml,
        ),
        optional("extra_sans", List(STRING), "Additional names and addresses in its certificate."),
        optional(
            "pod_security",
            STRING,
            "Pod security level of namespaces without a label of their own: `privileged`, "
            "`baseline` or `restricted`. Default `baseline`.",
        ),
        optional(
            "flags", Map(STRING), "Additional flags of kube-apiserver, without leading dashes."
        ),
    )
)

_DRAIN = Object(
    always=True,
    attributes=(
        defaulted(
            "timeout",
            STRING,
            "10m",
            "How long a drain may take. Default `10m`.",
            meaning=meaning.duration,
        ),
        defaulted(
            "on_timeout",
            STRING,
            "fail",
            "`fail`: the server stays in the cluster. `evict_anyway`: the remaining pods are "
            "deleted, whatever disruption budgets say. Default `fail`.",
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
            "How long a member may be NotReady before a plan repairs it: in place if it answers "
            "by SSH, else by another server. Default `5m`.",
            meaning=meaning.duration,
        ),
        defaulted(
            "mode",
            STRING,
            "plan",
            "`plan`: plans repair. `warn`: they only name unhealthy members. Default `plan`.",
        ),
        defaulted(
            "max_lost",
            NUMBER,
            1,
            "If more members than this are unhealthy at once, nothing is repaired. Default `1`.",
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
            "`fail`: a destroy keeps unreachable servers in the state. `abandon`: it abandons "
            "them, with their claims on them. Takes effect once applied. Default `fail`.",
        ),
    ),
)


def _limit(name: str, description: str) -> Attribute:
    return optional(name, STRING, description, meaning=meaning.duration)


_TIMEOUTS = Object(
    (
        _limit("create", "Time limit of a create, such as `45m`. Default 60m."),
        _limit("update", "Time limit of a change. Default 60m."),
        _limit("delete", "Time limit of a destroy. Default 30m."),
    )
)

_SERVER = Object(
    (
        computed("role", STRING, "`control_plane` or `worker`."),
        computed("address", STRING, "Its address in the fleet."),
        computed("zone", STRING, "Its zone."),
        computed("group", STRING, "Its group in `workers`, else `default`."),
        computed("cores", NUMBER, "Its cores."),
        computed("memory", NUMBER, "Its memory in GiB."),
        computed("labels", Map(STRING), "Its labels in the fleet, which its Node also has."),
    )
)

CLUSTER = Schema(
    Object(
        (
            required("name", STRING, "Name of the cluster, a DNS label.", replaces=True),
            required("kubernetes_version", STRING, "Version such as `1.36.3`."),
            required(
                "cores", NUMBER, "Total cores of the servers that run workloads, as hardware."
            ),
            required("memory", NUMBER, "Total memory of these servers in GiB."),
            optional(
                "tolerate", TOLERATE, "Loss of servers that `cores` and `memory` must survive."
            ),
            required("control_plane", _CONTROL_PLANE, "The servers that run Kubernetes itself."),
            optional("selector", SELECTOR, "Which servers may be picked; all unless set."),
            optional(
                "workers",
                Map(GROUP),
                "An additional group of workers, by name, beside those of `cores` and `memory`: "
                "servers of another kind, say, or with taints.",
            ),
            optional(
                "trust",
                STRING,
                "Its domain of trust: it takes only servers that have the same `trust` in the "
                "fleet and have served in no other domain since they were installed. Unless "
                "set, only servers without one. It cannot be changed.",
            ),
            optional("networking", _NETWORKING, "Networks inside the cluster."),
            optional("metallb", _METALLB, "Installs MetalLB with these address pools."),
            optional("drain", _DRAIN, "How servers are drained before they leave."),
            optional("repair", _REPAIR, "How unhealthy members are repaired."),
            optional("destroy", _DESTROY, "What a destroy does with unreachable servers."),
            defaulted(
                "deletion_protection",
                BOOL,
                False,
                "Refuses plans that destroy or replace the cluster, including by `-replace` or "
                "a taint. `false` takes effect once applied. Default `false`.",
            ),
            optional("kubeadm", _KUBEADM, "Additional settings for kubeadm."),
            optional("api_server", _API_SERVER, "Settings of the API servers."),
            optional("timeouts", _TIMEOUTS, "Time limits of operations."),
            computed("id", STRING, "The cluster's uid. Unlike its name, it is never reused."),
            computed(
                "condition",
                STRING,
                "`settled`; `degraded` when a member is unhealthy for longer than "
                "`repair.grace`, `incomplete` when a change was interrupted, `unreachable` when "
                "the API answers on no control plane.",
            ),
            computed(
                "allocated_cores",
                NUMBER,
                "Cores of its current workers, as hardware, without those of `workers` groups.",
            ),
            computed("allocated_memory", NUMBER, "Memory of these in GiB."),
            computed("endpoint", STRING, "`host:port` of the API."),
            computed("ca_certificate", STRING, "The cluster's CA certificate (PEM)."),
            computed(
                "ca_pin",
                STRING,
                "Pin of that CA, `sha256:...`: an API with another one is not this cluster.",
            ),
            computed("servers", Map(_SERVER), "The servers it has, by name."),
        )
    ),
    "A Kubernetes cluster as a pool of cores and memory on servers of the fleet.",
    identity=("id",),
)

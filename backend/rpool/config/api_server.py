"""What a site may ask of the API servers.

An unknown flag or an unreadable policy would show only minutes later, in an API that does not
start. So only flags listed here are accepted, and each flag that rpool or kubeadm sets itself has
a reason. Every check raises ValueError with a sentence for the user.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from rpool.config import component, values
from rpool.model.secret import may_be_key, shown

FLAGS = frozenset(
    {
        "allow-metric-labels",
        "api-audiences",
        "audit-log-maxage",
        "audit-log-maxbackup",
        "audit-log-maxsize",
        "cors-allowed-origins",
        "default-not-ready-toleration-seconds",
        "default-unreachable-toleration-seconds",
        "default-watch-cache-size",
        "delete-collection-workers",
        "disable-admission-plugins",
        "disabled-metrics",
        "enable-admission-plugins",
        "enable-aggregator-routing",
        "enable-priority-and-fairness",
        "etcd-compaction-interval",
        "event-ttl",
        "external-hostname",
        "feature-gates",
        "goaway-chance",
        "http2-max-streams-per-connection",
        "livez-grace-period",
        "logging-format",
        "max-connection-bytes-per-sec",
        "max-mutating-requests-inflight",
        "max-requests-inflight",
        "min-request-timeout",
        "oidc-required-claim",
        "oidc-signing-algs",
        "request-timeout",
        "runtime-config",
        "service-account-extend-token-expiration",
        "service-account-issuer",
        "service-account-jwks-uri",
        "service-account-max-token-expiration",
        "service-node-port-range",
        "show-hidden-metrics-for-version",
        "shutdown-delay-duration",
        "shutdown-send-retry-after",
        "shutdown-watch-termination-grace-period",
        "strict-transport-security-directives",
        "tls-cipher-suites",
        "tls-curve-preferences",
        "tls-min-version",
        "v",
        "vmodule",
        "watch-cache",
        "watch-cache-sizes",
    }
)
"""The flags of kube-apiserver that a site may set, without dashes."""

_INSTEAD = {
    "admission-control-config-file": "pod_security sets its content",
    "anonymous-auth": "joining servers fetch the cluster's CA before they can authenticate",
    "audit-log-path": "the log is in /var/log/kubernetes on each control plane",
    "audit-policy-file": "audit_policy takes the text itself",
    "authentication-config": "oidc sets its content",
    "authorization-config": "it is always Node and RBAC",
    "authorization-mode": "it is always Node and RBAC",
    "encryption-provider-config": "secrets are encrypted, with a key of the cluster's own",
    "encryption-provider-config-automatic-reload": "it is always on",
    "kubelet-certificate-authority": "it is always the cluster's CA",
    "oidc-ca-file": "oidc.ca_certificate takes the text itself",
    "oidc-client-id": "oidc.client_id sets it",
    "oidc-groups-claim": "oidc.groups_claim sets it",
    "oidc-groups-prefix": "oidc.groups_prefix sets it",
    "oidc-issuer-url": "oidc.issuer_url sets it",
    "oidc-username-claim": "oidc.username_claim sets it",
    "oidc-username-prefix": "oidc.username_prefix sets it",
    "profiling": "it is always off",
    "service-cluster-ip-range": "networking.service_cidr sets it",
}
"""Flags that a site cannot set, with the reason, or with what sets them instead."""

_NEEDED = ("NodeRestriction", "PodSecurity", "ServiceAccount", "NamespaceLifecycle")
"""Admission plug-ins that stop a server from changing others, and a pod from changing it."""

_PLUGIN = re.compile("[A-Za-z]+")
_DURATION = (r"([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+", "a duration such as 90s or 4h")
_NUMBER = (r"[0-9]{1,9}", "a whole number")
_BOOL = ("true|false", "true or false")
_SHAPES = {
    "audit-log-maxage": _NUMBER,
    "audit-log-maxbackup": _NUMBER,
    "audit-log-maxsize": _NUMBER,
    "default-not-ready-toleration-seconds": _NUMBER,
    "default-unreachable-toleration-seconds": _NUMBER,
    "default-watch-cache-size": _NUMBER,
    "delete-collection-workers": _NUMBER,
    "enable-aggregator-routing": _BOOL,
    "enable-priority-and-fairness": _BOOL,
    "etcd-compaction-interval": _DURATION,
    "event-ttl": _DURATION,
    "goaway-chance": (r"0(\.0([01][0-9]*|2)?)?", "between 0 and 0.02"),
    "http2-max-streams-per-connection": _NUMBER,
    "livez-grace-period": _DURATION,
    "logging-format": ("text|json", "text or json"),
    "max-connection-bytes-per-sec": _NUMBER,
    "max-mutating-requests-inflight": _NUMBER,
    "max-requests-inflight": _NUMBER,
    "min-request-timeout": _NUMBER,
    "request-timeout": _DURATION,
    "service-account-extend-token-expiration": _BOOL,
    "service-account-max-token-expiration": _DURATION,
    "service-node-port-range": (r"[0-9]{1,5}-[0-9]{1,5}", "a range such as 30000-32767"),
    "shutdown-delay-duration": _DURATION,
    "shutdown-send-retry-after": _BOOL,
    "shutdown-watch-termination-grace-period": _DURATION,
    "tls-min-version": ("VersionTLS1[23]", "VersionTLS12 or VersionTLS13"),
    "v": (r"[0-9]|10", "a number from 0 to 10"),
    "watch-cache": _BOOL,
}
"""By flag: a pattern of its value, and the same in words. Flags without one take any text."""

_LEVELS = ("None", "Metadata", "Request", "RequestResponse")
_STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
_TEXT = re.compile(r"[ -~]{1,1000}")


def flag(name: str) -> str:
    if name in FLAGS:
        return name
    if name in _INSTEAD:
        raise ValueError(f"{name} cannot be set here: {_INSTEAD[name]}")
    bare = name.lstrip("-").replace("_", "-")
    close = get_close_matches(bare, FLAGS, 1)
    hint = f'. Did you mean "{close[0]}"?' if close else ". See docs/guides/api-server.md"
    raise ValueError(f"{shown(name)} is not a flag of kube-apiserver that a site can set{hint}")


def flags(given: dict[str, str]) -> dict[str, str]:
    plugins = {
        name: given[name].split(",")
        for name in ("enable-admission-plugins", "disable-admission-plugins")
        if name in given
    }
    for which, listed in plugins.items():
        if not all(map(_PLUGIN.fullmatch, listed)):
            raise ValueError(f"{which} must be a comma-separated list of plug-ins, without spaces")
    on, off = plugins.get("enable-admission-plugins"), plugins.get("disable-admission-plugins")
    if on is not None and "NodeRestriction" not in on:
        raise ValueError("enable-admission-plugins must include NodeRestriction")
    if needed_off := [name for name in _NEEDED if name in (off or ())]:
        raise ValueError(f"disable-admission-plugins must not name {' or '.join(needed_off)}")
    for name, value in given.items():
        shape = _SHAPES.get(name)
        if shape is not None and not re.fullmatch(shape[0], value):
            raise ValueError(f"{name} = {shown(value)} is not {shape[1]}")
    return given


def flag_value(value: str) -> str:
    if not _TEXT.fullmatch(value):
        raise ValueError("the value of a flag must be 1 to 1000 printable ASCII characters")
    return value


def claim(value: str) -> str:
    if not _TEXT.fullmatch(value) or may_be_key(value):
        raise ValueError(f"{shown(value)} is not the name of a claim, or a prefix")
    return value


def issuer(value: str) -> str:
    match = re.fullmatch(r"https://(?P<host>[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[!-~]{0,500})?", value)
    if not match or not values.is_host(match["host"]) or {"?", "#", "@"} & set(value):
        raise ValueError(f"{shown(value)} is not the https address of an issuer")
    if match["host"].startswith("kubernetes.default."):
        raise ValueError(
            "the issuer must not be the cluster itself, which issues the tokens of service accounts"
        )
    return value


def san(value: str) -> str:
    """Check a further name or address in the certificate of the API."""
    if value != value.lower() or not values.is_host(value):
        raise ValueError(f"{shown(value)} is neither a host name in lower case nor an IPv4 address")
    return value


def certificate(value: str) -> str:
    from rpool.certificates import are_certificates

    if "PRIVATE KEY" in value:
        raise ValueError("this holds a private key; only the CA's certificate belongs here")
    if not are_certificates(value):
        raise ValueError("this is not a PEM certificate")
    return value


_LISTS = ("users", "userGroups", "verbs", "namespaces", "nonResourceURLs")
_RULE = ("level", *_LISTS, "resources", "omitStages", "omitManagedFields")
_POLICY = ("apiVersion", "kind", "metadata", "omitStages", "omitManagedFields", "rules")
_RESOURCE = ("group", "resources", "resourceNames")


def audit_policy(value: str) -> str:
    """Check a YAML mapping of audit.k8s.io/v1 Policy; it is parsed again where it is used."""
    policy = component.settings(value, "Policy")
    rules = policy.get("rules")
    if not isinstance(rules, list) or not rules:
        raise ValueError("an audit policy needs a list of rules, with at least one")
    if unknown := [shown(str(name)) for name in policy if name not in _POLICY]:
        raise ValueError(f"an audit policy has no field {unknown[0]}")
    if wrong := _wrong_stages(policy):
        raise ValueError(wrong)
    for number, rule in enumerate(rules, 1):
        if wrong := _wrong_in(rule):
            raise ValueError(f"rule {number} {wrong}")
    return value


def _wrong_in(rule: Any) -> str:
    if not isinstance(rule, dict) or rule.get("level") not in _LEVELS:
        return "has no level, such as Metadata or Request"
    for name, value in rule.items():
        if name not in _RULE:
            return f"has {shown(str(name))}, which is not a field of a rule"
        if name in _LISTS and not _are_texts(value):
            return f"has {name} that is not a list of strings"
    if rule.get("resources") and rule.get("nonResourceURLs"):
        return "has both resources and nonResourceURLs; split it in two"
    resources = rule.get("resources", [])
    if not isinstance(resources, list) or not all(map(_is_resource, resources)):
        return "has resources that are not a list of { group, resources, resourceNames }"
    return _wrong_stages(rule)


def _is_resource(resource: Any) -> bool:
    if not isinstance(resource, dict) or not set(resource) <= set(_RESOURCE):
        return False
    lists = (resource.get("resources", []), resource.get("resourceNames", []))
    group = resource.get("group", "")
    return isinstance(group, str) and "/" not in group and all(map(_are_texts, lists))


def _wrong_stages(part: dict[Any, Any]) -> str:
    stages = part.get("omitStages", [])
    if not _are_texts(stages) or not set(stages) <= set(_STAGES):
        return f"omitStages is a list of {', '.join(_STAGES)}"
    if not isinstance(part.get("omitManagedFields", False), bool):
        return "omitManagedFields is true or false"
    return ""


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)

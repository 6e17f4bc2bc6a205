"""What a site may ask of the API servers.

A flag that they do not know, or a policy that they cannot read, would show minutes later, by an API
that does not start. So only flags are taken that are known here, and each that rpool or kubeadm
sets for good has its reason. Every check raises ValueError with a sentence for the user.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from rpool.config import component, values
from rpool.model.secret import may_be_key, shown

FLAGS = frozenset(
    {
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
        "strict-transport-security-directives",
        "tls-cipher-suites",
        "tls-min-version",
        "v",
        "vmodule",
        "watch-cache",
        "watch-cache-sizes",
    }
)
"""Of kube-apiserver, without dashes: those that a site may set."""

_INSTEAD = {
    "admission-control-config-file": "pod_security sets what is in it",
    "anonymous-auth": "servers that join ask for the cluster's CA before they can be known",
    "audit-policy-file": "audit_policy has the text itself",
    "authorization-mode": "it is Node and RBAC",
    "encryption-provider-config": "secrets are encrypted, with a key of the cluster's own",
    "oidc-ca-file": "oidc.ca_certificate has the text itself",
    "oidc-client-id": "oidc.client_id sets it",
    "oidc-groups-claim": "oidc.groups_claim sets it",
    "oidc-groups-prefix": "oidc.groups_prefix sets it",
    "oidc-issuer-url": "oidc.issuer_url sets it",
    "oidc-username-claim": "oidc.username_claim sets it",
    "oidc-username-prefix": "oidc.username_prefix sets it",
    "service-cluster-ip-range": "networking.service_cidr sets it",
}
"""Flags that are not a site's to set, and why, or what does it."""

_NEEDED = ("NodeRestriction", "PodSecurity", "ServiceAccount", "NamespaceLifecycle")
"""Admission plug-ins that keep a server from changing others, and a pod from the server."""

_LEVELS = ("None", "Metadata", "Request", "RequestResponse")
_TEXT = re.compile(r"[ -~]{1,1000}")


def flag(name: str) -> str:
    if name in FLAGS:
        return name
    if name in _INSTEAD:
        raise ValueError(f"{name} is not set here: {_INSTEAD[name]}")
    bare = name.lstrip("-").replace("_", "-")
    close = get_close_matches(bare, FLAGS, 1)
    hint = f'. Did you mean "{close[0]}"?' if close else ". docs/api-server.md lists all"
    raise ValueError(f"{shown(name)} is no flag of kube-apiserver that a site can set{hint}")


def flags(given: dict[str, str]) -> dict[str, str]:
    on = given.get("enable-admission-plugins")
    if on is not None and "NodeRestriction" not in on.split(","):
        raise ValueError("enable-admission-plugins needs NodeRestriction among its plug-ins")
    off = set(given.get("disable-admission-plugins", "").split(","))
    if lost := [name for name in _NEEDED if name in off]:
        raise ValueError(f"disable-admission-plugins must not name {' or '.join(lost)}")
    return given


def flag_value(value: str) -> str:
    if not _TEXT.fullmatch(value):
        raise ValueError("the value of a flag is 1 to 1000 printable ASCII characters")
    return value


def claim(value: str) -> str:
    if not _TEXT.fullmatch(value) or may_be_key(value):
        raise ValueError(f"{shown(value)} is not the name of a claim, or a prefix")
    return value


def issuer(value: str) -> str:
    if not re.fullmatch(r"https://[!-~]{1,500}", value) or "@" in value or "#" in value:
        raise ValueError(f"{shown(value)} is not the https address of an issuer")
    return value


def san(value: str) -> str:
    """A further name or address of the API in its certificate."""
    if value != value.lower() or not values.is_host(value):
        raise ValueError(f"{shown(value)} is neither a host name in lower case nor an IPv4 address")
    return value


def certificate(value: str) -> str:
    from rpool.certificates import ca_pin

    if "PRIVATE KEY" in value:
        raise ValueError("this holds a private key; only the CA's certificate belongs here")
    try:
        ca_pin(value)
    except ValueError:
        raise ValueError("this is no certificate in PEM") from None
    return value


def audit_policy(value: str) -> str:
    """A YAML mapping of audit.k8s.io/v1 Policy; parsed again where it is used."""
    rules = component.settings(value, "Policy").get("rules")
    if not isinstance(rules, list) or not rules:
        raise ValueError("an audit policy has a list of rules, at least one")
    for number, rule in enumerate(rules, 1):
        if not isinstance(rule, dict) or rule.get("level") not in _LEVELS:
            raise ValueError(f"rule {number} has no level, such as Metadata or Request")
    return value

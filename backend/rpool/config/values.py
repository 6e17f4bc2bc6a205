"""What single values may look like; every check raises ValueError with a sentence for the user."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from rpool.model.duration import seconds
from rpool.model.pool import KUBERNETES_VERSION
from rpool.model.secret import may_be_key, shown

SUPPORTED_MINORS = range(34, 38)
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
HOST_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?")
LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
OWNER = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.@/ ]*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def matching(pattern: re.Pattern[str], most: int, what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value) or len(value) > most:
            raise ValueError(f"{shown(value)} is not {what}")
        return value

    return check


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Takes these names alone, two or more."""
    *most, last = (f'"{name}"' for name in names)
    pattern = re.compile("|".join(map(re.escape, names)))
    return matching(pattern, max(map(len, names)), f"one of {', '.join(most)} or {last}")


def dns_label(most: int) -> Callable[[str], str]:
    return matching(
        LABEL,
        most,
        f"a DNS label: 1 to {most} lower-case letters, digits or hyphens, "
        "beginning and ending with a letter or digit",
    )


def owner(value: str) -> str:
    what = "a name of 1 to 100 letters, digits, spaces or characters of - _ . @ /"
    return matching(OWNER, 100, what)(value)


def version(value: str) -> str:
    match = KUBERNETES_VERSION.fullmatch(value)
    if not match:
        raise ValueError(f'{shown(value)} is not a Kubernetes version such as "1.36.3"')
    if int(match[1]) not in SUPPORTED_MINORS:
        first, last = SUPPORTED_MINORS[0], SUPPORTED_MINORS[-1]
        raise ValueError(
            f"Kubernetes {value} is not supported: this rpool knows 1.{first} to 1.{last}"
        )
    return value


def odd(value: int) -> int:
    if value not in (1, 3, 5, 7):
        raise ValueError(
            f"{value} control planes are not possible: etcd needs an odd number (1, 3, 5 or 7)"
        )
    return value


def ipv4(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError as error:
        raise ValueError(f"{shown(value)} is not an IPv4 address such as 10.0.1.200") from error


def cidr(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        why = _why(value, error)
        raise ValueError(f"{shown(value)} is not an IPv4 network in CIDR form{why}") from None
    if network.prefixlen > 24:
        raise ValueError(f"{value} is too small: at least a /24 is needed")
    return str(network)


def address_span(value: str) -> str:
    from rpool.model.ranges import address_range  # loads how servers are chosen, too

    try:
        address_range(value)
    except ValueError as error:
        raise ValueError(
            f"{shown(value)} is neither a range such as 10.0.1.210-10.0.1.230 nor a CIDR"
            f"{_why(value, error)}"
        ) from None
    return value


def _why(value: str, error: ValueError) -> str:
    """What Python says of a value, which quotes parts of it."""
    return "" if may_be_key(value) else f": {str(error)[:120]}"


def _is_host(name: str) -> bool:
    """An IPv4 address, or a host name: one whose last label is a number would be an address."""
    labels = name.split(".")
    if labels[-1].isdigit():
        try:
            return bool(ipaddress.IPv4Address(name))
        except ValueError:
            return False
    return len(name) <= 253 and all(HOST_LABEL.fullmatch(label) for label in labels)


def host_and_port(value: str) -> str:
    """Where a load balancer has the API. kubeadm takes no upper-case letters there."""
    host, _, port = value.rpartition(":")
    sound = _is_host(host) and host == host.lower() and re.fullmatch(r"[1-9][0-9]{0,4}", port)
    if not sound or int(port) > 65535:
        raise ValueError(f"{shown(value)} is not host:port such as api.example.org:6443")
    return value


def url(value: str) -> str:
    """Of a mirror. What is said of a password does not show it."""
    if re.match(r"[^/]*//[^/?#]*@", value):
        raise ValueError(
            "an address must not hold a user or a password (user:password@): "
            "it would show in command lines and files of the servers"
        )
    if not re.fullmatch(r"https?://[A-Za-z0-9._~:/?#\[\]@!&()*+,;=%-]+", value):
        raise ValueError(f"{shown(value)} is not an http or https address")
    return value.rstrip("/")


def duration(value: str) -> str:
    seconds(value)
    return value


def address(value: str) -> str:
    if not _is_host(value):
        raise ValueError(f"{shown(value)} is neither an IPv4 address nor a host name")
    return value


Name40 = Annotated[str, AfterValidator(dns_label(40))]
Name63 = Annotated[str, AfterValidator(dns_label(63))]
LabelKey = Annotated[str, AfterValidator(matching(LABEL_KEY, 317, "a Kubernetes label key"))]
LabelValue = Annotated[str, AfterValidator(matching(LABEL_VALUE, 63, "a Kubernetes label value"))]
Cores = Annotated[int, Field(ge=1, le=1_000_000)]
MemoryGib = Annotated[int, Field(ge=1, le=10_000_000)]
Address = Annotated[str, AfterValidator(address)]
Url = Annotated[str, AfterValidator(url)]

"""What single values may look like; every check raises ValueError with a sentence for the user."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from rpool.decide.rules import address_range
from rpool.model.duration import seconds
from rpool.model.pool import KUBERNETES_VERSION

SUPPORTED_MINORS = range(34, 38)
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def matching(pattern: re.Pattern[str], most: int, what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value) or len(value) > most:
            raise ValueError(f'"{value}" is not {what}')
        return value

    return check


def dns_label(most: int) -> Callable[[str], str]:
    return matching(
        LABEL,
        most,
        f"a DNS label: 1 to {most} lower-case letters, digits or hyphens, "
        "beginning and ending with a letter or digit",
    )


def version(value: str) -> str:
    match = KUBERNETES_VERSION.fullmatch(value)
    if not match:
        raise ValueError(f'"{value}" is not a Kubernetes version such as "1.36.3"')
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
        raise ValueError(f'"{value}" is not an IPv4 address such as 10.0.1.200') from error


def cidr(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f'"{value}" is not an IPv4 network in CIDR form: {error}') from error
    if network.prefixlen > 24:
        raise ValueError(f"{value} is too small: at least a /24 is needed")
    return str(network)


def range(value: str) -> str:
    try:
        address_range(value)
    except ValueError as error:
        raise ValueError(
            f'"{value}" is neither a range such as 10.0.1.210-10.0.1.230 nor a CIDR: {error}'
        ) from error
    return value


def host_and_port(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]+:\d{1,5}", value) or int(value.rsplit(":", 1)[1]) > 65535:
        raise ValueError(f'"{value}" is not host:port such as api.example.org:6443')
    return value


def url(value: str) -> str:
    """Of a mirror. What is said of a password does not show it."""
    if re.match(r"[^/]*//[^/?#]*@", value):
        raise ValueError(
            "an address must not hold a user or a password (user:password@): "
            "it would show in command lines and files of the servers"
        )
    if not re.fullmatch(r"https?://[^\s'\"\\$`]+", value):
        raise ValueError(f'"{value}" is not an http or https address')
    return value.rstrip("/")


def configuration(value: str) -> str:
    """A YAML mapping; parsed again where it is used."""
    import yaml  # slow to load, and few configurations have such a text

    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"this is not YAML: {error}") from error
    if not isinstance(parsed, dict):
        raise ValueError("this is not a YAML mapping; use yamlencode({ ... })")  # noqa: TRY004 pydantic reads ValueErrors
    return value


def duration(value: str) -> str:
    seconds(value)
    return value


def address(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value) or len(value) > 253:
        raise ValueError(f'"{value}" is neither an IPv4 address nor a host name')
    return value


Name40 = Annotated[str, AfterValidator(dns_label(40))]
Name63 = Annotated[str, AfterValidator(dns_label(63))]
LabelKey = Annotated[str, AfterValidator(matching(LABEL_KEY, 317, "a Kubernetes label key"))]
LabelValue = Annotated[str, AfterValidator(matching(LABEL_VALUE, 63, "a Kubernetes label value"))]
Cores = Annotated[int, Field(ge=1, le=1_000_000)]
MemoryGib = Annotated[int, Field(ge=1, le=10_000_000)]
Address = Annotated[str, AfterValidator(address)]
Url = Annotated[str, AfterValidator(url)]

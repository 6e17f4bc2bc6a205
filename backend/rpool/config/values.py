"""Checks of single values. Every check raises ValueError with a sentence for the user."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from rpool.model.cni import CNIS
from rpool.model.duration import seconds
from rpool.model.pool import DEFAULT_GROUP, KUBERNETES_VERSION
from rpool.model.secret import shown

SUPPORTED_MINORS = range(34, 38)
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
HOST_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?")
LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
OURS = re.compile(
    r"kubernetes\.io/(hostname|os|arch)|topology\.kubernetes\.io/.*|node-role\.kubernetes\.io/.*"
)
"""Labels that Kubernetes or rpool set on each Node, and that others rely on."""
OWNER = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.@/ ]*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def matching(pattern: re.Pattern[str], most: int, what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value) or len(value) > most:
            raise ValueError(f"{shown(value)} is not {what}")
        return value

    return check


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """A check that accepts only these names, two or more."""
    *most, last = (f'"{name}"' for name in names)
    pattern = re.compile("|".join(map(re.escape, names)))
    return matching(pattern, max(map(len, names)), f"one of {', '.join(most)} or {last}")


def cni(value: str) -> str:
    if value not in CNIS:
        known = " or ".join(f'"{name}"' for name in CNIS)
        raise ValueError(
            f"{shown(value)} is not one of {known}; for Calico, Cilium or another one set cni = "
            '"none" and install it after the apply'
        )
    return value


def dns_label(most: int) -> Callable[[str], str]:
    return matching(
        LABEL,
        most,
        f"a DNS label: 1 to {most} lower-case letters, digits or hyphens, "
        "beginning and ending with a letter or digit",
    )


def owner(value: str) -> str:
    what = "a name of 1 to 100 letters, digits, spaces or - _ . @ /"
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
    """Check the address of a server, or one that a server could have."""
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError as error:
        raise ValueError(f"{shown(value)} is not an IPv4 address such as 10.0.1.200") from error
    _refuse_special(value, address)
    return str(address)


def cidr(value: str) -> str:
    network = _network(value, "an IPv4 network such as 10.244.0.0/16")
    if network.prefixlen > 24:
        raise ValueError(f"{value} is too small: at least a /24 is needed")
    _refuse_special(value, network.network_address, network.broadcast_address)
    return str(network)


def service_cidr(value: str) -> str:
    """Check a service network: kubeadm accepts no larger one than a /12."""
    if _network(value, "an IPv4 network such as 10.96.0.0/12").prefixlen < 12:
        raise ValueError(f"{value} is too large: at most a /12 is possible")
    return cidr(value)


def address_span(value: str) -> str:
    """Check a range of addresses for MetalLB."""
    from rpool.model.ranges import address_range

    what = "a range such as 10.0.1.210-10.0.1.230, or a network such as 10.0.1.208/28"
    if "-" not in value:
        if value.count(".") == 3 and "/" not in value:
            raise ValueError(f"{shown(value)} is not {what}; for one address, append /32")
        _network(value, what)
    try:
        _refuse_special(value, *address_range(value))
    except ipaddress.AddressValueError:
        raise ValueError(f"{shown(value)} is not {what}") from None
    return value


_SPECIAL = (
    ("is_loopback", "loopback addresses"),
    ("is_multicast", "multicast"),
    ("is_link_local", "link-local addresses"),
    ("is_reserved", "no host"),
    ("is_unspecified", "no host"),
)


def _refuse_special(value: str, *addresses: ipaddress.IPv4Address) -> None:
    for address in addresses:
        first = ipaddress.IPv4Address(address.packed[:1] + b"\0\0\0")
        for test, what in _SPECIAL:
            if getattr(address, test) or (test == "is_unspecified" and getattr(first, test)):
                raise ValueError(f"{shown(value)} cannot be used: {address} is for {what}")


def _network(value: str, what: str) -> ipaddress.IPv4Network:
    prefix = value.partition("/")[2]
    if re.fullmatch(r"[0-9]{1,2}", prefix) and int(prefix) <= 32:
        try:
            return ipaddress.IPv4Network(value)
        except ipaddress.AddressValueError:
            pass
        except ValueError:
            base = ipaddress.IPv4Network(value, strict=False)
            raise ValueError(f"{value} has host bits set; the network is {base}") from None
    raise ValueError(f"{shown(value)} is not {what}")


def is_host(name: str) -> bool:
    """Whether it is an IPv4 address, or a host name. A last label of digits makes it an address."""
    labels = name.split(".")
    if labels[-1].isdigit():
        try:
            return bool(ipaddress.IPv4Address(name))
        except ValueError:
            return False
    return len(name) <= 253 and all(HOST_LABEL.fullmatch(label) for label in labels)


def host_and_port(value: str) -> str:
    """Check a load balancer's address of the API. kubeadm accepts no upper-case letters there."""
    host, _, port = value.rpartition(":")
    sound = is_host(host) and host == host.lower() and re.fullmatch(r"[1-9][0-9]{0,4}", port)
    if not sound or int(port) > 65535:
        raise ValueError(f"{shown(value)} is not host:port such as api.example.org:6443")
    return value


def url(value: str) -> str:
    """Check the address of a mirror. The error about a password does not show it."""
    if re.match(r"[^/]*//[^/?#]*@", value):
        raise ValueError(
            "an address must not hold a user or a password (user:password@): "
            "it would show in command lines and files of the servers"
        )
    if "?" in value or "#" in value:
        raise ValueError(
            "the address of a mirror must not have a query or fragment: remove what follows ? or #"
        )
    host = r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?"
    match = re.fullmatch(rf"https?://{host}(/[A-Za-z0-9._~:/@!&()*+,;=%-]*)?", value)
    if not match or not (match["host"][0] == "[" or is_host(match["host"])):
        raise ValueError(f"{shown(value)} is not an http or https address of a mirror")
    return value.rstrip("/")


def fingerprint(value: str) -> str:
    """The fingerprint of an OpenPGP key, as `gpg --show-keys` prints it, without its blanks."""
    digits = "".join(value.split()).upper()
    if not re.fullmatch(r"[0-9A-F]{40}", digits):
        raise ValueError(
            f"{shown(value)} is not the fingerprint of a key: 40 hexadecimal digits, as "
            "gpg --show-keys Release.key prints them"
        )
    return digits


def node_label(value: str) -> str:
    """Check the key of a label that a user may set on a Node."""
    if OURS.fullmatch(value):
        raise ValueError(f"{value} is set by Kubernetes or rpool; choose a key of your own")
    return matching(LABEL_KEY, 317, "a Kubernetes label key")(value)


def duration(value: str) -> str:
    seconds(value)
    return value


def address(value: str) -> str:
    """Check a server's address. The kubelet and etcd listen on it, so it cannot be a name."""
    if not re.fullmatch(r"[0-9.]+", value) and is_host(value):
        raise ValueError(f"{shown(value)} is a name; the kubelet and etcd need the IPv4 address")
    return ipv4(value)


def group(value: str) -> str:
    """Check the name of a further group."""
    if value == DEFAULT_GROUP:
        raise ValueError(
            f"{DEFAULT_GROUP} is the group of the cluster's own cores and memory; choose another "
            "name"
        )
    return dns_label(40)(value)


Name40 = Annotated[str, AfterValidator(dns_label(40))]
Name63 = Annotated[str, AfterValidator(dns_label(63))]
LabelKey = Annotated[str, AfterValidator(matching(LABEL_KEY, 317, "a Kubernetes label key"))]
LabelValue = Annotated[str, AfterValidator(matching(LABEL_VALUE, 63, "a Kubernetes label value"))]
Cores = Annotated[int, Field(ge=1, le=1_000_000)]
MemoryGib = Annotated[int, Field(ge=1, le=10_000_000)]
NodeLabelKey = Annotated[str, AfterValidator(node_label)]
Address = Annotated[str, AfterValidator(address)]
Url = Annotated[str, AfterValidator(url)]

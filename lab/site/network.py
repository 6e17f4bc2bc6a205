"""The lab's network: a bridge in a namespace, the operator's desk in another, cables.

Nothing of it is in the machine's own network.
"""

from __future__ import annotations

from pathlib import Path

from lab.command import run
from lab.site.layout import Lab
from lab.site.servers import Server

BITS = 24
# A bridge without a MAC of its own takes the least of its ports'. Each cable that is plugged in may
# then change it, and servers send to the old one until their neighbour entry expires.
GATEWAY_MAC = "0a:58:00:00:00:01"
# where `ip netns` keeps the namespaces
NAMESPACES = Path("/run/netns")


def build(lab: Lab) -> None:
    """The bridge with the mirrors' address, and the desk plugged into it."""
    for namespace in (lab.switch, lab.desk):
        run("ip", "netns", "add", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
    _ip(
        lab.switch,
        f"link add br0 address {GATEWAY_MAC} type bridge forward_delay 0 mcast_snooping 0",
    )
    _ip(lab.switch, f"address add {lab.gateway}/{BITS} dev br0")
    _ip(lab.switch, "link set br0 up")
    _ip(lab.switch, f"link add desk type veth peer name eth0 netns {lab.desk}")
    _ip(lab.switch, "link set desk master br0 up")
    _ip(lab.desk, f"address add {lab.desk_address}/{BITS} dev eth0")
    _ip(lab.desk, "link set eth0 up")
    _ip(lab.desk, f"route add default via {lab.gateway}")


def remove(lab_name: str) -> None:
    """Delete every namespace of the lab; cables and bridge go with them."""
    for namespace in NAMESPACES.glob(f"rpl-{lab_name}-*"):
        run("ip", "netns", "delete", namespace.name)


def plug(lab: Lab, server: Server, connected: bool) -> None:
    """Plug the server's cable in at the switch, or pull it."""
    _ip(lab.switch, f"link set {server.name} {'up' if connected else 'down'}")


def is_plugged(lab: Lab, server: Server) -> bool:
    port = run("ip", "-n", lab.switch, "-o", "link", "show", "dev", server.name)
    return "UP" in port.split("<", 1)[1].split(">", 1)[0].split(",")


def _ip(namespace: str, words: str) -> None:
    run("ip", "-n", namespace, *words.split())

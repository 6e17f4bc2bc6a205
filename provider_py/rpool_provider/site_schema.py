"""The schema of the provider block: one site."""

from __future__ import annotations

from rpool.model.cni import CNIS, NO_CNI
from rpool_provider.schema import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    Map,
    Object,
    Schema,
    optional,
    required,
)

_SERVER = Object(
    (
        required("address", STRING, "IPv4 address for SSH and for the other servers."),
        required("cores", NUMBER, "Cores of the server."),
        required("memory", NUMBER, "Memory of the server in GiB, as hardware."),
        required("zone", STRING, "Failure domain of the server: a rack or a room."),
        optional(
            "host_key",
            STRING,
            "Its SSH host key, `ssh-ed25519 AAAA...`. No other key is accepted. Required unless "
            "the site is simulated.",
        ),
        optional("port", NUMBER, "Port of its SSH server; 22 unless set."),
        optional("labels", Map(STRING), "Labels that selectors match."),
        optional("reserved", BOOL, "Never picked by a cluster."),
        optional("retire", BOOL, "Replaced in its cluster, and never picked again."),
        optional("lost", BOOL, "The hardware is gone: never picked, and abandoned by a destroy."),
        optional(
            "trust",
            STRING,
            "Its domain of trust: only clusters of the same `trust` take it. After it has "
            "served in another domain, none does until it is reinstalled. Unless set, the "
            "domain of clusters without `trust`.",
        ),
    )
)

FLEET = Map(_SERVER)
"""The required type of `fleet`. The attribute itself has no type: Terraform would silently drop
keys that a type lacks, such as a mistyped `retired`.
"""

_SSH = Object(
    (
        required(
            "private_key",
            STRING,
            "The private key's text, without a passphrase: `file(...)` or an `ephemeral` "
            "variable. A variable that is only `sensitive` is in saved plan files in clear text.",
            sensitive=True,
        ),
        optional(
            "user", STRING, "User to log in as; `root` unless set. Any other user needs sudo."
        ),
    )
)

_MANIFESTS = (
    f"Address that has the manifests of {', '.join(n for n in CNIS if n != NO_CNI)} and MetalLB."
)

_MIRRORS = Object(
    (
        optional("packages", STRING, "Address that has the Kubernetes apt repositories below it."),
        optional(
            "packages_key",
            STRING,
            "Fingerprint of the only key that may sign the packages. Unless set, upstream's.",
        ),
        optional("images", STRING, "Registry that has every image under its upstream path."),
        optional(
            "insecure_images",
            BOOL,
            "Allows an http address in `images`: the network then decides what runs.",
        ),
        optional("manifests", STRING, _MANIFESTS),
    )
)

_SIMULATE = Object(
    (
        optional(
            "servers",
            NUMBER,
            "Number of simulated servers, 1 to 5000, in three racks. Unless set, those in `fleet`.",
        ),
    )
)

SITE = Schema(
    Object(
        (
            optional(
                "fleet",
                DYNAMIC,
                "All servers of the site, by name, as from `yamldecode`. Required unless "
                "`simulate.servers` is set. Each has "
                f"{', '.join(f'`{a.name}`' for a in _SERVER.attributes)}; any other key is an "
                "error.",
            ),
            optional(
                "ssh",
                _SSH,
                "How to connect to the servers. Host keys are always checked. Required unless "
                "`simulate` is set.",
            ),
            optional(
                "simulate",
                _SIMULATE,
                "Simulates the servers instead of connecting to any: to learn, and to test "
                "modules. Their state is in `.rpool-simulated.json` beside the configuration.",
            ),
            optional(
                "mirrors", _MIRRORS, "Where software is downloaded from, instead of upstream."
            ),
            optional(
                "owner",
                STRING,
                "Owner of the clusters, as claims and records name it. Unless set, the "
                "workspace of an HCP Terraform run, else user@host. Only its owner resumes an "
                "interrupted create: set it where applies run on changing machines.",
            ),
        )
    ),
    "One provider block is one site: its servers, how to connect to them, where software comes "
    "from.",
)

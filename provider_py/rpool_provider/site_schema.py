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
        required("address", STRING, "IPv4 address that SSH and other servers reach it at."),
        required("cores", NUMBER, "Cores of the server."),
        required("memory", NUMBER, "Memory of the server in GiB, as hardware."),
        required("zone", STRING, "What fails together with it: a rack, a room."),
        optional(
            "host_key",
            STRING,
            "Its SSH host key, `ssh-ed25519 AAAA...`. No other key is accepted. Required unless "
            "the site is simulated.",
        ),
        optional("port", NUMBER, "Port of its SSH server; 22 unless set."),
        optional("labels", Map(STRING), "Labels that selectors can ask for."),
        optional("reserved", BOOL, "Never picked by a cluster."),
        optional("retire", BOOL, "Never picked again."),
        optional("lost", BOOL, "The hardware is gone: never picked, and a destroy lets go of it."),
        optional(
            "trust",
            STRING,
            "Its domain of trust: only clusters of the same `trust` take it, and none does after "
            "it has served in another domain, until it is installed anew. Unless set, the domain "
            "of clusters without `trust`.",
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
            "The private key's text, without a passphrase: `file(...)` or an `ephemeral` variable. "
            "One that is only `sensitive` is in saved plan files in clear text.",
            sensitive=True,
        ),
        optional("user", STRING, "User to log in as; `root` unless set. Others need sudo."),
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
            "Fingerprint of the key that signs them: no other is trusted. Upstream's unless set.",
        ),
        optional("images", STRING, "Registry that has every image under its upstream path."),
        optional(
            "insecure_images",
            BOOL,
            "Whether `images` may be an http address: then the network decides what runs.",
        ),
        optional("manifests", STRING, _MANIFESTS),
    )
)

_SIMULATE = Object(
    (
        optional(
            "servers",
            NUMBER,
            "How many there are, 1 to 5000, in three racks. Unless set, those in `fleet`.",
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
                "How the servers are reached. Host keys are always checked. Required unless "
                "`simulate` is set.",
            ),
            optional(
                "simulate",
                _SIMULATE,
                "Models the servers instead of reaching any: to learn, and to test modules. Their "
                "state is in `.rpool-simulated.json` beside the configuration.",
            ),
            optional("mirrors", _MIRRORS, "Where software comes from, instead of upstream."),
            optional(
                "owner",
                STRING,
                "Who works here, as claims and records say it. The workspace of an HCP Terraform "
                "run, else user@host, unless set. A create that was cut off is gone on with by "
                "its owner alone: set it where applies run on changing machines.",
            ),
        )
    ),
    "One provider block is one site: its servers, how to reach them, where software comes from.",
)

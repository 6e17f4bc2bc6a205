"""The schema of ephemeral resource `rpool_kubeconfig`: what other providers take to get in."""

from __future__ import annotations

from rpool.model.access import ADMINS
from rpool_provider.schema import (
    STRING,
    List,
    Object,
    Schema,
    computed,
    optional,
    required,
)

KUBECONFIG = Schema(
    Object(
        (
            required("cluster", STRING, "The cluster's `id`."),
            optional(
                "user",
                STRING,
                "User name in the cluster, as in its audit log. Unless set, `rpool-` and the "
                "provider's `owner`.",
                computed=True,
            ),
            optional(
                "groups",
                List(STRING),
                f'The user\'s groups: `["{ADMINS}"]`, which is bound to cluster-admin, unless '
                "set. For fewer rights, name a group of your own, and make a RoleBinding for it.",
                computed=True,
            ),
            optional(
                "ttl",
                STRING,
                "Lifetime of the certificate: `10m` to `24h`, `1h` unless set. It is not "
                "renewed while Terraform runs, so choose more than an apply takes.",
                computed=True,
            ),
            computed("host", STRING, "The URL of the API, at the cluster's endpoint."),
            computed("cluster_ca_certificate", STRING, "The CA of the API's certificate (PEM)."),
            computed("client_certificate", STRING, "The user's certificate (PEM)."),
            computed("client_key", STRING, "Its private key (PEM).", sensitive=True),
            computed("kubeconfig", STRING, "All of this as a kubeconfig (YAML).", sensitive=True),
        )
    ),
    "Access to a cluster while Terraform runs: a short-lived client certificate, a new one in "
    "each plan and apply. It is in no state and no plan.",
)

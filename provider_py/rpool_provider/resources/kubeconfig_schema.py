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
                "The user that the cluster sees, in its audit log for one. `rpool-` and the "
                "provider's `owner` unless set.",
                computed=True,
            ),
            optional(
                "groups",
                List(STRING),
                f'The user\'s groups: `["{ADMINS}"]`, which is bound to cluster-admin, unless set. '
                "Whoever is to have less gets a group of your own, and a RoleBinding for that.",
                computed=True,
            ),
            optional(
                "ttl",
                STRING,
                "How long the certificate lives: `10m` to `24h`, `1h` unless set. It is not renewed"
                " while Terraform runs, so it should be longer than an apply.",
                computed=True,
            ),
            computed("host", STRING, "The URL of the API, at the cluster's endpoint."),
            computed("cluster_ca_certificate", STRING, "The CA of the API's certificate (PEM)."),
            computed("client_certificate", STRING, "The user's certificate (PEM)."),
            computed("client_key", STRING, "Its private key (PEM).", sensitive=True),
            computed("kubeconfig", STRING, "All of this as a kubeconfig (YAML).", sensitive=True),
        )
    ),
    "A way into a cluster for as long as Terraform runs: a client certificate that ends soon, "
    "made anew by each plan and apply. It is in no state and no plan.",
)

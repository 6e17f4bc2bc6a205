"""Ephemeral resource `rpool_kubeconfig`: a way into a cluster for as long as Terraform runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rpool.advice import Do
from rpool.errors import Problem, SpecError, Unreachable
from rpool.model import duration
from rpool.model.pool import UID
from rpool.model.secret import shown
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources.kubeconfig_schema import KUBECONFIG
from rpool_provider.resources.resource import Values
from rpool_provider.schema import Schema
from rpool_provider.wire.unknown import split

if TYPE_CHECKING:
    from rpool.api import Site

_IDENTITY = ("user", "groups", "ttl")


class Kubeconfig:
    name = "rpool_kubeconfig"
    schema: Schema = KUBECONFIG

    def validate(self, config: Values) -> list[Diagnostic]:
        from rpool.api import parse_identity

        problems = _no_id(config["cluster"])
        try:
            parse_identity(*split(_identity(config)))
        except SpecError as error:
            problems += error.problems
        return diagnostic.of_error(SpecError(problems)) if problems else []

    def open(self, config: Values, site: Site) -> Values:
        from rpool import kubeconfig

        identity = site.identity(_identity(config))
        try:
            entrance = site.entrance(config["cluster"])
            credential = site.credential(entrance, identity)
        except Unreachable as error:
            advice = Do.WITHOUT_KUBECONFIG.text()
            raise Unreachable(error.summary, f"{error.detail}\n{advice}".lstrip()) from error
        user = kubeconfig.with_certificate(credential)
        document = kubeconfig.kubeconfig(kubeconfig.context_name(entrance), entrance, user)
        return {
            "cluster": entrance.uid,
            "user": identity.user,
            "groups": list(identity.groups),
            "ttl": config["ttl"] or duration.text(identity.seconds),
            "host": entrance.host,
            "cluster_ca_certificate": entrance.ca_certificate,
            "client_certificate": credential.certificate,
            "client_key": credential.key.reveal(),
            "kubeconfig": kubeconfig.text(document),
        }


def _identity(config: Values) -> Values:
    return {name: config[name] for name in _IDENTITY}


def _no_id(cluster: object) -> list[Problem]:
    """An error if `cluster` is known and is no id."""
    if not isinstance(cluster, str) or UID.fullmatch(cluster):
        return []
    summary = f"cluster: {shown(cluster)} is not the id of a cluster, such as 0863513a9c41d07e"
    return [Problem(("cluster",), summary)]

"""`rpool_node`: one particular, reserved server put into a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rpool.advice import Do
from rpool.errors import Path, Problem, SpecError, Unreachable
from rpool.model.secret import shown
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources import durations, planning
from rpool_provider.resources.attempts import attempt, timeouts, warnings
from rpool_provider.resources.node_schema import NODE
from rpool_provider.resources.node_twice import Nodes
from rpool_provider.resources.resource import Held, Plan, Reply, Values
from rpool_provider.schema import Schema
from rpool_provider.wire.unknown import UNKNOWN, Unknown, split

if TYPE_CHECKING:
    from rpool.api import NodeRequest, Site
    from rpool.model.pool import NodeSpec

_REQUEST = ("cluster", "server", "cluster_ca_pin", "labels", "taint")
_PLACE = ("address", "zone", "cores", "memory")

_INCOMPLETE = b'{"incomplete":true}'
"""Private data of a read that found a join or departure cut off, for the next plan."""


class Node:
    name = "rpool_node"
    schema: Schema = NODE

    def __init__(self, serves_many: Callable[[], bool] = lambda: False) -> None:
        self._nodes = Nodes(serves_many)

    def validate(self, config: Values) -> list[Diagnostic]:
        problems = durations.problems(timeouts(config), ("timeouts",))
        try:
            _request(config)
        except SpecError as error:
            problems += error.problems
        return diagnostic.of_error(SpecError(problems)) if problems else []

    def plan(self, prior: Held, config: Values | None, site: Site | None) -> Plan:
        if config is None:
            return Plan(None, prior.private)
        values = planning.planned(NODE.root, config, prior.values)
        cluster, server = values["cluster"], values["server"]
        if not isinstance(cluster, Unknown) and not isinstance(server, Unknown):
            values |= {"id": f"{cluster}/{server}"}
        else:
            values |= {"id": UNKNOWN}
        values |= dict.fromkeys(_PLACE, UNKNOWN)
        if site is not None and not isinstance(server, Unknown):
            is_new = prior.values is None or prior.values["server"] != server
            values |= _place(site, server, is_new=is_new)
            if prior.values is not None and not is_new:
                _refuse_moved(site, server, prior.values)
            elif isinstance(cluster, str):
                site.refuse_own(cluster, server)
        diagnostics = _marked(site, server)
        replaces: list[Path] = []
        if prior.values is not None:
            if prior.private == _INCOMPLETE:
                values |= {"zone": UNKNOWN}  # a change, so that an update puts the server in again
                diagnostics = [*diagnostics, _put_in_again(prior.values)]
            changed = planning.changes(NODE.root, prior.values, values)
            replaces = [change.path for change in changed if change.attribute.replaces]
        if site is not None and isinstance(server, str) and not replaces:
            self._nodes.plan(site, server, cluster, is_new=prior.values is None)
        return Plan(values, prior.private, replaces, diagnostics)

    def read(self, held: Held, site: Site) -> Reply:
        assert held.values is not None  # noqa: S101 Terraform reads only what it has
        request = _known(held.values)
        observed_node = site.read_node(request.pool, request.server, request.ca_pin)
        if observed_node.unreachable:
            summary = f"Node {held.values['id']} cannot be read; it is shown as before."
            return Reply(held, [diagnostic.warning(summary)])
        if observed_node.spec is None:
            return Reply(Held(None))
        private = _INCOMPLETE if observed_node.incomplete else b""
        observed = _as_observed(held.values, observed_node.spec) | {
            "cluster_ca_pin": observed_node.ca_pin
        }
        warnings = [diagnostic.warning(text) for text in observed_node.warnings]
        return Reply(Held(held.values | observed, private), warnings)

    def create(self, planned: Held, site: Site, stop: threading.Event) -> Reply:
        return self._pin("create", planned, site, stop)

    def update(self, prior: Held, planned: Held, site: Site, stop: threading.Event) -> Reply:
        assert prior.values is not None  # noqa: S101
        assert planned.values is not None  # noqa: S101
        if _known(prior.values) == _known(planned.values) and planned.private != _INCOMPLETE:
            return Reply(planned)
        reply = self._pin("update", _placed(planned, site), site, stop)
        failed = any(d.is_error for d in reply.diagnostics)
        return Reply(prior, reply.diagnostics) if failed else reply

    def _pin(self, verb: str, planned: Held, site: Site, stop: threading.Event) -> Reply:
        """Puts the server in. As soon as anything may have changed, the node is in the state, so
        that a destroy removes it.
        """
        from rpool.api import PoolIncomplete

        assert planned.values is not None  # noqa: S101
        request = _known(planned.values)
        warning_texts: list[str] = []
        try:
            limits = attempt(verb, "30m", planned.values, stop, warning_texts)
            pin = site.pin_node(request, limits, is_new=verb == "create")
        except PoolIncomplete as error:
            values = planned.values | {"cluster_ca_pin": request.ca_pin or None}
            diagnostics = [*warnings(warning_texts), *diagnostic.of_error(error)]
            return Reply(Held(values, planned.private), diagnostics)
        values = planned.values | {"cluster_ca_pin": pin}
        return Reply(Held(values, planned.private), warnings(warning_texts))

    def delete(self, prior: Held, site: Site, stop: threading.Event) -> Reply:
        from rpool.api import PoolIncomplete

        assert prior.values is not None  # noqa: S101
        request = _known(prior.values)
        warning_texts: list[str] = []
        limits = attempt("delete", "30m", prior.values, stop, warning_texts)
        try:
            site.unpin_node(request.pool, request.server, limits, request.ca_pin)
        except PoolIncomplete as error:
            return Reply(prior, [*warnings(warning_texts), *diagnostic.of_error(error)])
        return Reply(Held(None), warnings(warning_texts))

    def import_(self, id_: str, site: Site) -> Reply:
        cluster, _, server = id_.partition("/")
        if not cluster or not server:
            summary = f"{shown(id_)} is not the id of an rpool_node"
            raise SpecError(
                [Problem((), summary, "It is CLUSTER/SERVER, such as 0863513a9c41d07e/r2u11.")]
            )
        pool = site.find_pool(cluster)
        observed_node = site.read_node(pool.record.uid, server)
        if observed_node.unreachable:
            summary = f"{shown(server)} in cluster {cluster} cannot be read"
            raise Unreachable(summary, f"The API answers on no control plane. {Do.AGAIN.text()}")
        if observed_node.spec is None:
            summary = f"{shown(server)} is not an rpool_node of cluster {cluster}"
            raise SpecError(
                [
                    Problem(
                        (),
                        summary,
                        "Only a server that an rpool_node added can be imported as one.",
                    )
                ]
            )
        blank: Values = {attribute.name: None for attribute in NODE.root.attributes}
        names = {
            "cluster": pool.record.uid,
            "server": server,
            "id": f"{pool.record.uid}/{server}",
        }
        values = blank | names | _place(site, server, is_new=False)
        observed = _as_observed(values, observed_node.spec) | {
            "cluster_ca_pin": observed_node.ca_pin
        }
        return Reply(Held(values | observed))

    def upgrade(self, version: int, state: Values) -> Values:
        return state


def _request(values: Values) -> NodeRequest | None:
    from rpool.config import parse_node

    return parse_node(*split({name: values[name] for name in _REQUEST}))


def _known(values: Values) -> NodeRequest:
    request = _request(values)
    assert request is not None  # noqa: S101 what is planned or saved is known
    return request


def _place(site: Site, name: str, *, is_new: bool) -> Values:
    """Where the server is, by the fleet. Raises SpecError unless the fleet has it and a new one is
    reserved; a server that is in already may leave as it is.
    """
    server = site.config.fleet.servers.get(name)
    if server is None:
        summary = f"the fleet has no server {name}"
        raise SpecError([Problem(("server",), summary, "Add it to the provider's fleet.")])
    if is_new and not server.reserved:
        raise SpecError(
            [
                Problem(
                    ("server",),
                    f"{name} is not reserved",
                    "Set reserved = true in its entry in the fleet, so that no cluster picks it.",
                )
            ]
        )
    return {
        "address": server.address,
        "zone": server.zone,
        "cores": server.cores,
        "memory": server.memory_gib,
    }


def _refuse_moved(site: Site, name: str, prior: Values) -> None:
    from rpool_provider.resources.cluster_plan import refuse_moved

    refuse_moved(f"cluster {prior['cluster']}", {name: prior}, site.config.fleet, ("server",))


def _placed(planned: Held, site: Site) -> Held:
    """The planned values with the place that was left unknown, and without private data."""
    values = planned.values or {}
    return Held(values | _place(site, values["server"], is_new=False))


def _put_in_again(values: Values) -> Diagnostic:
    return diagnostic.warning(
        f"{values['server']} is only partially joined to cluster {values['cluster']}",
        "An operation on it was interrupted: it may be cordoned or reset. "
        f"{Do.PUT_IN_AGAIN.text()}",
    )


def _marked(site: Site | None, name: Any) -> list[Diagnostic]:
    """A warning for a server that is marked `retire` or `lost`: clusters replace their own servers
    by these marks, but not an rpool_node.
    """
    server = site.config.fleet.servers.get(name) if site and isinstance(name, str) else None
    if server is None or not (server.retire or server.lost):
        return []
    mark, advice = "retire", Do.TAKE_OUT.text()
    if server.lost:
        mark, advice = "lost", Do.REPLACE_NODE.text()
    summary = f"{name} is marked {mark} = true in the fleet, and stays in its cluster"
    return [diagnostic.warning(summary, advice)]


def _as_observed(values: Values, spec: NodeSpec) -> Values:
    """Labels and taints in Terraform's words; unset and equal values stay as they were written."""
    null = {key: None for key, value in (values["labels"] or {}).items() if value is None}
    labels = {**null, **spec.labels} or (None if values["labels"] is None else {})
    written = {(t["key"], t["value"] or "", t["effect"]): t for t in values["taint"] or ()}
    taints = [
        written.get(
            (taint.key, taint.value, taint.effect),
            {"key": taint.key, "value": taint.value or None, "effect": taint.effect},
        )
        for taint in spec.taints
    ]
    return {"labels": labels, "taint": taints}

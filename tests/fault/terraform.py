"""Terraform's part in a schedule of faults: refresh, plan, carry out, and what stays in the state.

The resources are those of the plugin, called as the servicer calls them; the real Terraform would
cost a second for each of some hundred thousand steps. What it does with errors is as
`tests/protocol` sees it do: a failed create that has a state is tainted, a failed update keeps what
the provider returned, and whatever goes wrong in a refresh or a plan ends it before any change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from rpool.api import Site
from rpool.errors import RpoolError
from rpool.model.pool import NodeSpec, PoolSpec
from rpool.model.server import ServerName
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources import cluster_state
from rpool_provider.resources.cluster import Cluster
from rpool_provider.resources.node import Node
from rpool_provider.resources.resource import Held, Plan, Reply, Resource, Values

NOTHING = Held(None)


@dataclass(frozen=True)
class Wanted:
    """A configuration: clusters by name, and servers that are put into one of them."""

    clusters: Mapping[str, PoolSpec] = field(default_factory=dict)
    nodes: Mapping[ServerName, tuple[str, NodeSpec]] = field(default_factory=dict)


@dataclass
class Instance:
    """What the state has of a resource. A tainted one is replaced by the next apply."""

    held: Held
    tainted: bool = False

    @property
    def values(self) -> Values:
        assert self.held.values is not None
        return self.held.values


@dataclass
class Run:
    """One `terraform apply`: what it said, and how many resources it changed."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    changes: int = 0

    @property
    def was_empty(self) -> bool:
        return not self.errors and not self.changes

    def note(self, diagnostics: Iterable[Diagnostic]) -> None:
        for d in diagnostics:
            (self.errors if d.is_error else self.warnings).append(f"{d.summary}\n{d.detail}")


class Workspace:
    """One state. `connect` gives a new plugin process for each command, as Terraform has it."""

    def __init__(self, connect: Callable[[], Site]) -> None:
        self._connect = connect
        self.clusters: dict[str, Instance] = {}
        self.nodes: dict[ServerName, Instance] = {}

    def copy(self) -> Workspace:
        other = Workspace(self._connect)
        other.clusters = {n: Instance(i.held, i.tainted) for n, i in self.clusters.items()}
        other.nodes = {n: Instance(i.held, i.tainted) for n, i in self.nodes.items()}
        return other

    def apply(
        self, wanted: Wanted, stop: threading.Event, planned: Callable[[], None] = lambda: None
    ) -> Run:
        """Returns each RpoolError in the result; any other error is raised. `planned` is called
        between the plan and the apply.
        """
        site, run = self._connect(), Run()
        try:
            self._refresh(site, run)
            plans = self._plan(wanted, site)
        except RpoolError as error:
            run.note(diagnostic.of_error(error))
            return run
        for plan in plans.values():
            run.note(plan.diagnostics)
        planned()
        for server in [n for n in self.nodes if n not in wanted.nodes]:
            self._delete(Node(), self.nodes, server, site, stop, run)
        for name in [n for n in self.clusters if n not in wanted.clusters]:
            self._delete(Cluster(), self.clusters, name, site, stop, run)
        for name, plan in plans.items():
            if self._nodes_first(name, plan, site, stop, run):
                self._carry_out(Cluster(), self.clusters, name, plan, site, stop, run)
        for server, (cluster, spec) in wanted.nodes.items():
            if cluster in self.clusters and not self.clusters[cluster].tainted:
                config = node_config(self.clusters[cluster], server, spec)
                try:
                    plan = Node().plan(self._prior(self.nodes, server), config, site)
                except RpoolError as error:
                    run.note(diagnostic.of_error(error))
                    continue
                run.note(plan.diagnostics)
                self._carry_out(Node(), self.nodes, server, plan, site, stop, run)
        return run

    def refresh(self) -> None:
        """`terraform apply -refresh-only`; what cannot be read stays."""
        with suppress(RpoolError):
            self._refresh(self._connect(), Run())

    def adopt(self, uid: str, name: str) -> str | None:
        """`terraform import rpool_cluster.NAME UID`. Returns why it could not be done."""
        try:
            held = Cluster().import_(uid, self._connect()).held
        except RpoolError as error:
            return str(error)
        self.clusters[name] = Instance(held)
        return None

    def adopt_node(self, uid: str, server: ServerName) -> str | None:
        try:
            held = Node().import_(f"{uid}/{server}", self._connect()).held
        except RpoolError as error:
            return str(error)
        self.nodes[server] = Instance(held)
        return None

    @property
    def uids(self) -> set[str]:
        return {str(instance.values["id"]) for instance in self.clusters.values()}

    @property
    def servers(self) -> set[ServerName]:
        """All servers that the state names."""
        own = {name for i in self.clusters.values() for name in i.values["servers"]}
        return own | set(self.nodes)

    # -- the parts of a run --------------------------------------------------------------------

    def _refresh(self, site: Site, run: Run) -> None:
        kinds: tuple[tuple[Resource, dict[str, Instance]], ...] = (
            (Cluster(), self.clusters),
            (Node(), self.nodes),
        )
        for resource, instances in kinds:
            for name, instance in list(instances.items()):
                reply = resource.read(instance.held, site)
                run.note(reply.diagnostics)
                if reply.held.values is None:
                    del instances[name]
                else:
                    instance.held = reply.held

    def _plan(self, wanted: Wanted, site: Site) -> dict[str, Plan]:
        for instance in [*self.clusters.values()]:
            name = instance.values["name"]
            if name not in wanted.clusters:
                Cluster().plan(instance.held, None, site)
        return {
            name: Cluster().plan(self._prior(self.clusters, name), cluster_config(spec), site)
            for name, spec in wanted.clusters.items()
        }

    def _nodes_first(
        self, name: str, plan: Plan, site: Site, stop: threading.Event, run: Run
    ) -> bool:
        """Destroys the nodes of a cluster that is to be replaced. Returns whether all are gone."""
        instance = self.clusters.get(name)
        if instance is None or not (instance.tainted or plan.replaces):
            return True
        uid = instance.values["id"]
        inside = [n for n, node in self.nodes.items() if node.values["cluster"] == uid]
        gone = [self._delete(Node(), self.nodes, n, site, stop, run) for n in inside]
        return all(gone)

    def _prior(self, instances: Mapping[str, Instance], name: str) -> Held:
        instance = instances.get(name)
        return NOTHING if instance is None or instance.tainted else instance.held

    def _carry_out(
        self,
        resource: Resource,
        instances: dict[str, Instance],
        name: str,
        plan: Plan,
        site: Site,
        stop: threading.Event,
        run: Run,
    ) -> None:
        instance = instances.get(name)
        if instance is not None and (instance.tainted or plan.replaces):
            if not self._delete(resource, instances, name, site, stop, run):
                return
            instance = None
        planned = Held(plan.values, plan.private)
        if instance is None:
            run.changes += 1
            created = self._call(run, lambda: resource.create(planned, site, stop))
            if created is not None and created[0].values is not None:
                instances[name] = Instance(created[0], tainted=created[1])
        elif plan.values != instance.held.values:
            run.changes += 1
            updated = self._call(run, lambda: resource.update(instance.held, planned, site, stop))
            if updated is not None:
                instance.held = updated[0]

    def _delete(
        self,
        resource: Resource,
        instances: dict[str, Instance],
        name: str,
        site: Site,
        stop: threading.Event,
        run: Run,
    ) -> bool:
        run.changes += 1
        deleted = self._call(run, lambda: resource.delete(instances[name].held, site, stop))
        if deleted is None:
            return False
        if deleted[0].values is None:
            del instances[name]
            return not deleted[1]
        instances[name].held = deleted[0]
        return False

    @staticmethod
    def _call(run: Run, verb: Callable[[], Reply]) -> tuple[Held, bool] | None:
        """What `verb` returned, and whether that has an error; None when it raised one."""
        try:
            reply = verb()
        except RpoolError as error:
            run.note(diagnostic.of_error(error))
            return None
        run.note(reply.diagnostics)
        return reply.held, any(d.is_error for d in reply.diagnostics)


def cluster_config(spec: PoolSpec) -> Values:
    computed = [a.name for a in Cluster.schema.root.attributes if not a.configurable]
    return cluster_state.configuration(spec) | dict.fromkeys(computed)


def node_config(cluster: Instance, server: ServerName, spec: NodeSpec) -> Values:
    blank: Values = dict.fromkeys(a.name for a in Node.schema.root.attributes)
    taints = [{"key": t.key, "value": t.value or None, "effect": t.effect} for t in spec.taints]
    return blank | {
        "cluster": cluster.values["id"],
        "server": server,
        "labels": dict(spec.labels) or None,
        "taint": taints,
    }

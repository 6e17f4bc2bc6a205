"""`rpool_cluster`: a Kubernetes cluster as a pool of cores and memory.

The reference resource: a new one is a copy of this module and its schema, cut down. The engine
decides and acts; this module translates between its words and Terraform's. What only one call needs
is imported in that call: most processes that Terraform starts only validate.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rpool.advice import Do
from rpool.errors import Problem, RpoolError, SpecError, StalePlan
from rpool.model.secret import shown
from rpool_provider import diagnostic
from rpool_provider.diagnostic import Diagnostic
from rpool_provider.resources import cluster_state, durations, planning
from rpool_provider.resources.attempts import attempt, timeouts, warnings
from rpool_provider.resources.cluster_schema import CLUSTER
from rpool_provider.resources.cluster_twice import Clusters
from rpool_provider.resources.resource import Held, Plan, Reply, Values
from rpool_provider.schema import Schema
from rpool_provider.wire.unknown import UNKNOWN

if TYPE_CHECKING:
    from rpool.api import Site
    from rpool.model.view import PoolView


class Cluster:
    name = "rpool_cluster"
    schema: Schema = CLUSTER

    def __init__(self, serves_many: Callable[[], bool] = lambda: False) -> None:
        self._clusters = Clusters(serves_many)

    def validate(self, config: Values) -> list[Diagnostic]:
        problems = durations.problems(timeouts(config), ("timeouts",))
        drain = config["drain"] if isinstance(config["drain"], dict) else {}
        limits = (drain.get("timeout"), ("drain", "timeout"))
        update = (timeouts(config).get("update"), ("timeouts", "update"))
        problems += durations.longer(*limits, *update, "60m")
        problems += _on_unreachable(config)
        try:
            cluster_state.draft(config)
        except SpecError as error:
            problems += error.problems
        return diagnostic.of_error(SpecError(problems)) if problems else []

    def plan(self, prior: Held, config: Values | None, site: Site | None) -> Plan:
        from rpool_provider.resources import cluster_plan

        if config is None:
            _refuse_if_protected(prior.values)
            return Plan(None)
        values = planning.planned(CLUSTER.root, config, prior.values)
        self._note_protected(prior.values, site)
        if prior.values is None:
            if site is not None and self._clusters.would_destroy(site, values["name"]):
                raise _protected(values["name"])
            self._check(values, site, is_new=True)
            known = values | {"endpoint": cluster_state.endpoint(values)}
            return Plan(known, _replaces(values), diagnostics=_likely(values, site))
        if site is not None and site.is_out_of_reach(prior.values["id"]):
            raise _out_of_reach(prior.values["name"])
        if not prior.values["kubernetes_version"]:  # see cluster_state.remains
            return Plan(values | {"id": UNKNOWN}, prior.private, [("kubernetes_version",)])
        changed = list(planning.changes(CLUSTER.root, prior.values, values))
        if replaces := [change.path for change in changed if change.attribute.replaces]:
            _refuse_if_protected(prior.values)
            _refuse_if_protected(values | {"name": prior.values["name"]})
            return Plan(values, prior.private, replaces)
        self._check(values, site, is_new=False)
        return cluster_plan.change(prior, values, changed, site)

    def _note_protected(self, values: Values | None, site: Site | None) -> None:
        """Notes a protected cluster, for a plan that would replace it. One that was never made to
        the end is not protected.
        """
        if site is None or values is None or not values["ca_certificate"]:
            return
        if values["deletion_protection"] is True:
            self._clusters.protect(site, values["name"])

    def _check(self, values: Values, site: Site | None, *, is_new: bool) -> None:
        """Raises SpecError with what is wrong with the known part of a request: on this site, and
        beside other clusters.
        """
        draft, unknown = cluster_state.draft(values)
        if site is not None and draft is not None:
            site.check_pool(draft, unknown)
            self._clusters.plan(site, draft, unknown, is_new=is_new)

    def read(self, held: Held, site: Site) -> Reply:
        from rpool_provider.resources import cluster_private

        assert held.values is not None  # noqa: S101 Terraform reads only what it has
        self._note_protected(held.values, site)
        known = cluster_private.decode(held.private)
        prior = cluster_state.view(held.values, known.repairs)
        observed = site.read_pool(prior, known.offer.taken)
        diagnostics = warnings(observed.warnings)
        if observed.spec is None:  # without contact, private data and request stay as they were
            return Reply(_held(held, observed.view), diagnostics)
        private = cluster_private.encode(known.then(observed))
        values = cluster_state.with_spec(held.values, observed.spec)
        return Reply(_held(Held(values, private), observed.view), diagnostics)

    def create(self, planned: Held, site: Site, stop: threading.Event) -> Reply:
        from rpool.api import PoolIncomplete
        from rpool_provider.resources import cluster_made

        assert planned.values is not None  # noqa: S101
        spec = cluster_state.spec(planned.values)
        assert spec is not None  # noqa: S101 all that was planned is known by now
        warning_texts: list[str] = []
        try:
            view = site.create_pool(
                spec, attempt("create", "60m", planned.values, stop, warning_texts)
            )
        except PoolIncomplete as error:
            held = _held(Held(planned.values), error.view)
            if error.usable:  # an error would taint it, and the next apply would replace it
                mend = cluster_made.to_be_mended(spec.name, error)
                return Reply(held, [*warnings(warning_texts), mend, cluster_made.way_in(spec.name)])
            return Reply(held, [*warnings(warning_texts), *diagnostic.of_error(error)])
        made = _held(Held(planned.values), view)
        return Reply(made, [*warnings(warning_texts), cluster_made.way_in(spec.name)])

    def update(self, prior: Held, planned: Held, site: Site, stop: threading.Event) -> Reply:
        """Changes the cluster. A failure before any change leaves the prior state, except for what
        no server knows of. A later failure leaves the prior size, so that the next plan shows again
        what is missing.
        """
        from rpool.api import PoolIncomplete, Repairs
        from rpool.attempt import NoApi
        from rpool_provider.resources import cluster_plan, cluster_private

        assert prior.values is not None  # noqa: S101
        assert planned.values is not None  # noqa: S101
        if not cluster_plan.reaches_servers(prior.values, planned.values):
            return Reply(planned)
        spec = cluster_state.spec(planned.values)
        assert spec is not None  # noqa: S101 all that was planned is known by now
        view, roles = cluster_state.view(prior.values), cluster_state.roles(planned.values)
        before = cluster_state.with_ours(prior.values, planned.values)
        warning_texts: list[str] = []
        limits = attempt("update", "60m", planned.values, stop, warning_texts)
        try:
            repairs = cluster_private.decode(planned.private or prior.private).repairs
            if not cluster_plan.repairs(spec):
                repairs = Repairs(returned=repairs.returned)
            recover = cluster_state.recovers_from(prior.values, planned.values)
            groups = cluster_state.groups(planned.values)
            changed = site.change_pool(view, spec, roles, limits, repairs, recover, groups)
        except (PoolIncomplete, StalePlan) as error:
            cause = error.cause if isinstance(error, PoolIncomplete) else error
            current = error.view if isinstance(error, PoolIncomplete) else view
            taken = cause.taken if isinstance(cause, StalePlan) else {}
            known = cluster_private.learned(planned.private or prior.private, taken)
            diagnostics = [*warnings(warning_texts), *diagnostic.of_error(error)]
            return Reply(_held(Held(before, known), current), diagnostics)
        except RpoolError as error:
            if isinstance(error, NoApi):
                before = cluster_state.without_recovery(before, planned.values)
            if before == prior.values:
                raise
            return Reply(Held(before, prior.private), diagnostic.of_error(error))
        return Reply(_held(Held(planned.values), changed), warnings(warning_texts))

    def delete(self, prior: Held, site: Site, stop: threading.Event) -> Reply:
        from rpool.api import PoolIncomplete

        assert prior.values is not None  # noqa: S101
        view = cluster_state.view(prior.values)
        is_request = bool(prior.private and prior.values["kubernetes_version"])  # and no remains
        goes_on = is_request and prior.private == _replaces(prior.values)
        if goes_on and (claimed := site.leave_pool(view)) is not None:
            return Reply(Held(None), _left(view.name, claimed))
        if prior.values["ca_certificate"]:  # else it was never made to the end, and may be replaced
            _refuse_if_protected(prior.values)  # with -replace, Terraform asks no plan of a destroy
        warning_texts: list[str] = []
        try:
            limits = attempt("delete", "30m", prior.values, stop, warning_texts)
            abandon = (prior.values["destroy"] or {}).get("on_unreachable") == "abandon"
            warning_texts += site.destroy_pool(view, limits, abandon=abandon)
        except PoolIncomplete as error:
            diagnostics = [*warnings(warning_texts), *diagnostic.of_error(error)]
            return Reply(_held(prior, error.view), diagnostics)
        return Reply(Held(None), warnings(warning_texts))

    def import_(self, id_: str, site: Site) -> Reply:
        """`id_` is a uid or a name. Raises SpecError, Unreachable."""
        from rpool.attempt import Remains

        try:
            pool = site.find_pool(id_)
        except Remains as remains:
            text = f"{remains.summary}: it can only be destroyed or replaced"
            return Reply(
                Held(cluster_state.remains(remains.view)),
                [diagnostic.warning(text, remains.detail)],
            )
        configured = cluster_state.configuration(pool.record.spec)
        return Reply(Held(cluster_state.with_view(configured, pool.view)))

    def upgrade(self, version: int, state: Values) -> Values:
        return state


def _on_unreachable(config: Values) -> list[Problem]:
    block = config["destroy"] if isinstance(config["destroy"], dict) else {}
    value = block.get("on_unreachable")
    if value is None or value is UNKNOWN or value in ("fail", "abandon"):
        return []
    summary = f"destroy.on_unreachable: {shown(value)} is neither fail nor abandon"
    return [Problem(("destroy", "on_unreachable"), summary)]


def _replaces(values: Values) -> bytes:
    """Private data of a create's plan. The destroy of a replacement gets it too, and so knows that
    a create of the same request follows. Empty while the request is not wholly known.
    """
    spec, unknown = cluster_state.draft(values)
    if spec is None or unknown:
        return b""
    return json.dumps({"format": 1, "creates": spec.name, "request": spec.digest}).encode()


def _left(name: str, servers: Sequence[str]) -> list[Diagnostic]:
    if not servers:
        return []
    return [
        diagnostic.warning(
            f"Cluster {name} was not created completely: the create that follows resumes it",
            f"{', '.join(servers)} stay claimed until then.",
        )
    ]


def _held(held: Held, view: PoolView | None) -> Held:
    """`held` with the engine's view of what there is now."""
    if view is None or held.values is None:
        return Held(None)
    return Held(cluster_state.with_view(held.values, view), held.private)


def _likely(values: Values, site: Site | None) -> list[Diagnostic]:
    """Warnings about the servers that a create would pick by what is known now. Raises SpecError
    when no choice fits.
    """
    from rpool_provider.resources import cluster_foreseen, cluster_plan

    spec, _ = cluster_state.draft(values)
    if spec is None or site is None or cluster_plan.unknown_sizes(values):
        return []
    return cluster_foreseen.told(spec.name, site.advise(spec, _TOGETHER_SECONDS))


_TOGETHER_SECONDS = 0.1
"""Plans at most this far apart belong to one walk: Terraform asks at once for all resources that
depend on nothing.
"""


def _out_of_reach(name: str) -> RpoolError:
    """The error of a plan without contact: by the state alone it would often say "No changes"."""
    return RpoolError(
        f"no server of cluster {name} answers by SSH, nor does any other that was asked",
        Do.REACH_SITE.text(),
    )


def _refuse_if_protected(prior: Values | None) -> None:
    if prior is not None and prior["deletion_protection"] is True:
        raise _protected(prior["name"])


def _protected(name: str) -> SpecError:
    summary = f"cluster {name} is protected from deletion"
    return SpecError([Problem(("deletion_protection",), summary, Do.UNPROTECT.text())])

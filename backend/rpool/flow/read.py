"""Reading a cluster: its record, compared with what its servers show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from rpool.advice import Do
from rpool.attempt import Found, NodeFound, NoSuchPool, not_in_fleet
from rpool.certificates import ca_pin
from rpool.decide import differences, expiring
from rpool.decide.believed import as_known, doubts, false_members
from rpool.decide.health import Ailing, Repairs, ailing, told
from rpool.decide.membership import Membership, Part, lost_in
from rpool.decide.quorum import most_of
from rpool.decide.view import of_members
from rpool.errors import Refused
from rpool.flow.locate import api_of
from rpool.flow.observe import Eye
from rpool.flow.offers import Offers
from rpool.model.observed import Observed
from rpool.model.pool import NodeSpec
from rpool.model.record import Record
from rpool.model.seen import NodeSeen
from rpool.model.server import Fleet, ServerName
from rpool.model.trust import named
from rpool.model.view import Condition, PoolView
from rpool.model.world import World

OTHERS = 16
"""How many members that look healthy a read asks, chosen at random. So each is asked once in a
while, and a read costs the same on a cluster of any size."""

_RETURNED = (
    "was removed from this cluster, and came back with its old data. Apply once without the "
    "change: "
    "that wipes it, and it is free"
)


def read(
    prior: PoolView,
    fleet: Fleet,
    world: World,
    offers: Offers,
    known_taken: Mapping[ServerName, str] = MappingProxyType({}),
) -> Found:
    """The cluster now, and an offer for its next plan. Raises Refused when the fleet lacks some of
    its servers.

    Without contact the cluster is as before, with a warning. It is gone only when all of its
    servers are in the fleet, all of the fleet was asked, and no server has its claim.
    """
    offers.begin(prior.uid, prior.name, prior.servers.keys())
    eye = Eye(prior, fleet, world)
    eye.begin(prior.control_planes)
    try:
        api, why = api_of(prior, fleet, world)
    except NoSuchPool as nowhere:
        return _nowhere(prior, nowhere, fleet)
    if api is None:
        observed = eye.ask(Observed(prior.uid), prior.servers)
        if _being_destroyed(observed, prior):
            remaining = {
                name: member for name, member in prior.servers.items() if name in observed.claims
            }
            view = replace(prior, kubernetes_version="", servers=remaining)
            return Found(replace(view, condition=Condition.INCOMPLETE), (_cut_off_destroy(prior),))
        silence = _silence(prior, sorted(observed.seen), sorted(observed.silent))
        refused = [f"{error.summary}." for error in why.values() if isinstance(error, Refused)]
        no_contact = not observed.seen and len(observed.silent.keys() - lost_in(fleet)) > 1
        warning = " ".join([silence, *sorted(refused)])
        if not prior.ca_certificate:  # it never had an API
            return Found(prior, (warning,), nobody=no_contact)
        warning += f"\n{Do.BRING_API_BACK.text(**most_of(prior.control_planes))}"
        expiry = expiring.told(prior.name, observed.probes)
        view = replace(prior, condition=Condition.UNREACHABLE)
        return Found(view, (warning, *filter(None, [expiry])), nobody=no_contact)
    if not prior.kubernetes_version:  # whatever it shows by now: its state lacks what was asked for
        return Found(prior, (_remains(prior),))
    if api.cluster.record is None:
        return Found(replace(prior, condition=Condition.INCOMPLETE))
    pool, stored = eye.through(api, OTHERS), api.cluster.record
    members = eye.members(pool)
    record = members.record
    false = false_members(stored, members.pool.probes, prior.servers, fleet)
    going = (false | members.strays) & members.pool.nodes.keys()  # their Nodes go first
    not_free = dict.fromkeys(going, "leaving this cluster")
    not_free |= dict.fromkeys(record.pinned, "in this cluster by an rpool_node")
    offer = offers.make(record.uid, record.members.keys(), known_taken, not_free)
    pool = eye.ask(pool, offers.claimed_by(record.uid) - record.members.keys())
    members, returned = eye.members(pool), frozenset(pool.claims.keys() - record.members.keys())
    offer = replace(offer, taken={**offer.taken, **dict.fromkeys(returned, _RETURNED)})
    view, unwell = of_members(members, api.cluster.ca_certificate), ailing(members)
    return Found(
        as_known(view, prior, false),
        (*_warnings(members, unwell), *doubts(view, prior, false if stored.is_settled else ())),
        joining=_half_in(members),
        leaving=members.among(record.own.keys(), Part.LEAVING),
        offer=offer,
        spec=record.spec,
        repairs=replace(Repairs.of(unwell), returned=returned, failed=_failed(members)),
    )


def _being_destroyed(observed: Observed, prior: PoolView) -> bool:
    """Whether a destroy was begun and cut off: all servers answer, and what is left is leaving."""
    claims = observed.claims.values()
    all_answer = observed.seen.keys() == prior.servers.keys()
    return all_answer and bool(claims) and all(claim.is_leaving for claim in claims)


def _cut_off_destroy(prior: PoolView) -> str:
    return f"The destroy of cluster {prior.name} was interrupted. {_remains(prior)}"


def _remains(prior: PoolView) -> str:
    return f"What is left of cluster {prior.name} can only be destroyed or replaced."


def _half_in(members: Membership) -> frozenset[ServerName]:
    """Own servers that have yet to join, silent ones without a Node among them."""
    own = members.record.own.keys()
    late = {n for n in members.among(own, Part.SILENT) if not members.had_joined(n)}
    return members.among(own, Part.JOINING) | late


def _failed(members: Membership) -> frozenset[ServerName]:
    """Own servers that are half in, and at which something has failed."""
    own = members.record.own.keys()
    return frozenset(name for name in own if differences.has_failed(name, members))


def _warnings(members: Membership, unwell: Sequence[Ailing]) -> tuple[str, ...]:
    name = members.record.spec.name
    unclaimed = sorted(members.among(members.record.own.keys(), Part.UNCLAIMED))
    warnings = tuple(
        f"{server} runs in cluster {name}, but its claim (/var/lib/rpool/claim) is gone. "
        + Do.PUT_CLAIM_BACK.text(server=server)
        for server in unclaimed
    )
    warnings += tuple(
        f"{server} is marked lost = true in the fleet, but is alive: {how}. It still leaves "
        f"cluster {name}, drained and wiped if it answers. {Do.UNMARK.text()}"
        for server, how in _lost_and_alive(members)
    )
    repair = members.record.spec.repair
    expiry = expiring.told(name, members.pool.probes)
    others = (differences.told(members), told(name, unwell, repair) if unwell else "", expiry)
    return (*warnings, *filter(None, others))


def _lost_and_alive(members: Membership) -> Iterator[tuple[ServerName, str]]:
    """Yields own servers that are marked lost, and what shows that they are alive, if that was
    observed anyway.
    """
    pool = members.pool
    for name in sorted(lost_in(members.fleet) & members.record.own.keys()):
        node = pool.nodes.get(name)
        if node is not None and node.ready:
            yield name, "its Node is Ready"
        elif name in pool.seen:
            yield name, "it answers by SSH"


def _nowhere(prior: PoolView, nowhere: NoSuchPool, fleet: Fleet) -> Found:
    if missing := sorted(prior.servers.keys() - fleet.servers.keys()):
        raise not_in_fleet(f"cluster {prior.name}", missing) from nowhere
    members = prior.servers
    moved = sorted(n for n in members if fleet.servers[n].address != members[n].address)
    if moved:  # the same names at another site, say
        where = "at the address that it had"
        raise not_in_fleet(f"cluster {prior.name}", moved, where) from nowhere
    if nowhere.certain:
        return Found(None)
    return Found(prior, (_vanished(prior, nowhere),))


def _vanished(prior: PoolView, nowhere: NoSuchPool) -> str:
    (problem,) = nowhere.problems
    return (
        f"Cluster {prior.name} is shown as last known: of the servers that answered, "
        f"{problem.summary}. "
        f"{problem.detail} {Do.BRING_BACK.text(servers='them')}"
    )


def _silence(prior: PoolView, reached: list[str], lost: list[str]) -> str:
    text = (
        f"No control plane of cluster {prior.name} showed its API; the last known state is shown."
    )
    text += f" Unreachable by SSH: {', '.join(lost)}." if lost else ""
    return text + (f" Reached by SSH: {', '.join(reached)}." if reached else "")


def read_node(pool: PoolView, server: ServerName, fleet: Fleet, world: World) -> NodeFound:
    """The labels and taints of its rpool_node that the Node still has; see `NodeFound`."""
    eye = Eye(pool, fleet, world, one=server)
    api, _ = api_of(pool, fleet, world)
    record = api.cluster.record if api else None
    if record is None:
        return NodeFound(None, unreachable=True)
    given = record.pinned.get(server)
    if given is None:
        return NodeFound(None)
    observed = eye.ask(Observed(pool.uid, api, record), [server])
    node = observed.nodes.get(server)
    is_known = server in observed.seen or node is None or node.let_go
    incomplete = is_known and not Membership(record, observed, fleet).is_whole(server)
    spec = given if node is None else _as_observed(given, node)
    pin, warnings = ca_pin(pool.ca_certificate), tuple(_elsewhere(server, record, fleet))
    return NodeFound(spec, incomplete, ca_pin=pin, warnings=warnings)


def _elsewhere(name: ServerName, record: Record, fleet: Fleet) -> Iterator[str]:
    """A server of the cluster that the fleet has in another domain of trust by now."""
    server, spec = fleet.servers.get(name), record.spec
    if server is not None and server.trust != spec.trust:
        yield (
            f"{name} is in {named(server.trust)} in the fleet, but stays in cluster {spec.name}, "
            f"which is in {named(spec.trust)}. {Do.TAKE_OUT.text()}"
        )


def _as_observed(given: NodeSpec, node: NodeSeen) -> NodeSpec:
    labels = {key: node.labels[key] for key in given.labels if key in node.labels}
    return NodeSpec(labels, tuple(taint for taint in given.taints if taint in node.taints))

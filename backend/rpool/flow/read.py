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
"""Members that a read asks by chance though they look healthy. So each is asked once in a while,
and a read costs the same on a cluster of any size."""

_RETURNED = (
    "was let go by this cluster, and is back with what it had. Apply once without the change: that "
    "wipes it, and it is free"
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
        asked = eye.ask(Observed(prior.uid), prior.servers)
        if _being_destroyed(asked, prior):
            left = {name: its for name, its in prior.servers.items() if name in asked.claims}
            view = replace(prior, kubernetes_version="", servers=left)
            return Found(replace(view, condition=Condition.INCOMPLETE), (_begun(prior),))
        silence = _silence(prior, sorted(asked.seen), sorted(asked.silent))
        refused = [f"{its.summary}." for its in why.values() if isinstance(its, Refused)]
        nobody = not asked.seen and len(asked.silent.keys() - lost_in(fleet)) > 1
        told_so = " ".join([silence, *sorted(refused)])
        if not prior.ca_certificate:  # it never had an API
            return Found(prior, (told_so,), nobody=nobody)
        told_so += f"\n{Do.BRING_API_BACK.text(**most_of(prior.control_planes))}"
        ending = expiring.told(prior.name, asked.probes)
        shown = replace(prior, condition=Condition.UNREACHABLE)
        return Found(shown, (told_so, *filter(None, [ending])), nobody=nobody)
    if not prior.kubernetes_version:  # whatever it shows by now: its state lacks what was asked for
        return Found(prior, (_remains(prior),))
    if api.cluster.record is None:
        return Found(replace(prior, condition=Condition.INCOMPLETE))
    pool, said = eye.through(api, OTHERS), api.cluster.record
    members = eye.members(pool)
    record = members.record
    false = false_members(said, members.pool.probes, prior.servers, fleet)
    going = (false | members.strays) & members.pool.nodes.keys()  # their Nodes go first
    not_free = dict.fromkeys(going, "on its way out of this cluster")
    not_free |= dict.fromkeys(record.pinned, "in this cluster by an rpool_node")
    offer = offers.make(record.uid, record.members.keys(), known_taken, not_free)
    pool = eye.ask(pool, offers.claimed_by(record.uid) - record.members.keys())
    members, returned = eye.members(pool), frozenset(pool.claims.keys() - record.members.keys())
    offer = replace(offer, taken={**offer.taken, **dict.fromkeys(returned, _RETURNED)})
    view, unwell = of_members(members, api.cluster.ca_certificate), ailing(members)
    return Found(
        as_known(view, prior, false),
        (*_warnings(members, unwell), *doubts(view, prior, false if said.is_settled else ())),
        joining=_half_in(members),
        leaving=members.among(record.own.keys(), Part.LEAVING),
        offer=offer,
        spec=record.spec,
        repairs=replace(Repairs.of(unwell), returned=returned, failed=_failed(members)),
    )


def _being_destroyed(asked: Observed, prior: PoolView) -> bool:
    """Whether a destroy was begun and cut off: all servers answer, and what is left is leaving."""
    claims = asked.claims.values()
    everybody = asked.seen.keys() == prior.servers.keys()
    return everybody and bool(claims) and all(its.is_leaving for its in claims)


def _begun(prior: PoolView) -> str:
    return f"Cluster {prior.name} was being destroyed, and that was cut off. {_remains(prior)}"


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
    said = tuple(
        f"{server} runs in cluster {name}, but its claim (/var/lib/rpool/claim) is gone. "
        + Do.PUT_CLAIM_BACK.text(server=server)
        for server in unclaimed
    )
    said += tuple(
        f"{server} is marked lost = true in the fleet, and is alive: {how}. It leaves cluster "
        f"{name} all the same, drained and wiped as long as it answers. {Do.UNMARK.text()}"
        for server, how in _lost_and_alive(members)
    )
    repair = members.record.spec.repair
    ending = expiring.told(name, members.pool.probes)
    more = (differences.told(members), told(name, unwell, repair) if unwell else "", ending)
    return (*said, *filter(None, more))


def _lost_and_alive(members: Membership) -> Iterator[tuple[ServerName, str]]:
    """Own servers that are marked lost, and how it shows that they are not, as far as this was seen
    without asking them for it.
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
    was = prior.servers
    moved = sorted(n for n in was if fleet.servers[n].address != was[n].address)
    if moved:  # the same names at another site, say
        where = "at the address that it had"
        raise not_in_fleet(f"cluster {prior.name}", moved, where) from nowhere
    if nowhere.certain:
        return Found(None)
    return Found(prior, (_vanished(prior, nowhere),))


def _vanished(prior: PoolView, nowhere: NoSuchPool) -> str:
    (problem,) = nowhere.problems
    return (
        f"Cluster {prior.name} is shown from before: {problem.summary} that answered. "
        f"{problem.detail} {Do.BRING_BACK.text(servers='them')}"
    )


def _silence(prior: PoolView, reached: list[str], lost: list[str]) -> str:
    said = f"No control plane of cluster {prior.name} showed its API; what is shown is from before."
    said += f" Out of reach by SSH: {', '.join(lost)}." if lost else ""
    return said + (f" Reached by SSH: {', '.join(reached)}." if reached else "")


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
    seen = eye.ask(Observed(pool.uid, api, record), [server])
    node = seen.nodes.get(server)
    is_known = server in seen.seen or node is None or node.let_go
    incomplete = is_known and not Membership(record, seen, fleet).is_whole(server)
    spec = given if node is None else _as_observed(given, node)
    pin, said = ca_pin(pool.ca_certificate), tuple(_elsewhere(server, record, fleet))
    return NodeFound(spec, incomplete, ca_pin=pin, warnings=said)


def _elsewhere(name: ServerName, record: Record, fleet: Fleet) -> Iterator[str]:
    """A server of the cluster that the fleet has in another domain of trust by now."""
    server, spec = fleet.servers.get(name), record.spec
    if server is not None and server.trust != spec.trust:
        yield (
            f"{name} is in {named(server.trust)} by the fleet, and stays in cluster {spec.name}, "
            f"which is in {named(spec.trust)}. {Do.TAKE_OUT.text()}"
        )


def _as_observed(given: NodeSpec, node: NodeSeen) -> NodeSpec:
    labels = {key: node.labels[key] for key in given.labels if key in node.labels}
    return NodeSpec(labels, tuple(taint for taint in given.taints if taint in node.taints))

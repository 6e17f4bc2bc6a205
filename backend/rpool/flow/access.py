"""The way into a cluster for people and programs: certificates that live for minutes or hours.

The private key is made here and never leaves; a server gets a signing request, and the cluster
itself signs it. A certificate that comes back is used only if the cluster's CA has signed it, for
our key and for exactly the identity that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from typing import TypeVar

from rpool import certificates
from rpool.errors import CommandFailed, Unreachable
from rpool.flow.locate import find
from rpool.flow.look import reach_api
from rpool.flow.observe import no_api
from rpool.model.access import Credential, Entrance, Identity
from rpool.model.secret import Secret
from rpool.model.server import Fleet
from rpool.model.view import PoolView
from rpool.model.world import World

PATIENCE_SECONDS = 10.0
"""How long a cluster has to show its API: Terraform waits for that in each plan."""

SERVERS_A_SECOND = 10
"""How many servers a sweep asks, of a fleet that answers."""

T = TypeVar("T")


def entrance(
    uid_or_name: str,
    known: PoolView | None,
    fleet: Fleet,
    world: World,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Entrance:
    """The entrance to the cluster with that uid or name. `known`: the cluster as this process last
    observed it; without it, the whole fleet is searched. Raises as `locate.find`, and Unreachable
    when no control plane has shown the API in time.
    """
    if known is not None:
        return _in_time(uid_or_name, patience_seconds, lambda: _of_view(known, world))
    longest = max(patience_seconds, len(fleet.servers) / SERVERS_A_SECOND)
    return _in_time(
        uid_or_name, longest, lambda: _located(uid_or_name, fleet, world, patience_seconds)
    )


def _of_view(view: PoolView, world: World) -> Entrance:
    api, silent = reach_api(world, view.uid, view.control_planes, view.ca_certificate)
    if api is None:
        raise no_api(view, silent)
    return Entrance(
        view.uid, view.name, api.through, f"https://{view.endpoint}", view.ca_certificate
    )


def _located(uid_or_name: str, fleet: Fleet, world: World, patience_seconds: float) -> Entrance:
    pool = find(world, fleet, uid_or_name, quiet_seconds=patience_seconds / 2)
    view = pool.view
    return Entrance(
        view.uid, view.name, pool.through, f"https://{view.endpoint}", view.ca_certificate
    )


def _in_time(cluster: str, seconds: float, look: Callable[[], T]) -> T:
    pool = ThreadPoolExecutor(1, thread_name_prefix="entrance")
    try:
        return pool.submit(look).result(seconds)
    except LateError:
        raise Unreachable(
            f"no control plane of cluster {cluster} has shown its API within {seconds:.0f} s"
        ) from None
    finally:
        pool.shutdown(wait=False)


def credential(entrance: Entrance, identity: Identity, world: World) -> Credential:
    """A client certificate that the cluster has signed, with its key. Raises Unreachable and
    CommandFailed.
    """
    request, key = certificates.new_request(identity.user, identity.groups)
    certificate = world.sign(entrance.through, request, identity.seconds)
    try:
        ends = certificates.check_issued(certificate, request, entrance.ca_certificate)
    except ValueError as why:
        raise CommandFailed(
            f"what {entrance.through} has signed is not what was asked for: {why}",
            "It is not used. Check who has access to that server.",
        ) from None
    return Credential(certificate, Secret(key), ends)

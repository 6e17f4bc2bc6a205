"""Why a desired server cannot join, as the error that users read."""

from __future__ import annotations

from rpool.advice import Do
from rpool.decide.membership import Membership, Part
from rpool.decide.preflight import why_not_spare, why_not_trusted, why_too_small
from rpool.errors import CommandFailed, Refused, RpoolError, StalePlan, TimedOut, Unreachable
from rpool.model.action import AwaitReady
from rpool.model.pool import PoolSpec
from rpool.model.seen import Probed
from rpool.model.server import Server, ServerName
from rpool.model.trust import named


class HalfOut(StalePlan):
    """A desired server is on its way out, by a change that was cut off."""


def why_not(
    name: ServerName, members: Membership, spec: PoolSpec, *, pinned: bool
) -> RpoolError | None:
    """Why `name` cannot be brought up in the cluster of `spec`; None when it can."""
    if name in members.pool.silent:
        why = members.pool.silent[name]
        bring_node_back, bring_back = (
            Do.BRING_NODE_BACK.text(server=name),
            Do.BRING_BACK.text(servers=name),
        )
        summary = f"{name} is to join, but cannot be reached"
        return Unreachable(summary, f"{why.summary}. {bring_node_back if pinned else bring_back}")
    part, probed = members.part(name), members.pool.probed(name)
    if probed is None:
        return Refused(f"{name} is to join, but was not checked", Do.PLAN_AGAIN.text())
    if part is Part.UNCLAIMED:
        return unclaimed(name, members.record.spec.name)
    if part is Part.LEAVING:
        return _half_out(name, members)
    if part is Part.GONE and members.fleet.servers[name].reserved and not pinned:
        return Refused(
            f"{name} is to join, but it is reserved in the fleet",
            f"Only an rpool_node uses it. {Do.UNRESERVE.text()}",
        )
    if part is Part.GONE and (reason := why_not_spare(probed)) is not None:
        return not_to_be_had(name, f"is {reason}", pinned=pinned)
    if probed.unwritable:
        summary = f"{name} is to join, but its disk is {probed.unwritable}"
        return Refused(summary, Do.MEND_DISK.text())
    server = members.fleet.servers[name]
    if part is Part.GONE and (other := _of_another_domain(server, probed, spec, pinned=pinned)):
        return other
    if small := why_too_small(server, probed):
        return Refused(f"{name} {small}", Do.CORRECT_SIZE.text(server=name))
    return None


def _of_another_domain(
    server: Server, probed: Probed, spec: PoolSpec, *, pinned: bool
) -> RpoolError | None:
    """Why a server's domain of trust forbids it: the fleet's, or the one that it served in."""
    if server.trust != spec.trust:
        return Refused(
            f"{server.name} is to join, but the fleet has it in {named(server.trust)}, and "
            f"cluster {spec.name} is in {named(spec.trust)}",
            f"Nothing was changed there. {Do.SAME_TRUST.text()}",
        )
    why = why_not_trusted(server, probed)
    return not_to_be_had(server.name, why, pinned=pinned) if why else None


def _half_out(name: ServerName, members: Membership) -> RpoolError:
    if members.is_stray(name):
        why = "it was a member of this cluster before it was lost; it is reset first"
    elif members.is_out_of_etcd(name):
        why = "it was removed from etcd and cannot start there again"
    else:
        why = "it is leaving this cluster"
    return HalfOut(f"{name} was to join, but {why}", f"Nothing was changed. {Do.PLAN_AGAIN.text()}")


def unclaimed(name: ServerName, cluster: str) -> RpoolError:
    return Refused(
        f"{name} runs in cluster {cluster}, but its claim (/var/lib/rpool/claim) is gone",
        f"A server without its claim is not touched. {Do.PUT_CLAIM_BACK.text(server=name)}",
    )


def not_to_be_had(name: ServerName, reason: str, *, pinned: bool = False) -> RpoolError:
    """The error of a planned server that is no longer a spare; `reason` ends a sentence about it.
    The next plan picks another server, except for a `pinned` one, which a person chose.
    """
    summary = f"{name} was to join, but {reason}"
    if pinned:
        return Refused(summary, Do.FREE.text(server=name))
    return StalePlan(
        summary,
        f"{Do.PLAN_AGAIN.text()} Another server is then picked. The rest of this plan is done.",
        taken={name: reason},
    )


def not_claimed(server: Server, why: RpoolError) -> RpoolError:
    """The error of a claim that was refused (another cluster was faster, say) or that failed on the
    server (its disk is full or read-only, say). Any other error is returned as it is.
    """
    if isinstance(why, Refused):
        reason = why.summary.removeprefix(f"{server.name} ")
        return not_to_be_had(server.name, reason, pinned=server.reserved)
    if server.reserved or not isinstance(why, CommandFailed | TimedOut):
        return why
    detail = f"{why.detail}\n{Do.PLAN_AGAIN.text()} Another server is then picked.".lstrip()
    return StalePlan(why.summary, detail, {server.name: why.summary})


def not_ready(action: AwaitReady, why: RpoolError) -> RpoolError:
    """The error of a wait that timed out, with what to look at. Any other error is unchanged."""
    if not isinstance(why, TimedOut):
        return why
    name = ", ".join(action.nodes)
    detail = f"{why.summary}\n{why.detail}".rstrip()
    return TimedOut(f"{name} does not become Ready", f"{detail}\n{Do.MAKE_READY.text(server=name)}")

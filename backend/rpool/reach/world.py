"""Real servers behind the port `rpool.model.world.World`: actions become scripts, run over SSH."""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from rpool.errors import (
    CommandFailed,
    OutcomeUnknown,
    Overtaken,
    RpoolError,
    TimedOut,
    Unreachable,
)
from rpool.model import action as act
from rpool.model.action import Action, Prepare
from rpool.model.claim import Fence
from rpool.model.event import Event
from rpool.model.inspection import Inspected, Trial
from rpool.model.pool import PoolUid
from rpool.model.secret import Secret
from rpool.model.seen import ClusterSeen, EtcdMember, PackagesSeen, Probed, Requested, Working
from rpool.model.server import ServerName
from rpool.model.site import SiteConfig
from rpool.model.step import News
from rpool.model.world import SessionLock
from rpool.reach import cni, documents, inspecting, shown, sightings
from rpool.reach.kubeadm import url_host
from rpool.reach.render import TOKENS, render
from rpool.reach.script import compose
from rpool.reach.session_lock import HeldLock
from rpool.reach.ssh import Completed, Sessions
from rpool.reach.verdict import Exit, failure

LOOK_SECONDS = 45.0
FENCE_SECONDS = 700.0  # longer than an action that has a server to itself may take
SIGN_SECONDS = 20.0  # signing takes a second or two
GRACE_SECONDS = 15.0  # in which a script that was told to end does so, and says why


class RealWorld:
    """A site's servers over SSH. Connections open when they are needed and stay until `close`."""

    at_once = 32

    def __init__(
        self,
        site: SiteConfig,
        fence_seconds: float = FENCE_SECONDS,
        sign_seconds: float = SIGN_SECONDS,
    ) -> None:
        """`fence_seconds`: how long a fence waits for operations on the server; `sign_seconds`: how
        long a cluster may take to sign a certificate.
        """
        self._site = site
        self._fence_seconds = fence_seconds
        self._sign_seconds = sign_seconds
        self._sessions = Sessions(site.fleet, site.ssh)

    def probe(self, server: ServerName, fence: Fence | None = None) -> Probed:
        if fence is not None:
            return sightings.probed(server, self._fenced(server, fence))
        script = compose(("library", "traces", "probe"), cni.TRACES)
        return sightings.probed(server, self._look("a probe", server, script))

    def _fenced(self, server: ServerName, fence: Fence) -> bytes:
        """The output of a probe behind a fence."""
        variables = {
            "POOL_UID": fence.uid,
            "SESSION": str(fence.session),
            "PATIENCE_SECONDS": str(math.ceil(self._fence_seconds)),
            **cni.TRACES,
        }
        script = compose(("library", "traces", "guard", "probe", "fence"), variables)
        completed = self._answer("a fence", server, script, LOOK_SECONDS + self._fence_seconds)
        error = failure("a fence", server, completed)
        if isinstance(error, Overtaken):
            raise error
        if error is not None and completed.code == Exit.BUSY:
            raise Unreachable(error.summary, error.detail)
        return _printed("a fence", server, completed)

    def working(self, server: ServerName) -> Working | None:
        script = compose(("library", "guard", "working"), {})
        return shown.working(self._look("asking what works there", server, script))

    def address_answers(self, server: ServerName, address: str) -> bool:
        variables = {"ADDRESS": address, "NODE_ADDRESS": self._address(server)}
        script = compose(("library", "arp"), variables)
        return self._look(f"asking for {address}", server, script).strip() == b"answers"

    def reaches_api(self, server: ServerName) -> bool:
        script = compose(("library", "api-reached"), {})
        return self._look("asking its cluster's API", server, script).strip() == b"answers"

    def kubernetes_packages(self, server: ServerName, minor: str) -> PackagesSeen:
        repository = self._site.mirrors.repository(minor)
        script = compose(("library", "versions"), {"REPOSITORY": repository})
        return sightings.packages(self._look("asking for package versions", server, script))

    def inspect(self, server: ServerName, trial: Trial) -> Inspected:
        self._address(server)
        servers = self._site.fleet.servers
        addresses = {name: entry.address for name, entry in servers.items()}
        script = inspecting.script(servers[server], addresses, trial)
        return inspecting.inspected(server, trial, self._look("an inspection", server, script))

    def observe(self, server: ServerName) -> ClusterSeen:
        host = url_host(self._address(server))
        challenge = f"rpool {server} {secrets.token_hex(16)}"
        variables = {
            "NODE_HOST": host,
            "NODES_PATH": documents.NODES_PATH,
            "CHALLENGE": challenge,
            **TOKENS,
        }
        script = compose(("library", "observe"), variables)
        printed = self._look("looking at the cluster", server, script)
        observed = sightings.cluster(server, printed)
        sightings.check_proof(server, printed, challenge, observed.ca_certificate)
        return observed

    def encryption(self, server: ServerName) -> Secret:
        self._address(server)
        script = compose(("library", "encryption"), {})
        return sightings.encryption(server, self._look("looking at its encryption", server, script))

    def etcd_members(self, server: ServerName) -> tuple[EtcdMember, ...]:
        self._address(server)
        script = compose(("library", "etcd", "etcd-members"), {"NODE_NAME": server})
        return sightings.etcd_members(server, self._look("looking at etcd", server, script))

    def requested(self, server: ServerName) -> Mapping[ServerName, Requested]:
        variables = {"NODE_HOST": url_host(self._address(server)), "PODS_PATH": documents.PODS_PATH}
        script = compose(("library", "requests"), variables)
        return shown.requested(server, self._look("looking at its pods", server, script))

    def journal(self, server: ServerName, most_lines: int) -> tuple[Event, ...]:
        script = compose(("library", "journal-lines"), {"MOST": str(most_lines)})
        return shown.events(self._look("reading its journal", server, script))

    def sign(self, server: ServerName, request: str, seconds: int) -> str:
        name = f"rpool-{secrets.token_hex(8)}"
        variables = {
            "NODE_HOST": url_host(self._address(server)),
            "NAME": name,
            "REQUEST": json.dumps(documents.signing_request(name, request, seconds)),
            "APPROVAL": json.dumps(documents.approval(name, request, seconds)),
            "SIGN_SECONDS": str(math.ceil(self._sign_seconds)),
        }
        script, doing = compose(("library", "sign"), variables), "signing a certificate"
        return sightings.certificate(server, self._look(doing, server, script).strip())

    def carry_out(self, action: Action, timeout_seconds: float) -> News:
        self._address(action.server)  # so that rendering finds it
        script = render(action, self._site, timeout_seconds)
        completed = self._run(action.server, script, timeout_seconds)
        error = failure(action.doing, action.server, completed, secrets_of(action))
        if error is not None:
            raise error
        return sightings.news(completed.stdout) if isinstance(action, act.Reset) else ()

    def prepare(
        self,
        actions: Sequence[Prepare],
        timeout_seconds: float,
        done: Callable[[ServerName, RpoolError | None], None],
    ) -> None:
        from rpool.reach.ansible import run_preparation

        run_preparation(self._sessions, self._site, actions, timeout_seconds, done)

    def lock(self, server: ServerName, uid: PoolUid) -> AbstractContextManager[SessionLock]:
        return HeldLock(self._sessions.session(server), uid)

    def close(self) -> None:
        self._sessions.close()

    def _address(self, server: ServerName) -> str:
        """The server's address. Raises NotInFleet when its entry was removed."""
        return self._sessions.session(server).server.address

    def _run(self, server: ServerName, script: str, timeout_seconds: float) -> Completed:
        """Runs a script. The server itself enforces the deadline, so no script outlives us."""
        command = f"timeout -k 10 {math.ceil(timeout_seconds)} sh -s"
        session = self._sessions.session(server)
        return session.run(command, script.encode(), timeout_seconds + GRACE_SECONDS)

    def _look(self, doing: str, server: ServerName, script: str) -> bytes:
        """The output of a read-only script. Raises Unreachable if the server does not answer."""
        return _printed(doing, server, self._answer(doing, server, script, LOOK_SECONDS))

    def _answer(
        self, doing: str, server: ServerName, script: str, timeout_seconds: float
    ) -> Completed:
        try:
            return self._run(server, script, timeout_seconds)
        except (OutcomeUnknown, TimedOut) as why:
            raise Unreachable(f"{server} did not answer {doing}", why.summary) from why


def _printed(doing: str, server: ServerName, completed: Completed) -> bytes:
    """What a read-only script printed. Raises the error that it ended with."""
    error = failure(doing, server, completed)
    if isinstance(error, TimedOut):
        raise Unreachable(error.summary, error.detail)
    if isinstance(error, CommandFailed):
        raise error
    if error is not None:  # a read-only script has no guard, so it cannot have been refused
        raise CommandFailed(f"{doing} failed on {server}", f"{error.summary}\n{error.detail}")
    return completed.stdout


_KEY = re.compile(r"""secret["']?\s*:\s*["']?([A-Za-z0-9+/]{20,}=*)""")


def keys_in(encryption: str) -> tuple[Secret, ...]:
    """The keys of an EncryptionConfiguration."""
    return tuple(Secret(key) for key in _KEY.findall(encryption))


def secrets_of(action: Action) -> tuple[Secret, ...]:
    """The action's secrets, which no text about it may show."""
    match action:
        case act.Init() | act.Join() | act.AdmitJoiners() | act.RevokeJoiners():
            token = action.secrets.token
            halves = tuple(Secret(part) for part in token.reveal().split(".")[1:])
            join = action.secrets
            return (token, *halves, join.certificate_key, *keys_in(join.encryption.reveal()))
        case _:
            return ()

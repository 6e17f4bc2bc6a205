"""What one operation has of its own: its lock, its number, its secrets.

The cluster's session lock is held on several of its control planes at once.

Two operations on one cluster exclude each other as long as each holds a majority.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import threading
from collections.abc import Iterable, Iterator, Set
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from rpool.advice import Do
from rpool.decide.quorum import majority
from rpool.errors import ForeignClaim, Overtaken, Refused, RpoolError, Unreachable, as_rpool_error
from rpool.flow.look import Silent, ask_at_once, probe_all
from rpool.model.action import JoinSecrets
from rpool.model.claim import Fence
from rpool.model.desired import Operation
from rpool.model.observed import Sighting
from rpool.model.pool import PoolUid
from rpool.model.secret import Secret
from rpool.model.server import ServerName
from rpool.model.world import Probing, SessionLock, World

TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"  # noqa: S105 an alphabet, not a password


def default_owner() -> str:
    """The HCP Terraform workspace of this run, or else `user@host`."""
    if workspace := os.environ.get("TFC_WORKSPACE_SLUG"):
        return workspace
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no passwd entry, as in a container of some CI
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def default_run() -> str:
    """The address of the run that this is part of, where a CI tells it; else ""."""
    env = os.environ
    if run := env.get("TFC_RUN_ID"):  # HCP Terraform does not tell which host it is
        return f"{env.get('TFC_WORKSPACE_SLUG', '')}/runs/{run}"
    if run := env.get("GITHUB_RUN_ID"):
        where = f"{env.get('GITHUB_SERVER_URL', '')}/{env.get('GITHUB_REPOSITORY', '')}"
        return f"{where}/actions/runs/{run}"
    return env.get("CI_JOB_URL") or env.get("BUILD_URL") or ""  # GitLab, Jenkins


def operation(owner: str) -> Operation:
    """A new operation, with an id that no other has."""
    return Operation(secrets.token_hex(8), owner, now())


def now() -> str:
    """The time, for people."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def join_secrets() -> JoinSecrets:
    """A bootstrap token in kubeadm's form, and the AES-256 key of its uploaded certificates."""
    token = "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(22))
    return JoinSecrets(Secret(f"{token[:6]}.{token[6:]}"), Secret(secrets.token_hex(32)))


_NO_CONTROL_PLANE = (
    "The cluster's record (ConfigMap kube-system/rpool) names no control plane that has its claim. "
    "Was it edited?"
)


class Held:
    """The locks of one session, one a control plane; which control planes count may change.

    Lost for good once fewer locks are left than a majority of these (one, where one will do). Safe
    to use from several threads.
    """

    def __init__(self, world: World, uid: PoolUid, stack: ExitStack) -> None:
        self._world = world
        self.through: Probing = world  # what it looks through
        self._uid = uid
        self._stack = stack
        self._needed = 0
        self._highest = 0
        self._acts = False
        self._over = False
        self._guard = threading.RLock()
        self._asked: set[ServerName] = set()
        self._not_locked: Silent = {}
        self._control_planes: frozenset[ServerName] = frozenset()
        self._locks: dict[ServerName, SessionLock] = {}

    @property
    def session(self) -> int:
        """This session's number, above that of every session before it.

        What this session does on a server ends what an earlier one still tries there (see
        `model.claim.Fence`).
        """
        with self._guard:
            return 1 + max([self._highest, *(lock.number for lock in self._locks.values())])

    def outrank(self, number: int) -> None:
        """Number this session above `number`, which the record has. Does nothing once this session
        acts: then the record's number is its own.
        """
        with self._guard:
            if not self._acts:
                self._highest = max(self._highest, number)

    def begins_to_act(self) -> None:
        with self._guard:
            self._acts = True

    def look(self, servers: Iterable[ServerName]) -> tuple[dict[ServerName, Sighting], Silent]:
        """Probe servers behind this session's fence. Raises Overtaken where the lock is lost.

        While the lock is ours, a higher number on a server is that of an earlier session, which the
        control planes have forgotten (a reboot). This session is then numbered above it.
        """
        names = list(servers)
        while True:
            try:
                return probe_all(self.through, names, fence=Fence(self._uid, self.session))
            except Overtaken as error:
                if self.lost() or error.session < self.session:
                    raise
                with self._guard:
                    self._highest = max(self._highest, error.session)

    def lost(self) -> bool:
        with self._guard:
            self._over = self._over or self._alive() < self._needed
            return self._over

    def cover(self, control_planes: Iterable[ServerName], *, one_will_do: bool = False) -> bool:
        """Lock these control planes; each is tried once. Returns True if any lock is new.

        `one_will_do`: a single lock is enough, and none where no control plane can be locked. That
        is for taking down a cluster that may be half dead. Raises Refused when another operation
        has it anywhere, Unreachable when too few can be had.
        """
        wanted = frozenset(control_planes)
        with self._guard:
            new = wanted - self._asked
        errors = self._take(new)
        for error in errors.values():
            if isinstance(error, Refused) and not isinstance(error, ForeignClaim):
                raise error
        with self._guard:
            self._control_planes = wanted
            self._needed = min(1, len(self._locks)) if one_will_do else majority(len(wanted))
            if self._alive() < self._needed:
                raise self._too_few()
        return bool(new - errors.keys())

    def add(self, control_plane: ServerName) -> None:
        """Lock one more control plane, which counts from now on. Raises why it cannot be locked."""
        for error in self.add_all([control_plane]).values():
            raise error

    def add_all(self, control_planes: Iterable[ServerName]) -> dict[ServerName, RpoolError]:
        """Lock more control planes, which count from now on. Returns why some cannot be locked."""
        wanted = frozenset(control_planes)
        with self._guard:
            new = wanted - self._locks.keys()
        errors = self._take(new)
        with self._guard:
            self._control_planes |= wanted - errors.keys()
            if new:
                self._needed = min(majority(len(self._control_planes)), self._alive())
        return errors

    def drop(self, server: ServerName) -> None:
        """No longer counts `server`, which leaves.

        Lowers the majority to what still answers: a silent control plane was silent before this
        removal.
        """
        with self._guard:
            if not self.lost():
                self._control_planes -= {server}
                self._needed = min(self._needed, majority(len(self._control_planes)), self._alive())

    def _take(self, servers: Set[ServerName]) -> Silent:
        """Lock these servers. Returns why some could not be locked. All are tried at once, so that
        a dead control plane costs nothing but its own time.
        """

        def enter(server: ServerName) -> SessionLock:
            try:
                return self._stack.enter_context(self._world.lock(server, self._uid))
            except Exception as error:  # whatever it is, all the others are waited for
                raise as_rpool_error(error, f"taking the lock of cluster {self._uid}") from error

        with self._guard:
            self._asked |= servers
        locks, errors = ask_at_once(enter, sorted(servers))
        with self._guard:
            self._locks |= locks
            self._not_locked |= errors
        return errors

    def _alive(self) -> int:
        return sum(n in self._locks and not self._locks[n].lost() for n in self._control_planes)

    def _too_few(self) -> Unreachable:
        errors = [error for n, error in self._not_locked.items() if n in self._control_planes]
        reasons = "\n".join(f"  {error.summary}" for error in errors)
        why = f"{reasons}\n{Do.AGAIN.text()}" if reasons else _NO_CONTROL_PLANE
        return Unreachable(
            f"the session lock of cluster {self._uid} was taken on {self._alive()} of "
            f"{len(self._control_planes)} control planes; {self._needed} are needed",
            f"Nothing was changed.\n{why}",
        )


@contextmanager
def session(world: World, uid: PoolUid, control_planes: Iterable[ServerName]) -> Iterator[Held]:
    """Locks every known control plane that can be locked. Raises Refused when another operation
    has the lock on any of them.

    Which control planes the cluster has is known only under the lock. The caller then says so, and
    with that how many locks are needed (`Held.cover`).
    """
    with ExitStack() as stack:
        held = Held(world, uid, stack)
        held.cover(control_planes, one_will_do=True)
        yield held

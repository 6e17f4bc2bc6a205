"""A cluster's session lock on a server: a process there that our heartbeats keep alive.

The server frees the lock after 30 s of silence, by its own clock. So the lock is certainly ours
only until 30 s after the *sending* of the last heartbeat that was answered; `lost()` turns true a
little earlier, for good. Time goes on during suspend: a laptop that slept has lost its locks.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import threading
import time
from contextlib import ExitStack, suppress
from types import TracebackType

import paramiko

from rpool.errors import OutcomeUnknown, RpoolError, Unreachable
from rpool.model.pool import PoolUid
from rpool.reach.script import compose
from rpool.reach.ssh import Completed, Session
from rpool.reach.verdict import failure

SILENCE_SECONDS = 30
MARGIN_SECONDS = 5.0
BEAT_SECONDS = 5.0
RELEASE_SECONDS = 2.0
MOST_BYTES = 1 << 16  # of an answer
DIGITS = re.compile(rb"[0-9]{0,9}")
GIVEN = re.compile(rb"[0-9]{1,9}h")  # number of the server's latest session, and that we hold it
MOST_ANSWERS = 8  # since the last heartbeat; our process on the server sends one


def seconds_awake_or_not() -> float:
    """A monotonic clock that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class HeldLock:
    """Holds the lock while it is entered. Raises Refused when another operation holds it."""

    def __init__(
        self,
        session: Session,
        uid: PoolUid,
        beat_seconds: float = BEAT_SECONDS,
        patience_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`patience_seconds` limits the wait for the answer: the lock is ours, or why not."""
        self._session = session
        self._patience_seconds = patience_seconds
        self._uid = uid
        self._beat_seconds = beat_seconds
        self._stack = ExitStack()
        self._over = threading.Event()
        self._held_until = 0.0
        self._number = 0
        self._channel: paramiko.Channel | None = None

    def lost(self) -> bool:
        return self._over.is_set() or seconds_awake_or_not() >= self._held_until

    @property
    def number(self) -> int:
        return self._number

    def __enter__(self) -> HeldLock:
        channel = self._stack.enter_context(self._session.channel(self._script()))
        try:
            self._await_hold(channel)
        except BaseException:
            self._stack.close()
            raise
        self._channel = channel
        beating = threading.Thread(target=self._beat_on, args=(channel,), daemon=True, name="lock")
        beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The lock is free when this returns: the next operation may be our own."""
        self._over.set()
        try:
            if self._channel is not None:
                self._channel.shutdown_write()
                self._channel.status_event.wait(RELEASE_SECONDS)
        except (paramiko.SSHException, EOFError, OSError):
            pass  # contact is lost, and the server frees the lock by itself
        finally:
            self._stack.close()

    def _script(self) -> str:
        """The script, for an argument, since standard input is the heartbeat; it has no secret."""
        variables = {
            "POOL_UID": self._uid,
            "HOLDER": f"{_user()}@{socket.gethostname()}, process {os.getpid()}, "
            f"since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}",
            "SILENCE_SECONDS": str(SILENCE_SECONDS),
        }
        return compose(("library", "guard", "lock"), variables, stdin="heartbeat")

    def _await_hold(self, channel: paramiko.Channel) -> None:
        sent = seconds_awake_or_not()
        deadline = time.monotonic() + self._patience_seconds
        try:
            answer = _first_word(channel, deadline)
            if GIVEN.fullmatch(answer):
                self._number = int(answer[:-1])
                self._extend(sent)
                return
            ended = _end_of(channel, answer, deadline)
        except (paramiko.SSHException, EOFError, OSError):
            raise Unreachable(f"{self._session.server.name} gave no answer about a lock") from None
        raise self._refusal(ended)

    def _refusal(self, ended: Completed) -> RpoolError:
        server = self._session.server.name
        error = failure("taking the cluster's lock", server, ended)
        return error or OutcomeUnknown(f"{server} ended the cluster's lock at once")

    def _extend(self, sent: float) -> None:
        self._held_until = sent + SILENCE_SECONDS - MARGIN_SECONDS

    def _beat_on(self, channel: paramiko.Channel) -> None:
        """Sends heartbeats until the lock is given up or lost. Each answer extends it, from the
        time the heartbeat was sent.
        """
        channel.settimeout(SILENCE_SECONDS - MARGIN_SECONDS)
        try:
            while not self._over.wait(self._beat_seconds):
                sent = seconds_awake_or_not()
                channel.sendall(b"b")
                answer = channel.recv(MOST_BYTES)
                talks = len(answer) > MOST_ANSWERS or channel.recv_stderr_ready()
                if not answer or answer.strip(b"a") or talks or self.lost():
                    break
                self._extend(sent)
        except (paramiko.SSHException, EOFError, OSError):
            pass
        if self._over.is_set():
            return  # __exit__ waits for the script's end, which a closed channel would hide
        self._over.set()
        with suppress(paramiko.SSHException, EOFError, OSError):
            channel.close()  # further output is not kept


def _first_word(channel: paramiko.Channel, deadline: float) -> bytes:
    """The answer that gives the lock, or the output up to where it could not be that any more."""
    answer = b""
    while DIGITS.fullmatch(answer):
        part = _within(channel, deadline).recv(1)
        if not part:
            break
        answer += part
    return answer


def _end_of(channel: paramiko.Channel, printed: bytes, deadline: float) -> Completed:
    """The end of a script that gave no lock; `printed` is what was read before. Raises TimeoutError
    at the deadline, even while the server goes on printing.
    """
    while part := _within(channel, deadline).recv(1 << 16):
        printed += part
        if len(printed) > MOST_BYTES:
            raise TimeoutError
    channel.status_event.wait(5)
    return Completed(channel.exit_status, printed, _within(channel, deadline).recv_stderr(1 << 16))


def _within(channel: paramiko.Channel, deadline: float) -> paramiko.Channel:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    channel.settimeout(remaining)
    return channel


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no passwd entry, as in a container of some CI
        return "unknown"

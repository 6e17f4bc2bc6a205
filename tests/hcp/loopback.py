"""The loopback of a network namespace: a port on it, for a server of this process."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


@contextmanager
def alone() -> Iterator[str]:
    """The name of a network namespace that has its loopback and nothing else; gone afterwards."""
    name = f"rpool-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def inside(namespace: str) -> list[str]:
    """The words that run a command in the namespace."""
    return ["nsenter", f"--net={_NAMESPACES / namespace}", "--"]


def listening(namespace: str | None = None) -> socket.socket:
    """A socket that listens in a namespace, whichever process uses it. None: this process's own."""
    if namespace is None:
        return socket.create_server(("127.0.0.1", 0))
    with ThreadPoolExecutor(max_workers=1) as thread:  # it enters the namespace, and ends there
        return thread.submit(_inside, namespace).result()


def _inside(namespace: str) -> socket.socket:
    descriptor = os.open(_NAMESPACES / namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(descriptor)
    return socket.create_server(("127.0.0.1", 0))

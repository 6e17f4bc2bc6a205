"""A port on the loopback of a network namespace, for a server of this process."""

from __future__ import annotations

import ctypes
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def listening(namespace: str | None = None) -> socket.socket:
    """It stays in the namespace in which it was made, whoever asks it. None: the one we are in."""
    if namespace is None:
        return socket.create_server(("127.0.0.1", 0))
    with ThreadPoolExecutor(max_workers=1) as thread:  # which enters, and ends there
        return thread.submit(_inside, namespace).result()


def _inside(namespace: str) -> socket.socket:
    descriptor = os.open(_NAMESPACES / namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(descriptor)
    return socket.create_server(("127.0.0.1", 0))

"""What is served in a network namespace is there, and nowhere else."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from hcp.loopback import listening
from hcp.state_server import State, kept

ASK = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], b'', timeout=5)"


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"rpool-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_a_state_is_served_in_a_namespace_by_a_process_that_is_not_in_it(namespace: str) -> None:
    with kept(State(), listening(namespace)) as address:
        words = ["ip", "netns", "exec", namespace, "python3", "-c", ASK, address]
        asked = subprocess.run(words, capture_output=True, text=True, check=False)
        assert "HTTP Error 409" in asked.stderr  # nobody writes without the lock
        port = int(address.split(":")[2].split("/")[0])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)

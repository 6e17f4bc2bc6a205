"""What is served in a network namespace is there, and nowhere else."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from hcp.loopback import alone, inside, listening
from hcp.state_server import State, kept

ASK = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], b'', timeout=5)"


def test_a_state_is_served_in_a_namespace_by_a_process_that_is_not_in_it() -> None:
    with alone() as namespace, kept(State(), listening(namespace)) as address:
        words = [*inside(namespace), sys.executable, "-c", ASK, address]
        asked = subprocess.run(words, capture_output=True, text=True, check=False)
        assert "HTTP Error 409" in asked.stderr  # nobody writes without the lock
        port = int(address.split(":")[2].split("/")[0])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)

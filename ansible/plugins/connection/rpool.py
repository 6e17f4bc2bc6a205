# Copyright: the rpool authors
# GNU General Public License v3.0+ (see LICENSE in this folder's parent)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reaches servers through the engine that started this play, over its unix socket.

The engine owns the SSH sessions and guards each command; this end knows no key and no address.
One connection carries one request: a line of JSON and the command's input, answered by a line of
JSON and the command's two outputs.
"""

from __future__ import annotations

import json
import shlex
import socket
from pathlib import Path
from typing import BinaryIO

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: rpool
short_description: run tasks through the SSH sessions of rpool
description:
  - Sends each command to the process that started the play, which runs it on the server by SSH,
    as root, under a guard that checks that the server still belongs to the cluster.
author: the rpool authors
version_added: "0.1.0"
extends_documentation_fragment:
  - connection_pipelining
options:
  server:
    description: The server's name, as the fleet has it.
    type: str
    required: true
    vars:
      - name: inventory_hostname
  socket:
    description: The unix socket on which the engine listens.
    type: path
    required: true
    env:
      - name: RPOOL_ANSIBLE_SOCKET
    vars:
      - name: ansible_rpool_socket
"""


class Connection(ConnectionBase):
    """Thin on purpose: what a connection needs to decide, the engine decides."""

    transport = "rpool"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def close(self) -> None:
        self._connected = False

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Run a command; its exit status and its two outputs."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return self._ask(cmd, in_data or b"")

    def put_file(self, in_path: str, out_path: str) -> None:
        """Write a local file to the server."""
        super().put_file(in_path, out_path)
        code, _, errors = self._ask(f"cat > {shlex.quote(out_path)}", Path(in_path).read_bytes())
        if code != 0:
            raise AnsibleError(f"cannot write {out_path}: {errors.decode(errors='replace')}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Read a file from the server."""
        super().fetch_file(in_path, out_path)
        code, content, errors = self._ask(f"cat {shlex.quote(in_path)}", b"")
        if code != 0:
            raise AnsibleError(f"cannot read {in_path}: {errors.decode(errors='replace')}")
        Path(out_path).write_bytes(content)

    def _ask(self, command: str, stdin: bytes) -> tuple[int, bytes, bytes]:
        request = {
            "server": self.get_option("server"),
            "command": command,
            "stdin": len(stdin),
        }
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(self.get_option("socket"))
                client.sendall(json.dumps(request).encode() + b"\n" + stdin)
                with client.makefile("rb") as answers:
                    return _answer(answers)
        except (OSError, ValueError) as error:
            raise AnsibleConnectionFailure(f"the engine does not answer: {error}") from error


def _answer(answers: BinaryIO) -> tuple[int, bytes, bytes]:
    head = json.loads(answers.readline())
    if "error" in head:
        raise AnsibleConnectionFailure(head["error"])
    stdout = answers.read(head["stdout"])
    stderr = answers.read(head["stderr"])
    if len(stdout) + len(stderr) < head["stdout"] + head["stderr"]:
        raise ValueError("its answer was cut off")
    return head["code"], stdout, stderr

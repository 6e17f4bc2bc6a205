"""A state and its lock, kept elsewhere than where Terraform runs: what `http` backends speak to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

OK, NOT_FOUND, CONFLICT, LOCKED = 200, 404, 409, 423


@dataclass
class State:
    """`told` has each state that was ever written; the last one counts."""

    told: list[bytes] = field(default_factory=list)
    lock: dict[str, Any] | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @property
    def content(self) -> dict[str, Any]:
        return json.loads(self.told[-1]) if self.told else {"resources": []}

    @property
    def clusters(self) -> list[dict[str, Any]]:
        """The attributes of each rpool_cluster in it."""
        resources = (
            resource
            for resource in self.content["resources"]
            if resource["type"] == "rpool_cluster"
        )
        return [
            instance["attributes"] for resource in resources for instance in resource["instances"]
        ]

    def force_unlock(self) -> None:
        self.lock = None

    def answer(self, method: str, holder: str, body: bytes) -> tuple[int, bytes]:
        """`holder` is the id of the lock under which a state is written."""
        with self._one_at_a_time:
            match method:
                case "GET":
                    return (OK, self.told[-1]) if self.told else (NOT_FOUND, b"")
                case "LOCK":
                    if self.lock is not None:
                        return LOCKED, json.dumps(self.lock).encode()
                    self.lock = json.loads(body)
                case "UNLOCK":
                    if self.lock is None or self.lock["ID"] != json.loads(body)["ID"]:
                        return CONFLICT, b""
                    self.lock = None
                case "POST":
                    if self.lock is None or self.lock["ID"] != holder:
                        return CONFLICT, b""
                    self.told.append(body)
                case _:
                    return CONFLICT, b""
        return OK, b""


@contextmanager
def kept(state: State, bound: socket.socket) -> Iterator[str]:
    """Serve the state; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            (holder,) = parse_qs(urlsplit(self.path).query).get("ID", [""])
            status, content = state.answer(self.command, holder, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_LOCK = do_UNLOCK = _answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = bound
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/state"
        server.shutdown()

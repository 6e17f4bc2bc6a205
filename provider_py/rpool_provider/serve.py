"""The life of the plugin process: from the handshake with Terraform to its end.

Terraform starts it two to five times per command, so only what the handshake needs is loaded
before it: gRPC and a key. The rest loads while Terraform connects.

The transport is TLS with our certificate, on a Unix socket in a folder that no other user may
enter. (Terraform also offers a client certificate, but its signature, ECDSA with P-521, is one that
gRPC's TLS library does not accept; so none is asked for.)
"""

from __future__ import annotations

import base64
import gc
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import TYPE_CHECKING, Any

from rpool_provider import certificate
from rpool_provider.grpc_alone import grpc

if TYPE_CHECKING:
    from rpool_provider.provider import Provider

_COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
_PROTOCOL = "6"
_THREADS = 1024
"""The limit; threads start when they are needed. Calls beyond it would queue, StopProvider too."""

_GARBAGE = 100_000
"""New objects before a garbage collection. The first calls load more modules, which leaves no
garbage, and with Python's default of 700 they would be scanned 40 times.
"""

_LAST_WORDS_SECONDS = 0.5
"""Grace for answers that are on their way when Terraform says that it is done."""

_ORPHAN_SECONDS = 60.0
"""Grace for running steps to end safely when Terraform has died."""

_BY_HAND = """\
This is the rpool provider. Terraform or OpenTofu starts it; it does nothing by itself.
To install it: docs/guides/installing.md.
"""
_TOO_OLD = (
    "The rpool provider speaks plugin protocol 6: use Terraform 1.8, OpenTofu 1.8 or newer.\n"
)


def main(make_provider: Callable[[], Provider]) -> int:
    """Serves until Terraform is done, then exits. Returns only when there was nothing to serve."""
    refusal = _refusal(os.environ)
    if refusal:
        sys.stderr.write(refusal)
        return 1
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the SSH key
    os.environ.pop("PLUGIN_CLIENT_CERT", None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us through StopProvider
    plugin = Plugin(make_provider)
    signal.signal(signal.SIGTERM, plugin.on_terminate)
    plugin.run()
    os._exit(0)


def _refusal(environment: os._Environ[str]) -> str | None:
    if environment.get("TF_PLUGIN_MAGIC_COOKIE") != _COOKIE:
        return _BY_HAND
    offered = environment.get("PLUGIN_PROTOCOL_VERSIONS", _PROTOCOL).split(",")
    return None if _PROTOCOL in offered else _TOO_OLD


class Plugin(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """One plugin process. As a gRPC handler it finds, and loads if needed, the code for a call."""

    def __init__(self, make_provider: Callable[[], Provider]) -> None:
        self._make_provider = make_provider
        self._loading = threading.Lock()
        self._routes: dict[str, Any] = {}
        self._provider: Provider | None = None
        self._done = threading.Event()
        self._parent = os.getppid()

    def run(self) -> None:
        folder = _make_folder()
        address = f"{folder}/plugin"
        server = self._start(address)
        try:
            self.routes()
            gc.freeze()  # what is loaded stays
            gc.set_threshold(_GARBAGE)
            gc.enable()
            grace = self._await_end()
            server.stop(grace).wait()
        finally:
            _remove(address, folder)
            if self._provider is not None:
                self._provider.close()

    def _start(self, address: str) -> Any:
        identity = certificate.make()
        server = grpc.server(
            ThreadPoolExecutor(_THREADS, "rpc"),
            handlers=[self],
            options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
        )
        credentials = grpc.ssl_server_credentials([(identity.key_pem, identity.certificate_pem)])
        server.add_secure_port(f"unix:{address}", credentials)
        server.start()
        _shake_hands(address, identity.certificate)
        return server

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        """The handler of a call; for None gRPC answers UNIMPLEMENTED."""
        return self.routes().get(call.method)

    def routes(self) -> dict[str, Any]:
        with self._loading:
            if not self._routes:
                from rpool_provider.servicer import routes

                self._provider = self._make_provider()
                self._routes = routes(self._provider, shutdown=self._done.set)
            return self._routes

    def on_terminate(self, signum: int, frame: FrameType | None) -> None:
        """Stops the work, not the answers: Terraform still needs the state of what was done."""
        if self._provider is not None:
            self._provider.stop.set()

    def _await_end(self) -> float:
        """Waits for Terraform to be done or gone; returns the grace for calls that still run."""
        while not self._done.wait(1.0):
            if os.getppid() != self._parent:
                self.on_terminate(signal.SIGTERM, None)
                return _ORPHAN_SECONDS
        return _LAST_WORDS_SECONDS


def _make_folder() -> str:
    """A new folder that only this user may enter. A socket's address must fit in 107 bytes."""
    parent = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 the folder in it is made, never reused
    if len(parent) > 60:
        parent = "/tmp"  # noqa: S108
    folder = f"{parent}/rpool-{os.urandom(8).hex()}"
    os.mkdir(folder, 0o700)  # noqa: PTH102 pathlib is slow to load
    return folder


def _remove(address: str, folder: str) -> None:
    try:
        if os.path.exists(address):  # noqa: PTH110 gRPC removes it when it ends in order
            os.unlink(address)  # noqa: PTH108
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        pass  # a leftover empty folder does no harm


def _shake_hands(address: str, der: bytes) -> None:
    """Tells Terraform the address and the certificate. After that, standard output is stderr."""
    encoded = base64.b64encode(der).decode().rstrip("=")
    sys.stdout.write(f"1|{_PROTOCOL}|unix|{address}|grpc|{encoded}\n")
    sys.stdout.flush()
    os.dup2(2, 1)

"""A plugin host in Python: starts the provider as Terraform would, and speaks to it."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from rpool_provider.wire.gen import plugin_host_pb2
from rpool_provider.wire.gen import tfplugin6_pb2 as pb

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
PYTHON = CHECKOUT / ".venv/bin/python"
LAUNCHER = CHECKOUT / "provider_py/terraform-provider-rpool"

HOST_ENVIRONMENT = {
    "TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
    "PLUGIN_PROTOCOL_VERSIONS": "5,6",
    "PLUGIN_CLIENT_CERT": "-----BEGIN CERTIFICATE-----",
}


def simulated(world_file: Path) -> list[str]:
    """The command of the provider with modelled servers."""
    return [str(PYTHON), "-I", str(HERE / "simulated_provider.py"), str(world_file)]


@dataclass(frozen=True)
class Handshake:
    line: str
    seconds: float

    @property
    def fields(self) -> list[str]:
        return self.line.rstrip("\n").split("|")

    @property
    def socket(self) -> Path:
        return Path(self.fields[3])

    @property
    def certificate(self) -> bytes:
        encoded = self.fields[5]
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4))

    @property
    def certificate_pem(self) -> bytes:
        body = base64.encodebytes(self.certificate)
        return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


class PluginProcess:
    """A running provider; use it as a context manager."""

    def __init__(self, command: Sequence[str] = (str(LAUNCHER),), **environment: str) -> None:
        started = time.perf_counter()
        # A file, since a pipe that is not read is full after some applies, and blocks the process.
        self._log = tempfile.TemporaryFile("a+")  # noqa: SIM115 open as long as the process
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=os.environ | HOST_ENVIRONMENT | environment,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.handshake = Handshake(line, time.perf_counter() - started)
        if not line:
            self.process.wait()
            raise RuntimeError(f"no handshake: {self.log()}")
        self.channel = grpc.secure_channel(
            f"unix:{self.handshake.socket}",
            grpc.ssl_channel_credentials(self.handshake.certificate_pem),
            [
                ("grpc.ssl_target_name_override", "localhost"),
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
            ],
        )

    def __enter__(self) -> PluginProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
        self.process.kill()
        self.process.communicate()
        self._log.close()
        self.handshake.socket.unlink(missing_ok=True)
        if self.handshake.socket.parent.exists():
            self.handshake.socket.parent.rmdir()

    def log(self) -> str:
        """All that it wrote to standard error, where a plugin logs."""
        self._log.seek(0)
        return self._log.read()

    def future(self, name: str, /, **fields: Any) -> grpc.Future:
        """Begin a call of the Provider service; `fields` are those of its request."""
        message = getattr(pb, name)
        call = self.channel.unary_unary(
            f"/tfplugin6.Provider/{name}",
            request_serializer=message.Request.SerializeToString,
            response_deserializer=message.Response.FromString,
        )
        return call.future(message.Request(**fields), timeout=200)

    def call(self, name: str, /, **fields: Any) -> Any:
        return self.future(name, **fields).result()

    def shutdown(self) -> int:
        """End it as a host does; returns its exit status."""
        call = self.channel.unary_unary(
            "/plugin.GRPCController/Shutdown",
            request_serializer=plugin_host_pb2.Empty.SerializeToString,
            response_deserializer=plugin_host_pb2.Empty.FromString,
        )
        call(plugin_host_pb2.Empty(), timeout=10)
        return self.process.wait(10)

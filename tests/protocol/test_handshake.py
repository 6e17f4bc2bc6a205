"""How the plugin process starts and ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest

from protocol.plugin_process import HOST_ENVIRONMENT, LAUNCHER, PYTHON, PluginProcess
from rpool_provider.wire.gen import plugin_host_pb2


def test_the_handshake_names_protocol_6_on_a_unix_socket_with_a_certificate() -> None:
    with PluginProcess() as plugin:
        line = plugin.handshake.line
        fields = plugin.handshake.fields
        assert fields[:3] == ["1", "6", "unix"]
        assert fields[4] == "grpc"
        assert line.endswith("\n") and "=" not in line
        assert len(fields) == 6


def test_no_other_user_may_enter_the_folder_of_the_socket() -> None:
    with PluginProcess() as plugin:
        mode = plugin.handshake.socket.parent.stat().st_mode
        assert stat.S_IMODE(mode) == 0o700


def test_a_crash_of_it_writes_no_core_to_disk() -> None:
    """The SSH key is in its memory."""
    with PluginProcess() as plugin:
        limits = Path(f"/proc/{plugin.process.pid}/limits").read_text()
        (core,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]


def test_a_long_temporary_folder_does_not_make_the_socket_address_too_long(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    with PluginProcess(TMPDIR=str(long)) as plugin:
        assert len(str(plugin.handshake.socket)) < 107
        assert plugin.call("GetMetadata").resources[0].type_name == "rpool_cluster"


def test_shutdown_ends_it_at_once_and_leaves_nothing_behind() -> None:
    with PluginProcess() as plugin:
        plugin.call("GetProviderSchema")
        began = time.monotonic()
        assert plugin.shutdown() == 0
        assert time.monotonic() - began < 2.0  # after that a host kills it
        assert not plugin.handshake.socket.parent.exists()


def test_the_stream_of_output_ends_at_once() -> None:
    with PluginProcess() as plugin:
        stream = plugin.channel.unary_stream(
            "/plugin.GRPCStdio/StreamStdio",
            request_serializer=plugin_host_pb2.Empty.SerializeToString,
            response_deserializer=plugin_host_pb2.StdioData.FromString,
        )
        assert list(stream(plugin_host_pb2.Empty(), timeout=10)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/tfplugin6.Provider/ReadStateBytes",
        "/tfplugin6.Provider/MoveResourceState",
        "/no.Such/Thing",
    ],
)
def test_calls_for_what_is_not_announced_are_unimplemented(path: str) -> None:
    with PluginProcess() as plugin:
        with pytest.raises(grpc.RpcError) as failure:
            plugin.channel.unary_unary(path)(b"", timeout=10)
        assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_started_by_hand_it_says_what_it_is() -> None:
    without = {k: v for k, v in os.environ.items() if k not in HOST_ENVIRONMENT}
    done = subprocess.run(
        [LAUNCHER], env=without, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Terraform or OpenTofu starts it" in done.stderr


def test_a_host_without_protocol_6_is_told_what_to_use() -> None:
    done = subprocess.run(
        [LAUNCHER],
        env=os.environ | HOST_ENVIRONMENT | {"PLUGIN_PROTOCOL_VERSIONS": "4,5"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "protocol 6" in done.stderr


def test_ctrl_c_on_the_process_group_does_not_end_it() -> None:
    with PluginProcess() as plugin:
        plugin.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert plugin.call("GetMetadata").resources


_HOST_THAT_DIES = """
import subprocess, sys
child = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE)
print(child.pid, child.stdout.readline().decode().split("|")[3], flush=True)
"""


def test_it_ends_when_its_host_has_died() -> None:
    died = subprocess.run(
        [sys.executable, "-c", _HOST_THAT_DIES, str(LAUNCHER)],
        env=os.environ | HOST_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    pid, socket = died.stdout.split()
    _await_end_of(int(pid))
    assert not Path(socket).parent.exists()


def _await_end_of(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} still runs")


def test_the_launcher_is_not_led_astray_by_the_folder_it_is_called_in(tmp_path: Path) -> None:
    (tmp_path / "grpc.py").write_text("raise SystemExit('led astray')")
    done = subprocess.run(
        [LAUNCHER],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Terraform or OpenTofu starts it" in done.stderr


def test_nothing_heavy_is_loaded_before_the_handshake() -> None:
    heavy = ["pydantic", "paramiko", "kubernetes", "tenacity", "google.protobuf", "msgpack", "yaml"]
    heavy += ["asyncio", "ssl", "subprocess"]
    code = f"import sys, rpool_provider.__main__; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [PYTHON, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


_LOADED = """if True:
    import sys
    from rpool_provider.__main__ import provider
    from rpool_provider.grpc_alone import grpc
    from rpool_provider import servicer
    from rpool_provider.wire.gen import tfplugin6_pb2 as pb
    made = provider()
    def call(name):
        route = servicer.routes(made, print)["/tfplugin6.Provider/" + name]
        assert not route.unary_unary(getattr(pb, name).Request(), None).diagnostics
    def blank(schema, **values):
        return {attribute.name: None for attribute in schema.root.attributes} | values
    def loaded(*names):
        inside = tuple(name + "." for name in names)
        assert [module for module in sys.modules if (module + ".").startswith(inside)] == []
"""


def _run(code: str) -> None:
    subprocess.run([PYTHON, "-I", "-c", _LOADED + code], timeout=60, check=True)


def test_the_schema_is_told_without_what_checks_or_plans() -> None:
    """Terraform starts a process for it alone."""
    _run("""
    call("GetProviderSchema")
    call("GetResourceIdentitySchemas")
    call("GetMetadata")
    loaded("pydantic", "rpool.config", "rpool.model.pool", "rpool.decide", "rpool.api", "pathlib")
    loaded("rpool_provider.resources.cluster", "rpool_provider.resources.node")
    loaded("google.protobuf.internal.python_message", "google.protobuf.text_format")
    """)


def test_a_configuration_is_checked_without_what_plans() -> None:
    """Terraform starts a process for that, too."""
    _run("""
    cluster = made.resources["rpool_cluster"]
    where = blank(cluster.schema, control_plane={"servers": 3, "endpoint": {"vip": "10.0.0.9"}})
    where |= {"name": "batch", "kubernetes_version": "1.36.3", "cores": 16, "memory": 64}
    assert not made.validate(blank(made.schema, simulate={"servers": 12}))
    assert not cluster.validate(where)
    loaded("rpool.api", "rpool.decide", "rpool.flow", "rpool.model.action", "rpool.model.seen")
    loaded("importlib.metadata", "hashlib")
    """)


def test_what_stands_in_for_a_module_is_the_module_for_whoever_touches_it() -> None:
    _run("""
    from google.protobuf import descriptor_pool, json_format, text_format
    seen_by_protobuf = descriptor_pool.python_message.GeneratedProtocolMessageType
    from google.protobuf.internal import python_message
    assert seen_by_protobuf is python_message.GeneratedProtocolMessageType
    assert text_format.MessageToString(pb.AttributePath()) == ""
    assert json_format.MessageToDict(pb.AttributePath()) == {}
    """)


def test_asyncio_is_there_for_whoever_touches_it() -> None:
    code = """if True:
        import sys
        from rpool_provider.grpc_alone import grpc
        from grpc._cython import cygrpc
        assert "asyncio" not in sys.modules
        seen_by_grpc = cygrpc.asyncio.Future
        import asyncio
        assert seen_by_grpc is asyncio.Future
        asyncio.run(asyncio.sleep(0))
    """
    subprocess.run([PYTHON, "-I", "-c", code], timeout=60, check=True)

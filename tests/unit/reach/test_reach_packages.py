"""What a server could install, asked for real: through a real sshd, apt and a web server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from worlds.samples import NODE
from worlds.sshd import TestServer, free_port

from rpool.model.seen import PackagesSeen
from rpool.model.site import Mirrors
from rpool.reach.world import RealWorld

INDEX = """Package: kubeadm
Version: 1.36.2-1.1

Package: kubelet
Version: 1.36.9-1.1

Package: kubeadm
Version: 1.36.3-1.1
"""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that has an index of Kubernetes 1.36."""
    folder = tmp_path / "www" / "v1.36" / "deb"
    folder.mkdir(parents=True)
    (folder / "Packages").write_text(INDEX)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


def seen(server: TestServer, packages: str, minor: str = "1.36") -> PackagesSeen:
    config = replace(server.site(), mirrors=Mirrors(packages=packages))
    with closing(RealWorld(config)) as world:
        return world.kubernetes_packages(NODE.name, minor)


@pytest.fixture(autouse=True)
def nothing_installed(server: TestServer) -> None:
    server.marker("dpkg-query", "exit 1")


def test_a_repository_tells_its_versions(server: TestServer, mirror: str) -> None:
    assert seen(server, mirror) == PackagesSeen(frozenset({"1.36.2", "1.36.3"}))


def test_what_is_installed_counts_too(server: TestServer, mirror: str) -> None:
    server.marker("dpkg-query", r"printf 'version\t1.36.1-1.1\n'")
    assert seen(server, mirror).versions == {"1.36.1", "1.36.2", "1.36.3"}


def test_a_repository_without_that_index_tells_nothing(server: TestServer, mirror: str) -> None:
    assert seen(server, mirror, "1.35") == PackagesSeen()


def test_a_repository_that_cannot_be_read_tells_why(server: TestServer) -> None:
    port = free_port()
    packages = seen(server, f"http://127.0.0.1:{port}")
    assert packages.versions == set()
    assert f"Could not connect to 127.0.0.1:{port}" in packages.unread

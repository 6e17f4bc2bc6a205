"""The audit of what is locked: a finding is told from a service that cannot be reached."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lab import audit

Output = pytest.CaptureFixture[str]
HASH = f"--hash=sha256:{'0' * 64}"
LOCK = f"fine==1.0.0 \\\n    {HASH}\nholed==2.0.0 ; python_version >= '3.9' \\\n    {HASH}\n"
HOLE = {
    "id": "PYSEC-0000-1",
    "affected": [
        {
            "package": {"name": "holed", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0.1"}]}],
        }
    ],
}


class _Service(BaseHTTPRequestHandler):
    """Knows of one vulnerability; answers with `code`."""

    code = 200

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        holed = query == {"package": {"name": "holed", "ecosystem": "PyPI"}, "version": "2.0.0"}
        self.send_response(self.code)
        self.end_headers()
        self.wfile.write(json.dumps({"vulns": [HOLE]} if holed else {}).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def service(code: int = 200) -> Iterator[str]:
    """Its address, on this machine."""
    handler = type("Service", (_Service,), {"code": code})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    (tmp_path / "its.lock").write_text(LOCK)
    return tmp_path / "its.lock"


def audited(address: str, lock: Path) -> int:
    return audit.main(["--service", address, str(lock)])


def test_a_known_vulnerability_fails_and_is_named(lock: Path, capsys: Output) -> None:
    with service() as address:
        assert audited(address, lock) == 1
    assert "holed 2.0.0: PYSEC-0000-1, fixed in 2.0.1\n" in capsys.readouterr().out


def test_what_has_none_passes(lock: Path, capsys: Output) -> None:
    lock.write_text(LOCK.replace("2.0.0", "2.0.1"))
    with service() as address:
        assert audited(address, lock) == 0
    assert capsys.readouterr().out == f"audit: {lock}: none known\n"


def test_a_service_that_cannot_be_reached_is_said_in_one_line_and_passes(
    lock: Path, capsys: Output
) -> None:
    with service() as address:
        pass
    assert audited(address, lock) == 0
    output = capsys.readouterr().out
    assert ": NOT DONE, the service" in output
    assert output.count("\n") == 1


@pytest.mark.parametrize("code", [403, 500])
def test_a_service_that_answers_with_an_error_fails(lock: Path, code: int) -> None:
    with service(code) as address:
        assert audited(address, lock) == 1


@pytest.mark.parametrize("text", ["", "fine==1.0.0\n", f"fine>=1.0.0 {HASH}\n"])
def test_a_lock_that_locks_nothing_fails(lock: Path, text: str) -> None:
    """One without packages, without digests, or without versions."""
    lock.write_text(text)
    with service() as address:
        assert audited(address, lock) == 1


def test_all_that_is_locked_is_looked_at() -> None:
    checkout = Path(__file__).parent.parent.parent
    assert {path.name for path in checkout.glob("*.lock")} == set(audit.LOCKS)

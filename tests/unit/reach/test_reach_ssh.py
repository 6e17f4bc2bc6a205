"""Sessions against a real sshd: what comes back, and which error stands for which trouble."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from worlds.sshd import TestServer, free_port, new_key

from rpool.advice import Do
from rpool.errors import CommandFailed, OutcomeUnknown, Refused, SpecError, TimedOut, Unreachable
from rpool.model.secret import Secret
from rpool.model.site import SiteConfig
from rpool.reach.keys import load_private_key
from rpool.reach.session_lock import HeldLock
from rpool.reach.ssh import Session, Sessions

OLD = {
    "Ciphers": "aes128-cbc,aes256-cbc,3des-cbc",
    "MACs": "hmac-md5,hmac-sha1,hmac-sha1-96,umac-64@openssh.com",
}


@pytest.mark.parametrize("option", OLD)
def test_a_server_that_has_nothing_but_old_ciphers_is_not_talked_to(
    make_server: Callable[..., TestServer], option: str
) -> None:
    ciphers = "" if option == "Ciphers" else "Ciphers aes128-ctr"
    server = make_server(f"{option} {OLD[option]}\n{ciphers}")
    with session(server.site()) as ssh, pytest.raises(Unreachable, match="its SSH is outdated"):
        ssh.run("true")


@pytest.mark.parametrize("cipher", ["aes128-ctr", "aes256-ctr", "aes256-gcm@openssh.com"])
@pytest.mark.parametrize("mac", ["hmac-sha2-256", "hmac-sha2-512-etm@openssh.com"])
def test_each_cipher_of_today_will_do(
    make_server: Callable[..., TestServer], cipher: str, mac: str
) -> None:
    server = make_server(f"Ciphers {cipher}\nMACs {mac}")
    with session(server.site()) as ssh:
        assert ssh.run("echo in").stdout == b"in\n"


@contextmanager
def session(site: SiteConfig) -> Iterator[Session]:
    with closing(Sessions(site.fleet, site.ssh)) as sessions:
        yield sessions.session("r1u04")


def changed(server: TestServer, **changes: object) -> SiteConfig:
    site = server.site()
    node = replace(server.node, **changes)  # type: ignore[arg-type]
    return replace(site, fleet=replace(site.fleet, servers={"r1u04": node}))


def test_a_command_gives_its_code_and_both_outputs_apart(server: TestServer) -> None:
    with session(server.site()) as ssh:
        done = ssh.run("cat; echo err >&2; id -u; exit 7", b"in\n")
    assert (done.code, done.stdout, done.stderr) == (7, b"in\n0\n", b"err\n")


def test_big_input_and_big_output_pass_unharmed(server: TestServer) -> None:
    data = os.urandom(3_000_000)
    with session(server.site()) as ssh:
        done = ssh.run("tee /dev/stderr", data)
    assert done.stdout == data
    assert done.stderr == data


@pytest.mark.parametrize("command", ["yes", "yes >&2", "yes & yes >&2", "yes | head -c 9000000"])
def test_a_server_that_prints_without_end_is_told_and_left(
    server: TestServer, command: str
) -> None:
    with session(server.site()) as ssh:
        started = time.monotonic()
        with pytest.raises(CommandFailed, match="r1u04 printed more than 8 MiB"):
            ssh.run(command, timeout_seconds=60)
        assert time.monotonic() - started < 20
        assert ssh.run("echo on").stdout == b"on\n"


def test_a_command_that_reads_nothing_of_big_input_still_ends(server: TestServer) -> None:
    with session(server.site()) as ssh:
        assert ssh.run("exit 3", b"x" * 5_000_000).code == 3


def test_many_commands_run_at_once_and_share_connections(server: TestServer) -> None:
    with session(server.site()) as ssh, ThreadPoolExecutor(24) as pool:
        started = time.monotonic()
        outputs = list(pool.map(lambda n: ssh.run(f"sleep 1; echo {n}").stdout, range(24)))
        seconds = time.monotonic() - started
    assert outputs == [f"{n}\n".encode() for n in range(24)]
    assert seconds < 8
    accepted = (server.root / "sshd.log").read_text().count("Accepted publickey")
    assert accepted == 3


def test_another_user_becomes_root_by_sudo_without_a_prompt(server: TestServer) -> None:
    server.marker("sudo", '[ "$1" = -n ] || exit 1; shift; [ "$1" = -- ] && shift; exec "$@"')
    with session(server.site(user="ops")) as ssh:
        assert ssh.run("echo 'it is' \"$0\"").stdout == b"it is sh\n"
    assert "sudo -n -- sh -c " in server.calls


def test_a_user_without_sudo_is_refused_with_what_to_do(server: TestServer) -> None:
    server.marker("sudo", "exit 1")
    with session(server.site(user="ops")) as ssh, pytest.raises(Refused, match="ops may not"):
        ssh.run("true")


def test_a_wrong_host_key_is_refused_with_both_fingerprints_until_the_right_one_is_put_in(
    server: TestServer, tmp_path: Path
) -> None:
    other = new_key(tmp_path / "other").with_suffix(".pub").read_text()
    with session(changed(server, host_key=other)) as ssh, pytest.raises(Refused) as caught:
        ssh.run("true")
    assert "r1u04" in caught.value.summary
    assert caught.value.detail.count("SHA256:") == 2
    assert Do.NEW_HOST_KEY.text(servers="r1u04") in caught.value.detail
    with session(server.site()) as ssh:
        assert ssh.run("true").code == 0


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_host_key_of_another_type_is_refused(
    server: TestServer, tmp_path: Path, kind: str
) -> None:
    other = new_key(tmp_path / "other", kind).with_suffix(".pub").read_text()
    with session(changed(server, host_key=other)) as ssh, pytest.raises(Refused, match="host key"):
        ssh.run("true")


def test_a_wrong_user_key_says_that_the_login_failed(server: TestServer, tmp_path: Path) -> None:
    wrong = new_key(tmp_path / "wrong").read_text()
    with session(server.site(key=wrong)) as ssh, pytest.raises(Unreachable) as caught:
        ssh.run("true")
    assert "rejects root with the given SSH key" in caught.value.summary
    assert not caught.value.retryable


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_keys_of_each_type_log_in(server: TestServer, tmp_path: Path, kind: str) -> None:
    key = new_key(tmp_path / "key", kind)
    with (server.root / "user_key.pub").open("a") as authorized:
        authorized.write(key.with_suffix(".pub").read_text())
    with session(server.site(key=key.read_text())) as ssh:
        assert ssh.run("echo in").stdout == b"in\n"


def test_nobody_listening_is_unreachable(server: TestServer) -> None:
    started = time.monotonic()
    with (
        session(changed(server, port=free_port())) as ssh,
        pytest.raises(Unreachable, match="Connection refused"),
    ):
        ssh.run("true")
    assert time.monotonic() - started < 4


def test_contact_lost_while_a_command_runs_is_an_unknown_outcome(server: TestServer) -> None:
    with session(server.site()) as ssh:
        threading.Timer(0.7, lambda: os.killpg(server.process.pid, signal.SIGKILL)).start()
        with pytest.raises(OutcomeUnknown, match="r1u04"):
            ssh.run("sleep 60")


def test_a_command_over_its_time_is_timed_out_and_the_session_goes_on(server: TestServer) -> None:
    with session(server.site()) as ssh:
        with pytest.raises(TimedOut):
            ssh.run("sleep 60", timeout_seconds=0.5)
        assert ssh.run("echo on").stdout == b"on\n"


def processes_below(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [process for child in map(int, children) for process in (child, *processes_below(child))]


def test_a_server_that_freezes_before_it_starts_a_command_is_not_waited_for(
    server: TestServer,
) -> None:
    class Freezing(Session):
        def _open(self):  # type: ignore[no-untyped-def]
            opened = Session._open(self)
            for pid in processes_below(server.process.pid):
                os.kill(pid, signal.SIGSTOP)
            return opened

    site = server.site()
    with closing(Freezing(server.node, site.ssh, load_private_key(site.ssh.private_key))) as ssh:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="r1u04"):
            ssh.run("true")
        assert time.monotonic() - started < site.ssh.connect_timeout_seconds + 5


class Breaking(paramiko.Channel):
    """A channel whose connection breaks at the very end."""

    def close(self) -> None:
        super().close()
        raise EOFError


class BreakingSession(Session):
    def _open(self):  # type: ignore[no-untyped-def]
        connection, channel = Session._open(self)
        channel.__class__ = Breaking
        return connection, channel


@contextmanager
def breaking_session(server: TestServer) -> Iterator[Session]:
    ssh = server.site().ssh
    with closing(BreakingSession(server.node, ssh, load_private_key(ssh.private_key))) as session:
        yield session


def test_a_connection_that_breaks_at_the_end_changes_no_result(server: TestServer) -> None:
    with breaking_session(server) as ssh:
        assert [ssh.run("echo on").stdout for _ in range(9)] == [b"on\n"] * 9
        assert (server.root / "sshd.log").read_text().count("Accepted publickey") == 1
        with pytest.raises(TimedOut):
            ssh.run("sleep 60", timeout_seconds=0.5)


def test_a_lock_is_left_without_an_error_also_when_its_connection_breaks(
    server: TestServer,
) -> None:
    with breaking_session(server) as ssh:
        with HeldLock(ssh, "0badcafe") as lock:
            assert not lock.lost()
        assert lock.lost()


def test_a_sudo_that_does_not_answer_is_no_refusal(server: TestServer) -> None:
    server.marker("sudo", "sleep 60")
    with session(server.site(user="ops")) as ssh, pytest.raises(Unreachable, match="sudo"):
        ssh.run("true")


def test_a_broken_connection_is_replaced_at_the_next_command(server: TestServer) -> None:
    with session(server.site()) as ssh:
        ssh.run("true")
        with pytest.raises(OutcomeUnknown):
            ssh.run("kill -9 $(awk '/^PPid/ { print $2 }' /proc/$PPID/status) $PPID")
        assert ssh.run("echo again").stdout == b"again\n"


def bad_keys(tmp_path: Path) -> dict[str, str]:
    good = new_key(tmp_path / "good").read_text()
    return {
        "has a passphrase": new_key(tmp_path / "locked", "ed25519", "-N", "sesame").read_text(),
        "cannot be read": good[:120] + good[160:],
    }


def test_a_key_that_cannot_be_used_is_a_mistake_told_without_the_key(
    tmp_path: Path, make_pem: Callable[[Path, str], str]
) -> None:
    keys = bad_keys(tmp_path) | {"cannot be read ": "not a key"}
    keys["has a passphrase "] = make_pem(tmp_path, "sesame")
    for what, text in keys.items():
        with pytest.raises(SpecError, match=what.strip()) as caught:
            load_private_key(Secret(text))
        assert caught.value.problems[0].path == ("ssh", "private_key")
        assert text[40:80] == "" or text[40:80] not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.fixture
def make_pem() -> Callable[[Path, str], str]:
    def make(folder: Path, passphrase: str) -> str:
        path = new_key(folder / "pem", "rsa", "-m", "PEM", "-N", passphrase)
        return path.read_text()

    return make


def test_a_pem_key_is_read(tmp_path: Path, make_pem: Callable[[Path, str], str]) -> None:
    assert load_private_key(Secret(make_pem(tmp_path, ""))).get_name() == "ssh-rsa"

"""A fence for real: what it waits for, and what it leaves. What a modelled server promises as well
is in `tests/contract`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from importlib.resources import files

import pytest
from worlds.samples import CLAIM, FOREIGN, NODE, OURS, changing
from worlds.sshd import TestServer

from reach.conftest import at_home, claim
from reach.test_reach_waiting import SERVER_LOCK, await_that, held, waiting_for
from rpool.errors import Overtaken, RpoolError, Unreachable
from rpool.model import action as act
from rpool.model.claim import FORMAT, Fence, Ownership, Phase
from rpool.reach.world import RealWorld

HERE = NODE.name
CLAIM_FILE = "/var/lib/rpool/claim"
NUMBER = f"/run/rpool/session-{OURS.uid}.number"
LATER = Fence(OURS.uid, OURS.session + 1)
JOIN = next(a for a in changing() if isinstance(a, act.Join) and not a.control_plane)
KUBEADM = """[ $1 = join ] || exit 0
while [ ! -e {root}/go ]; do sleep 0.05; done
mkdir -p /etc/kubernetes; touch /etc/kubernetes/kubelet.conf
"""


@pytest.fixture
def impatient(server: TestServer) -> Iterator[RealWorld]:
    with closing(RealWorld(server.site(), fence_seconds=1.0)) as world:
        yield world


def journal(session: int) -> act.AppendJournal:
    return act.AppendJournal(HERE, replace(OURS, session=session), (str(session),))


def test_a_fence_waits_for_what_works_there_and_sees_what_it_did(
    world: RealWorld, server: TestServer
) -> None:
    """A join whose operator died goes on: the fence sees its result, and it makes nothing later."""
    claim(world)
    server.marker("kubeadm", KUBEADM.format(root=server.root))
    with ThreadPoolExecutor(2) as threads:
        joining = threads.submit(world.carry_out, at_home(server, JOIN), 60)
        await_that(lambda: "kubeadm join" in server.calls)
        probed = threads.submit(world.probe, HERE, LATER)
        await_that(lambda: waiting_for(server.path(SERVER_LOCK).stat().st_ino))
        assert not world.probe(HERE).joined  # a look that waits for nothing
        working = world.working(HERE)
        assert working is not None
        assert working.doing == JOIN.doing
        assert 0 <= working.seconds < 60
        world.carry_out(act.SetPhase(HERE, OURS, Phase.MEMBER), 60)  # nor does it hinder this
        (server.root / "go").touch()
        assert probed.result().joined
        joining.result()
    assert world.working(HERE) is None
    with pytest.raises(Overtaken, match=f"a later operation has worked on {HERE}") as caught:
        world.carry_out(at_home(server, JOIN), 60)
    assert "session 8 of this cluster has been here, and this is session 7" in caught.value.detail


def test_a_fence_that_is_not_had_in_time_says_nothing_and_leaves_nothing(
    impatient: RealWorld, server: TestServer
) -> None:
    claim(impatient)
    with held(server.path(SERVER_LOCK)), pytest.raises(Unreachable, match=f"{HERE} is busy"):
        impatient.probe(HERE, LATER)
    impatient.carry_out(journal(OURS.session), 60)


@pytest.mark.parametrize(
    ("text", "doing"),
    [("", ""), ("x\n", ""), ("999999999 resetting\n", "resetting"), ("0 \033[2Jx\ny\n", "?[2Jx")],
)
def test_what_works_there_is_told_whatever_it_says_of_itself(
    world: RealWorld, server: TestServer, text: str, doing: str
) -> None:
    """It may be an earlier rpool's."""
    with held(server.path(SERVER_LOCK)):
        server.path(SERVER_LOCK).write_text(text)
        working = world.working(HERE)
    assert working is not None
    assert (working.doing, working.seconds >= 0) == (doing, True)
    assert world.working(HERE) is None


def test_the_work_of_another_cluster_is_not_waited_for(
    impatient: RealWorld, server: TestServer
) -> None:
    claim(impatient, FOREIGN)
    with held(server.path(SERVER_LOCK)):
        assert impatient.probe(HERE, LATER).claim == FOREIGN
    assert server.path(NUMBER).read_text() == f"{LATER.session}\n"


def test_a_fence_leaves_a_spare_nothing_but_its_number(
    world: RealWorld, server: TestServer
) -> None:
    before = server.snapshot()
    assert world.probe(HERE, LATER).is_spare
    assert server.snapshot() == before
    assert [path.name for path in server.path("/run/rpool").iterdir()] == [
        f"session-{OURS.uid}.number"
    ]
    assert server.calls == ""


def test_of_many_sessions_at_once_the_latest_one_s_number_stays(
    world: RealWorld, server: TestServer
) -> None:
    """Whatever they do, and some do it together."""
    claim(world)
    sessions = [11, 19, 12, 18, 13, 17, 14, 16, 15, 20, 10]

    def act_in(session: int) -> RpoolError | None:
        ours = replace(OURS, session=session)
        try:
            if session % 3 == 0:
                world.probe(HERE, Fence(OURS.uid, session))
            elif session % 3 == 1:
                world.carry_out(act.Uncordon(HERE, ours, HERE), 60)
            else:
                world.carry_out(journal(session), 60)
        except Overtaken as error:
            return error
        return None

    with ThreadPoolExecutor(len(sessions)) as threads:
        errors = dict(zip(sessions, threads.map(act_in, sessions), strict=True))
    assert errors[20] is None
    assert server.path(NUMBER).read_text() == "20\n"
    assert not list(server.path("/run/rpool").glob(".new.*"))


@pytest.mark.parametrize("text", ["", "x\n", "12 34\n", "-1\n", "1" * 10, "\0"])
def test_a_number_that_makes_no_sense_is_none(
    world: RealWorld, server: TestServer, text: str
) -> None:
    claim(world, replace(CLAIM, session=0))
    server.path(NUMBER).write_text(text)
    with world.lock(HERE, OURS.uid) as lock:
        assert lock.number == 0
    world.carry_out(journal(3), 60)
    assert server.path(NUMBER).read_text() == "3\n"


# -- the claim's text ----------------------------------------------------------------------


def test_a_claim_has_one_key_a_line_and_its_format_first(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    lines = server.path(CLAIM_FILE).read_text().splitlines()
    assert lines[1] == ' "format": 1,'
    assert len(lines) == len(CLAIM.as_dict()) + 2


def test_the_guard_knows_the_format_that_is_written() -> None:
    guard = files("rpool.reach").joinpath("scripts", "guard.sh").read_text()
    assert re.findall(r"^CLAIM_FORMAT=(\d+)", guard, re.MULTILINE) == [str(FORMAT)]


def test_what_a_newer_rpool_has_put_into_a_claim_outlives_a_phase(
    world: RealWorld, server: TestServer
) -> None:
    coming = {
        "trust": {"server": "r9u99", "uid": "x", "session": 12, "format": 2, "phase": "member"},
        "quarantine": 'since 2027: "phase": "member", it\'s',
    }
    stored = CLAIM.as_dict() | coming
    server.path(CLAIM_FILE).parent.mkdir()
    server.path(CLAIM_FILE).write_text(json.dumps(stored, indent=1))
    assert world.probe(HERE).claim == CLAIM
    for phase in Phase:
        world.carry_out(act.SetPhase(HERE, OURS, phase), 60)
        assert json.loads(server.path(CLAIM_FILE).read_text()) == stored | {"phase": phase.value}


def test_a_session_of_nine_digits_goes_all_the_way(world: RealWorld, server: TestServer) -> None:
    last = Ownership(OURS.uid, OURS.epoch, 999_999_999)
    claim(world, replace(CLAIM, session=last.session))
    world.carry_out(act.AppendJournal(HERE, last, ("{}",)), 60)
    with world.lock(HERE, OURS.uid) as lock:
        assert lock.number == last.session
    with pytest.raises(Overtaken):
        world.carry_out(journal(last.session - 1), 60)

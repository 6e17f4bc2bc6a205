"""Servers that come back after their cluster has let them go are shown, not offered, and wiped."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from following import Desk, follows, read, with_cluster
from worlds.stage import FOREIGN, SPEC, Stage

from rpool.advice import Do
from rpool.api import Attempt
from rpool.certificates import ca_pin, new_ca
from rpool.errors import Refused, RpoolError, SpecError
from rpool.model.claim import Claim
from rpool.model.server import Role
from rpool.simulate.machine import Cluster

WORKER_OF_NOBODY = "0badcafe0badcafe"


def let_go(desk: Desk, role: Role = Role.WORKER) -> str:
    """A member that died and was replaced, and is back with what it had. Its kubelet is off."""
    dead = [name for name, member in sorted(desk.view().servers.items()) if member.role is role][-1]
    desk.stage.machine(dead).lose_power(400)
    desk.succeeds()
    desk.stage.machine(dead).powered = True
    return dead


def two_silent(desk: Desk) -> list[str]:
    """A worker and a control plane that were replaced, and are still off."""
    silent: list[str] = []
    for role in (Role.WORKER, Role.CONTROL_PLANE):
        silent.append(let_go(desk, role))
        desk.power(*silent, on=False)
    return silent


@pytest.mark.parametrize("role", [Role.WORKER, Role.CONTROL_PLANE])
def test_one_that_registers_nothing_is_found_by_its_claim_and_wiped(role: Role) -> None:
    desk = with_cluster()
    back = let_go(desk, role)
    warnings = desk.apply()
    assert f"{back} was removed when it was lost, and came back with its old data" in warnings
    assert desk.stage.machine(back).claim is None
    desk.is_whole()


def test_one_that_is_back_is_no_offer() -> None:
    desk = with_cluster()
    back = let_go(desk)
    desk.write(replace(SPEC, cores=24, memory_gib=48))
    assert desk.state.apply(desk.wanted, threading.Event()).errors == []
    assert back not in desk.view().servers
    assert desk.stage.machine(back).claim is None


@pytest.mark.parametrize("mark", ["retire", "lost", "reserved"])
def test_one_that_nobody_would_pick_is_found_and_wiped(mark: str) -> None:
    """No offer probes it, and this state never had it: the record says that it was let go."""
    first = with_cluster()
    back = let_go(first)
    first.mark(back, **{mark: True})
    desk = Desk(first.stage)
    desk.imports(first.view().uid)
    desk.apply()
    assert desk.stage.machine(back).claim is None


def test_one_that_the_plan_has_missed_is_wiped_by_its_apply() -> None:
    """It may have been slow to answer. Another one that is back gives the apply a reason."""
    desk = with_cluster()
    first, second = two_silent(desk)
    desk.power(first, on=True)
    machine = desk.stage.machine(second)

    def planned() -> None:
        machine.powered = True  # nothing of it registers

    assert desk.state.apply(desk.wanted, threading.Event(), planned).errors == []
    assert [desk.stage.machine(name).claim for name in (first, second)] == [None, None]
    desk.is_whole()


def test_one_that_is_back_is_destroyed_with_its_cluster() -> None:
    desk = with_cluster()
    let_go(desk)
    desk.gives_back()


@follows(Do.RELEASE)
def test_a_destroy_tells_of_one_that_was_let_go_and_is_still_silent() -> None:
    desk = with_cluster()
    dead, uid = let_go(desk), desk.view().uid
    desk.power(dead, on=False)
    desk.write()
    read(Do.RELEASE, desk.apply(), server=dead, uid=uid)
    desk.power(dead, on=True)
    release(desk, dead, uid)
    assert desk.stage.claimed() == set()


def test_the_record_forgets_who_was_let_go_once_it_is_wiped_or_another_clusters() -> None:
    desk = with_cluster()
    wiped, taken = two_silent(desk)
    record = desk.stage.cluster(desk.view()).record
    assert record is not None
    assert record.let_go == {wiped, taken}
    desk.stage.machine(taken).claim = FOREIGN
    desk.power(wiped, taken, on=True)
    desk.succeeds()
    record = desk.stage.cluster(desk.view()).record
    assert record is not None
    assert record.let_go == frozenset()
    assert desk.stage.machine(wiped).claim is None
    assert desk.stage.machine(taken).claim == FOREIGN


def test_one_that_was_wiped_by_hand_is_a_spare_once_its_node_is_gone() -> None:
    desk = with_cluster()
    back = let_go(desk)
    machine = desk.stage.machine(back)
    machine.start_kubelet()  # it has registered its Node
    machine.reset()
    desk.write(replace(SPEC, cores=8 * 8, memory_gib=8 * 16))  # as much as there is
    desk.state.apply(desk.wanted, threading.Event())
    assert back not in desk.stage.cluster(desk.view()).nodes or back in desk.view().servers
    desk.write(SPEC)
    desk.is_whole()
    desk.write(replace(SPEC, cores=24, memory_gib=48))
    desk.is_whole()


def release(desk: Desk, server: str, uid: str) -> Claim:
    desk.stage.open()
    return desk.stage.site.release(server, uid, Attempt(timeout_seconds=60))


def abandoned(desk: Desk) -> tuple[str, str]:
    """A worker of a cluster that was destroyed while it was silent, and its uid."""
    dead, uid = desk.workers()[-1], desk.view().uid
    desk.power(dead, on=False)
    desk.state.clusters["batch"].values["destroy"] = {"on_unreachable": "abandon"}
    desk.write()
    return dead, uid


@follows(Do.RELEASE)
def test_what_a_destroy_has_abandoned_is_released() -> None:
    desk = with_cluster()
    dead, uid = abandoned(desk)
    run = desk.state.apply(desk.wanted, threading.Event())
    assert run.errors == []
    read(Do.RELEASE, "\n".join(run.warnings), server=dead, uid=uid)
    assert desk.state.clusters == {}
    assert desk.stage.claimed() == {dead}
    desk.power(dead, on=True)
    assert release(desk, dead, uid).pool == "batch"
    assert desk.stage.claimed() == set()
    assert desk.stage.machine(dead).traces == ()


def test_nothing_is_abandoned_where_no_server_answers() -> None:
    """Most likely the operator's own network is down."""
    desk = with_cluster()
    abandoned(desk)
    desk.power(*desk.view().servers, on=False)
    assert "cannot be reached" in desk.refused()
    assert len(desk.view().servers) == 5


def test_a_destroy_keeps_what_it_was_not_told_to_abandon() -> None:
    desk = with_cluster()
    dead = desk.workers()[-1]
    desk.power(dead, on=False)
    desk.write()
    assert "cannot be reached" in desk.refused()
    assert list(desk.view().servers) == [dead]


def test_a_member_of_a_living_cluster_is_not_released() -> None:
    desk = with_cluster()
    view = desk.view()
    for server in view.servers:
        with pytest.raises(Refused, match=f"{server} is a member of cluster batch .*is alive"):
            release(desk, server, view.uid)
    assert desk.stage.acted == []


@follows(Do.LET_GO, 0)
def test_a_member_of_a_living_cluster_is_let_go_by_an_apply() -> None:
    desk = with_cluster()
    (server, *_) = desk.workers()
    with pytest.raises(Refused) as caught:
        release(desk, server, desk.view().uid)
    read(Do.LET_GO, caught.value, uid=desk.view().uid)
    desk.mark(server, retire=True)
    desk.is_whole()
    assert server not in desk.view().servers


def test_a_member_of_a_cluster_whose_api_is_silent_is_not_released() -> None:
    desk = with_cluster()
    view = desk.view()
    desk.power(*view.control_planes, on=False)
    worker = desk.workers()[0]
    with pytest.raises(Refused, match="which may be alive"):
        release(desk, worker, view.uid)
    desk.mark(*view.control_planes, lost=True)
    release(desk, worker, view.uid)
    assert desk.stage.machine(worker).claim is None


@pytest.mark.parametrize(
    ("claim", "says"), [(None, "has no claim"), (FOREIGN, "is claimed by cluster other")]
)
def test_only_what_was_named_is_released(claim: Claim | None, says: str) -> None:
    desk = with_cluster()
    spare = next(iter(desk.stage.world.machines.keys() - desk.view().servers.keys()))
    desk.stage.machine(spare).claim = claim
    with pytest.raises(Refused, match=says):
        release(desk, spare, WORKER_OF_NOBODY)
    assert desk.stage.machine(spare).claim == claim
    with pytest.raises(SpecError, match="the fleet has no server r9u99"):
        release(desk, "r9u99", WORKER_OF_NOBODY)


def test_the_command_reads_a_site_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rpool.cli.main import main

    (tmp_path / "site.yaml").write_text("simulate: { servers: 3 }\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert main(["release", "r1u01", "--claim", WORKER_OF_NOBODY]) == 1
    assert "r1u01 has no claim" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("a: [", "is not valid YAML"),
        ("- a", "is not a mapping"),
        ("fleet: {}\nssh: { private_key_file: key }\n", "key cannot be read"),
        ("flet: {}\n", "flet"),
    ],
)
def test_a_site_file_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, says: str
) -> None:
    from rpool.cli.main import main

    path = tmp_path / "site.yaml"
    if text is not None:
        path.write_text(text)
    assert main(["release", "r1u01", "--claim", "0badcafe", "--site", str(path)]) == 1
    assert says in capsys.readouterr().err


def test_a_key_of_the_site_file_is_found_beside_it(tmp_path: Path) -> None:
    from protocol.site_config import PRIVATE_KEY, host_key

    from rpool.cli.site_file import site_of

    (tmp_path / "key").write_text(PRIVATE_KEY)
    server = {"address": "10.0.0.1", "cores": 4, "memory": 8, "zone": "a", "host_key": host_key(1)}
    path = tmp_path / "site.yaml"
    path.write_text(f"fleet: {{ r1u01: {server} }}\nssh: {{ private_key_file: key }}\n")
    try:
        assert site_of(path).config.ssh.private_key.reveal() == PRIVATE_KEY
    except RpoolError as error:
        raise AssertionError(error) from error


def test_a_survey_tells_who_was_let_go_by_a_cluster_that_lives() -> None:
    desk = with_cluster()
    back = let_go(desk)
    desk.stage.open()
    surveyed = desk.stage.site.survey().servers
    assert {name for name, server in surveyed.items() if server.let_go} == {back}
    assert "and came back with its old data" in (surveyed[back].why_no_spare or "")


def test_a_survey_says_how_what_was_abandoned_is_given_back() -> None:
    desk = with_cluster()
    dead, uid = abandoned(desk)
    desk.state.apply(desk.wanted, threading.Event())
    desk.power(dead, on=True)
    desk.stage.open()
    surveyed = desk.stage.site.survey().servers
    assert {name for name, server in surveyed.items() if server.let_go} == {dead}
    assert f"rpool release {dead} --claim {uid}" in (surveyed[dead].why_no_spare or "")


def test_a_survey_says_of_no_member_that_it_was_let_go_even_if_its_cluster_is_silent() -> None:
    desk = with_cluster()
    desk.power(*desk.view().control_planes[:2], on=False)
    desk.stage.open()
    assert not any(server.let_go for server in desk.stage.site.survey().servers.values())


def test_a_survey_believes_no_server_that_only_says_it_is_a_control_plane() -> None:
    """Its record lets all the others go: a survey that believed it would have them wiped."""
    desk = Desk(Stage(12))
    impostor = "r1u00"  # is asked first
    desk.mark(impostor, reserved=True)
    desk.succeeds()
    cluster = desk.stage.cluster(desk.view())
    machine = desk.stage.machine(impostor)
    claim = desk.stage.machine(desk.view().control_planes[0]).claim
    assert cluster.record is not None
    assert claim is not None
    forged = Cluster(new_ca(), cluster.version, record=replace(cluster.record, members={}))
    machine.become(forged, Role.CONTROL_PLANE)
    for pin in (claim.ca_pin, ca_pin(forged.ca)):
        machine.claim = replace(claim, server=impostor, machine_id="", ca_pin=pin)
        desk.stage.open()
        surveyed = desk.stage.site.survey().servers
        assert (
            not {n for n, server in surveyed.items() if server.let_go} & desk.view().servers.keys()
        )


@pytest.mark.parametrize("silent", [1, 2])
def test_whom_a_destroy_has_missed_is_a_cluster_again_or_is_replaced(silent: int) -> None:
    """By their claims they are members. Of three control planes one has no API any more, and two
    have.
    """
    desk = with_cluster()
    uid, missed = desk.view().uid, desk.view().control_planes[:silent]
    desk.power(*missed, on=False)
    desk.write()
    assert "cannot be reached" in desk.refused()
    assert sorted(desk.view().servers) == sorted(missed)
    desk.power(*missed, on=True)
    desk.write(SPEC)
    desk.is_whole()
    assert (desk.view().uid == uid) == (silent == 2)
    desk.gives_back()


@pytest.mark.parametrize("then", ["destroyed", "replaced"])
def test_what_a_destroy_has_left_may_serve_by_now(then: str) -> None:
    """The others had left etcd before, so the one that was missed is a majority by itself."""
    desk = with_cluster()
    uid, missed = desk.view().uid, desk.view().control_planes[0]
    etcd = desk.stage.cluster(desk.view()).members
    for other in etcd.keys() - {missed}:
        del etcd[other]
    desk.power(missed, on=False)
    desk.write()
    assert "cannot be reached" in desk.refused()
    desk.power(missed, on=True)
    if then == "replaced":
        desk.write(SPEC)
        desk.is_whole()
        assert desk.view().uid != uid
    desk.gives_back()

"""Why a cluster has its servers: the explanation of one is what a plan would do without it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.folder import SPEC, made_in
from worlds.samples import RECORD

from rpool.cli.main import main
from rpool.decide.explain import Explanation, explain
from rpool.decide.placement import candidates, place
from rpool.decide.rules import placed
from rpool.decide.target import Current, Offer, Size, target
from rpool.model.generated_fleet import generated
from rpool.model.pool import DEFAULT_GROUP, Group, NodeSpec, PoolSpec, Selector, Tolerance
from rpool.model.record import Member, Record
from rpool.model.server import Fleet, Role, Server
from rpool.simulate import FILE_NAME

FLEET = generated(24)
UID = "0badcafe"


def made(spec: PoolSpec, fleet: Fleet = FLEET) -> Record:
    """The record of a cluster that has just been placed."""
    roles = place(spec, candidates(fleet, spec), {}, spec.name).roles
    assert roles
    members = {name: Member.of(fleet.servers[name], role) for name, role in roles.items()}
    return replace(RECORD, uid=UID, settled=spec, wanted=None, members=members)


def explained(record: Record, fleet: Fleet = FLEET, **unusable: str) -> Explanation:
    return explain(record, fleet, {name: unusable.get(name) for name in fleet.servers})


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, tolerate=Tolerance(zones=1), cores=64),
        replace(SPEC, control_plane=replace(SPEC.control_plane, servers=3), cores=100),
        replace(SPEC, selector=Selector(labels={"disk": "nvme"})),
    ],
)
def test_a_runner_up_is_what_a_plan_takes_once_the_member_is_lost(spec: PoolSpec) -> None:
    record = made(spec)
    roles = {name: member.role for name, member in record.members.items()}
    current = Current(UID, Size.of(spec), roles)
    offer = Offer(verified=frozenset(FLEET.servers))
    choices = explained(record).choices
    assert {choice.server.name for choice in choices} == roles.keys()
    for choice in choices:
        lost = replace(choice.server, lost=True)
        fleet = Fleet({**FLEET.servers, lost.name: lost})
        planned = target(spec, current, fleet, offer)
        assert planned.joining == set(choice.instead)
        assert choice.waste_instead is not None
        assert choice.waste <= choice.waste_instead


def test_a_member_that_a_better_server_could_replace_says_so_and_that_it_stays() -> None:
    spec = replace(SPEC, cores=16, memory_gib=64, tolerate=Tolerance())
    big = FLEET.servers["r1u04"]
    members = {
        "r1u01": Member.of(FLEET.servers["r1u01"], Role.CONTROL_PLANE),
        big.name: Member.of(big, Role.WORKER),
    }
    record = replace(made(spec), members=members)
    (_, worker) = explained(record).choices
    assert worker.server == big
    (other,) = worker.instead
    assert f"{other} is free and would now be a better choice (less waste)" in worker.why
    assert "never moves" in worker.why


def test_a_member_without_which_the_request_holds_has_no_runner_up() -> None:
    lower = replace(made(SPEC), settled=replace(SPEC, tolerate=Tolerance()))
    workers = [choice for choice in explained(lower).choices if choice.role is Role.WORKER]
    assert {choice.instead for choice in workers} == {()}
    assert "fits without it" in workers[0].why


def test_the_last_server_that_fits_says_that_nothing_could_take_its_place() -> None:
    spec = replace(SPEC, cores=1, memory_gib=1, tolerate=Tolerance())
    two = Fleet({name: FLEET.servers[name] for name in ("r1u01", "r1u02")})
    choices = explained(made(spec, two), two).choices
    assert {choice.why for choice in choices} == {"no free server could take its place"}


def test_every_other_server_is_free_for_it_or_says_why_it_cannot_be_had() -> None:
    spec = replace(SPEC, selector=Selector(frozenset({"rack1", "rack2"})), trust="a")
    servers = {name: replace(server, trust="a") for name, server in generated(30).servers.items()}
    marks: dict[str, dict[str, object]] = {
        "r1u08": {"reserved": True},
        "r1u09": {"retire": True},
        "r1u10": {"lost": True},
        "r2u08": {"trust": ""},
    }
    servers |= {n: replace(servers[n], **mark) for n, mark in marks.items()}  # type: ignore[arg-type]
    fleet = Fleet(servers)
    record = made(spec, fleet)
    explanation = explained(record, fleet, r2u09="claimed by cluster web")
    assert explanation.refused["r1u08"].startswith("reserved")
    assert (explanation.refused["r1u09"], explanation.refused["r1u10"]) == (
        "marked retire",
        "marked lost",
    )
    assert explanation.refused["r2u08"] == "in the common domain, and the cluster is in domain a"
    assert explanation.refused["r2u09"] == "claimed by cluster web"
    assert explanation.refused["r3u09"] == "in zone rack3; the selector takes rack1, rack2"
    free = {server.name for server in explanation.free}
    assert free | explanation.refused.keys() | record.members.keys() == fleet.servers.keys()
    assert not free & (explanation.refused.keys() | record.members.keys())


def test_labels_and_zones_are_what_tells_servers_of_one_size_apart() -> None:
    spec = replace(SPEC, cores=8, memory_gib=16, tolerate=Tolerance())
    control_plane = Server("head", "10.9.0.1", 2, 4, "rack1", "")
    plain = Server("plain", "10.9.0.2", 8, 16, "rack1", "")
    gpu = Server("gpu", "10.9.0.3", 8, 16, "rack1", "", labels={"gpu": "h100"})
    fleet = Fleet({server.name: server for server in (control_plane, plain, gpu)})
    (_, worker) = explained(made(spec, fleet), fleet).choices
    assert (worker.server, worker.instead) == (plain, ("gpu",))
    assert worker.why == "fewer labels that were not asked for"


def test_each_group_is_explained_among_the_servers_that_its_selector_takes() -> None:
    nvme = Group(64, 256, selector=Selector(labels={"disk": "nvme"}))
    spec = replace(SPEC, groups={"fast": nvme})
    placement = placed(spec, FLEET, {}, {})
    members = {
        name: Member.of(FLEET.servers[name], role, placement.groups.get(name, DEFAULT_GROUP))
        for name, role in placement.roles.items()
    }
    record = replace(RECORD, uid=UID, settled=spec, wanted=None, members=members)
    explanation = explained(record)
    assert [(sizing.group, sizing.beyond_cores) for sizing in explanation.sizings] == [
        ("default", 0),
        ("fast", 0),
    ]
    roles = {name: member.role for name, member in members.items()}
    groups = {name: member.group for name, member in members.items() if member.group == "fast"}
    sizes = {"fast": Size.of(spec.part("fast"))}
    current = Current(UID, Size.of(spec), roles, groups=groups, sizes=sizes)
    for choice in explanation.choices:
        fleet = Fleet({**FLEET.servers, choice.server.name: replace(choice.server, lost=True)})
        planned = target(spec, current, fleet, Offer(verified=frozenset(FLEET.servers)))
        assert planned.joining == set(choice.instead), choice.server.name


def test_who_was_put_in_by_hand_is_told_apart() -> None:
    record = made(SPEC)
    gpu = Member.of(FLEET.servers["r2u08"], Role.WORKER)
    pinned = {"r2u08": NodeSpec()}
    record = replace(record, members={**record.members, "r2u08": gpu}, pinned=pinned)
    whys = {choice.server.name: choice.why for choice in explained(record).choices}
    assert whys["r2u08"] == "an rpool_node names it"


def test_the_command_explains_a_cluster_of_the_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    view = made_in(tmp_path, r2u04={"reserved": True})
    site = ["--site", str(tmp_path / "site.yaml")]
    assert main(["explain", "batch", *site]) == 0
    output = capsys.readouterr().out
    assert f"Cluster batch ({view.uid}) requests 1 control plane, and workers:" in output
    assert "32 cores, 128 GiB, also after the loss of any 1 of them" in output
    assert "reserved: only an rpool_node takes it" in output
    assert main(["explain", view.uid, "--json", *site]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["servers"].keys() == view.servers.keys()
    assert document["refused"].keys() == {"r2u04"}


def test_a_cluster_that_is_not_there_or_does_not_answer_is_an_error_that_says_what_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    view = made_in(tmp_path)
    site = ["--site", str(tmp_path / "site.yaml")]
    assert main(["explain", "web", *site]) == 1
    assert f"batch ({view.uid})" in capsys.readouterr().err
    (control_plane,) = view.control_planes
    assert main(["simulate", "lose", control_plane, "--file", str(tmp_path / FILE_NAME)]) == 0
    assert main(["explain", "batch", *site]) == 1
    assert "no control plane of cluster batch" in capsys.readouterr().err

"""`rpool show`: every server of the site in its zone, and what pods request of the cluster's."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.fault import Fault, ReadRequests
from worlds.folder import SPEC, made_in
from worlds.stage import Stage, made

from rpool.cli.main import main
from rpool.cli.picture import Slot, as_svg, as_text, slots
from rpool.cli.show import _requested
from rpool.errors import CommandFailed
from rpool.model.pool import Group, Selector
from rpool.model.seen import Requested
from rpool.model.server import Role
from rpool.model.view import PoolView
from rpool.simulate import FILE_NAME

Output = pytest.CaptureFixture[str]
SVG = "{http://www.w3.org/2000/svg}"


def slots_of(
    stage: Stage, view: PoolView, requested: dict[str, Requested] | None
) -> dict[str, Slot]:
    survey = stage.site.survey()
    return {slot.name: slot for slot in slots(survey, survey.cluster(view.uid), requested)}


def test_each_server_is_in_its_zone_and_told_apart(tmp_path: Path, capsys: Output) -> None:
    view = made_in(tmp_path, r2u02={"reserved": True})
    lost = next(name for name, member in view.servers.items() if member.role is Role.WORKER)
    assert main(["simulate", "lose", lost, "--file", str(tmp_path / FILE_NAME)]) == 0
    capsys.readouterr()
    site = ["--site", str(tmp_path / "site.yaml")]
    assert main(["show", "batch", *site]) == 0
    first, second, _, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"Cluster batch ({view.uid}): settled, Kubernetes 1.36.3, API ")
    assert second == "48 cores, 192 GiB (wanted: 32 cores, 128 GiB)"
    zone, rows = "", {}
    for line in lines:
        zone = zone if line.startswith(" ") else line
        if line.startswith(" "):
            rows[line.split()[0]] = (zone, " ".join(line.split()[5:]))
    assert len(rows) == 12
    for name, member in view.servers.items():
        state = "unreachable: " if name == lost else "member"
        assert rows[name][0] == member.zone
        assert rows[name][1].startswith(f"{member.role.value} {state}")
    assert rows["r2u02"] == ("rack2", "spare spare, reserved")


def test_json_has_the_same_facts(tmp_path: Path, capsys: Output) -> None:
    fast = Group(32, 128, selector=Selector(labels={"disk": "nvme"}))
    view = made_in(tmp_path, replace(SPEC, groups={"fast": fast}))
    assert main(["show", "batch", "--json", "--site", str(tmp_path / "site.yaml")]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["id"], facts["condition"]) == (view.uid, "settled")
    kinds = {slot["name"]: slot["kind"] for slot in facts["slots"]}
    groups = {slot["name"]: slot["group"] for slot in facts["slots"] if slot["group"]}
    assert groups == {n: m.group for n, m in view.servers.items() if m.role is Role.WORKER}
    assert set(groups.values()) == {"default", "fast"}
    assert {n: k for n, k in kinds.items() if k != "spare"} == {
        name: member.role.value for name, member in view.servers.items()
    }


def test_a_worker_of_a_further_group_is_told_apart(tmp_path: Path, capsys: Output) -> None:
    fast = Group(32, 128, selector=Selector(labels={"disk": "nvme"}))
    view = made_in(tmp_path, replace(SPEC, groups={"fast": fast}))
    command = ["show", "batch", "--site", str(tmp_path / "site.yaml")]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "80 cores, 320 GiB (wanted: 64 cores, 256 GiB)"
    of_fast = {name for name, member in view.servers.items() if member.group == "fast"}
    assert of_fast == {line.split()[0] for line in lines if "  worker (fast)  member" in line}
    assert len({line.index("member") for line in lines if "  member" in line}) == 1
    assert main([*command, "--svg"]) == 0
    picture = ET.fromstring(capsys.readouterr().out)  # noqa: S314 ours
    boxes = [[text.text for text in box.iter(f"{SVG}text")] for box in picture.iter(f"{SVG}g")]
    assert of_fast == {box[0] for box in boxes if "group fast" in box}


def test_what_pods_request_is_a_share_of_what_the_node_offers() -> None:
    stage, view = made()
    (worker, other) = [n for n, member in view.servers.items() if member.role is Role.WORKER][:2]
    by_server = slots_of(stage, view, {worker: Requested(cores=2.0, memory_gib=7.84, pods=3)})
    assert (by_server[worker].cores_used, by_server[worker].memory_used) == (0.25, 0.5)
    assert (by_server[other].cores_used, by_server[other].memory_used) == (0.0, 0.0)
    line = next(line for line in as_text(by_server.values()) if worker in line)
    assert "[##........]  25 % [#####.....]  50 %" in line
    assert slots_of(stage, view, None)[worker].cores_used is None


def test_a_cluster_whose_pods_nobody_tells_of_is_shown_without(capsys: Output) -> None:
    stage, view = made()
    cluster = stage.site.survey().cluster(view.uid)
    with stage.faults(Fault(ReadRequests, CommandFailed("the API is slow"))):
        assert _requested(stage.site, cluster) is None
    assert "What pods request is not known: the API is slow" in capsys.readouterr().err
    assert _requested(stage.site, replace(cluster, through="")) is None


def test_a_member_that_is_not_ready_is_marked() -> None:
    stage, view = made()
    worker = next(n for n, member in view.servers.items() if member.role is Role.WORKER)
    stage.machine(worker).sick = "kubelet"
    by_server = slots_of(stage, view, None)
    assert [name for name, slot in by_server.items() if slot.is_bad] == [worker]
    assert by_server[worker].state == "member, NotReady"


def test_the_svg_is_xml_has_a_box_for_each_server_and_both_colour_schemes(
    tmp_path: Path, capsys: Output
) -> None:
    view = made_in(tmp_path)
    assert main(["show", "batch", "--svg", "--site", str(tmp_path / "site.yaml")]) == 0
    text = capsys.readouterr().out
    boxes = [box for box in ET.fromstring(text).iter(f"{SVG}rect") if "box" in box.get("class", "")]  # noqa: S314 ours
    classes = [box.get("class", "").split()[1] for box in boxes]
    assert len(boxes) == 12
    assert classes.count("worker") == sum(m.role is Role.WORKER for m in view.servers.values())
    assert classes.count("control_plane") == len(view.control_planes)
    assert "prefers-color-scheme: dark" in text
    assert "var(" not in text, "many programs that show SVG know no variables"


def test_no_text_of_the_svg_leaves_its_box() -> None:
    long = Slot(
        "storage-07.rack12.ams", "a", 128, 2048, "worker", "unreachable: " + "so long, " * 9
    )
    marked = replace(long, is_bad=True, cores_used=0.4, memory_used=0.5)
    picture = ET.fromstring("".join(as_svg(["t"], [long, marked])))  # noqa: S314 ours
    texts = [element.text or "" for element in picture.iter(f"{SVG}text")]
    words = [text for text in texts if "so long" in text]
    assert len(words) == 4
    assert max(map(len, words)) <= 30
    assert [text[-1] for text in words[1::2]] == ["…", "…"]
    assert texts.count("storage-07.rac…") == 2


def test_the_svg_tells_what_its_colours_mean_of_those_that_it_has() -> None:
    slot = Slot("r1u01", "a", 4, 16, "worker", "member", cores_used=0.4, memory_used=0.5)
    picture = ET.fromstring("".join(as_svg(["t"], [slot, replace(slot, kind="spare")])))  # noqa: S314 ours
    keys = [
        rect.get("class") for rect in picture.iter(f"{SVG}rect") if "key" in rect.get("class", "")
    ]
    assert keys == ["key worker", "key spare"]


def test_states_are_below_each_other_also_of_servers_without_bars() -> None:
    slot = Slot("r1u01", "a", 4, 16, "worker", "joining", cores_used=0.4, memory_used=0.5)
    lines = list(as_text([slot, replace(slot, name="r1u02", cores_used=None)]))[1:]
    assert len({line.index("joining") for line in lines}) == 1


def test_no_text_of_a_server_is_markup() -> None:
    evil = Slot("r1u01", "<b>", 4, 16, "worker", '</title><script>alert("&")', cores_used=7.0)
    text = "".join(as_svg(["<evil>"], [evil]))
    assert "<script" not in text
    assert ET.fromstring(text).find(f"{SVG}title").text == "<evil>"  # type: ignore[union-attr]  # noqa: S314 ours

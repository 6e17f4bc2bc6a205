"""`rpool list`: every cluster and every server, and why one is no spare."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from worlds.folder import OWNER, SIMULATED, SPEC, made_in, site_in

from rpool.api import Attempt, NodeRequest
from rpool.cli.main import main
from rpool.errors import SpecError
from rpool.model import action as act
from rpool.model.failure import Failure
from rpool.model.pool import Group, NodeSpec, Selector
from rpool.model.server import Role, Server
from rpool.simulate import FILE_NAME

Output = pytest.CaptureFixture[str]


def listed(folder: Path, capsys: Output) -> list[str]:
    assert main(["list", "--site", str(folder / "site.yaml")]) == 0
    return capsys.readouterr().out.splitlines()


def document(folder: Path, capsys: Output) -> dict[str, Any]:
    assert main(["list", "--json", "--site", str(folder / "site.yaml")]) == 0
    loaded = json.loads(capsys.readouterr().out)
    assert isinstance(loaded, dict)
    return loaded


def words(lines: list[str], server: str) -> list[str]:
    return next(line.split() for line in lines if server in line.split()[1:2])


def test_a_site_of_modelled_servers_needs_one_line_and_no_terraform(
    tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "site.yaml").write_text("simulate: {servers: 12}\n")
    lines = listed(tmp_path, capsys)
    assert words(lines, "r1u02") == ["rack1", "r1u02", "16", "64", "-", "-", "spare"]
    assert lines[-1] == "Free: 204 cores and 816 GiB, on 12 of 12 servers."


def test_a_cluster_is_listed_with_its_size_its_api_and_its_owner_and_its_servers_as_its_own(
    tmp_path: Path, capsys: Output
) -> None:
    view = made_in(tmp_path)
    lines = listed(tmp_path, capsys)
    cluster = lines[1].split()
    assert cluster[:3] == ["batch", view.uid, "1.36.3"]
    assert cluster[3:] == f"48, 32 wanted 192, 128 wanted 4 settled {view.endpoint} {OWNER}".split()
    assert len(view.servers) == 4
    for name, member in view.servers.items():
        cells = [member.zone, name, str(member.cores), str(member.memory_gib)]
        assert words(lines, name) == [*cells, "batch", member.role.value, "member"]


def test_a_server_that_an_rpool_node_put_there_is_counted_beside_the_others(
    tmp_path: Path, capsys: Output
) -> None:
    view = made_in(tmp_path)
    with closing(site_in(tmp_path)) as site:
        (spare, *_) = site.config.fleet.servers.keys() - view.servers.keys()
        site.pin_node(NodeRequest(view.uid, spare, NodeSpec()), Attempt(60), is_new=True)
    lines = listed(tmp_path, capsys)
    assert lines[1].split()[9] == "4+1"
    assert words(lines, spare)[4:] == ["batch", "worker", "member"]


def test_the_workers_of_all_groups_count(tmp_path: Path, capsys: Output) -> None:
    fast = Group(32, 128, selector=Selector(labels={"disk": "nvme"}))
    made_in(tmp_path, replace(SPEC, groups={"fast": fast}))
    lines = listed(tmp_path, capsys)
    assert lines[1].split()[3:9] == ["80,", "64", "wanted", "320,", "256", "wanted"]
    (one,) = (line.split() for line in lines if "worker (fast)" in line)
    server = document(tmp_path, capsys)["servers"][one[1]]
    assert (server["role"], server["group"]) == ("worker", "fast")


def test_who_does_not_answer_is_data_with_the_cluster_that_counts_on_it(
    tmp_path: Path, capsys: Output
) -> None:
    view = made_in(tmp_path)
    (lost, *_) = (n for n, member in view.servers.items() if member.role is Role.WORKER)
    assert main(["simulate", "lose", lost, "--file", str(tmp_path / FILE_NAME)]) == 0
    capsys.readouterr()
    lines = listed(tmp_path, capsys)
    assert f"No answer from 1 of 12 servers: {lost}." in lines
    assert words(lines, lost)[4:] == ["batch", "worker", "unreachable"]
    assert any(line.startswith(f"{lost}: unreachable: {lost} ") for line in lines)
    server = document(tmp_path, capsys)["servers"][lost]
    assert (server["reachable"], server["cluster"], server["spare"]) == (False, "batch", False)


def test_a_cluster_without_an_api_says_so_and_the_rest_is_listed(
    tmp_path: Path, capsys: Output
) -> None:
    view = made_in(tmp_path)
    (control_plane,) = view.control_planes
    assert main(["simulate", "lose", control_plane, "--file", str(tmp_path / FILE_NAME)]) == 0
    cluster = (capsys.readouterr(), document(tmp_path, capsys))[1]["clusters"][view.uid]
    assert (cluster["condition"], cluster["cores"]) == ("unreachable", None)
    assert cluster["servers"].keys() == view.servers.keys() - {control_plane}
    assert "batch: no control plane of it answers" in listed(tmp_path, capsys)


def test_who_is_set_aside_or_marked_is_no_free_server_and_the_line_says_why(
    tmp_path: Path, capsys: Output
) -> None:
    aside = Failure("2026-11-24T22:00:00+00:00", "join", "batch", "kubeadm join failed", aside=True)
    with closing(site_in(tmp_path, r2u02={"reserved": True}, r3u02={"retire": True})) as site:
        site.world().carry_out(act.NoteFailure("r1u02", "", aside), 1)
        site.world().carry_out(act.NoteFailure("r1u03", "", replace(aside, aside=False)), 1)
    lines = listed(tmp_path, capsys)
    assert words(lines, "r1u02")[6:] == ["quarantined"]
    assert words(lines, "r1u03")[6:] == ["spare,", "taken", "last"]
    (why,) = (line for line in lines if line.startswith("r1u02: quarantined: join for cluster"))
    assert "rpool release r1u02" in why
    assert any(line.startswith("r1u03: spare, taken last: join for ") for line in lines)
    assert words(lines, "r2u02")[6:] == ["spare,", "reserved"]
    assert "Free: 156 cores and 624 GiB, on 9 of 12 servers." in lines
    facts = document(tmp_path, capsys)
    assert (facts["free_cores"], facts["free_memory"]) == (156, 624)
    assert facts["servers"]["r1u02"]["failures"] == [str(aside)]


def test_a_cell_is_short_and_the_marks_are_in_it_however_long_the_reason_is(
    tmp_path: Path, capsys: Output
) -> None:
    view = made_in(tmp_path)
    (control_plane,) = view.control_planes
    (worker, *_) = view.servers.keys() - {control_plane}
    marks = {"reserved": True, "lost": True}
    with closing(site_in(tmp_path)) as site:
        entries = {n: fleet_entry(server) for n, server in site.config.fleet.servers.items()}
    entries[worker] |= marks
    text = json.dumps({"simulate": {}, "fleet": entries})
    (tmp_path / "site.yaml").write_text(text)
    assert main(["simulate", "reinstall", control_plane, "--file", str(tmp_path / FILE_NAME)]) == 0
    capsys.readouterr()
    lines = listed(tmp_path, capsys)
    assert words(lines, worker)[6:] == ["abandoned,", "reserved,", "lost"]
    (why,) = (line for line in lines if line.startswith(f"{worker}: abandoned, reserved, lost: "))
    assert why.endswith("wipes it, once no cluster counts on it.")
    assert document(tmp_path, capsys)["servers"][worker]["state"] == why.partition(": ")[2]


def fleet_entry(server: Server) -> dict[str, Any]:
    entry = {"address": server.address, "cores": server.cores, "memory": server.memory_gib}
    return {**entry, "zone": server.zone}


def test_no_text_of_a_server_passes_for_a_line_of_ours(tmp_path: Path, capsys: Output) -> None:
    view = made_in(tmp_path)
    with closing(site_in(tmp_path)) as site:
        world = site.world()
        claim = world.probe(view.control_planes[0]).claim
        assert claim is not None
        evil = replace(claim, uid="ffffffff", server="r1u03", owner="eve\nrack9  r9u99  spare")
        world.carry_out(act.TakeClaim("r1u03", evil), 1)
    lines = listed(tmp_path, capsys)
    assert not [line for line in lines if line.startswith("rack9")]
    assert any("eve rack9 r9u99 spare" in line for line in lines)


def test_one_of_two_clusters_of_a_name_is_asked_for_by_its_uid(tmp_path: Path) -> None:
    made_in(tmp_path)
    with closing(site_in(tmp_path)) as site:
        survey = site.survey()
    (cluster,) = survey.clusters.values()
    two = replace(
        survey, clusters={cluster.uid: cluster, "ffffffff": replace(cluster, uid="ffffffff")}
    )
    assert two.cluster("ffffffff").uid == "ffffffff"
    with pytest.raises(SpecError, match="2 clusters are called batch") as caught:
        two.cluster("batch")
    assert f"{cluster.uid} on " in caught.value.problems[0].detail


def test_a_fleet_and_a_key_may_be_in_files_of_their_own(tmp_path: Path, capsys: Output) -> None:
    entry = "r1u01: {address: 10.0.1.1, cores: 4, memory: 16, zone: rack1}\n"
    (tmp_path / "fleet.yaml").write_text(entry)
    (tmp_path / "site.yaml").write_text("simulate: {}\nfleet_file: fleet.yaml\n")
    assert document(tmp_path, capsys)["servers"].keys() == {"r1u01"}
    (tmp_path / "fleet.yaml").unlink()
    assert main(["list", "--site", str(tmp_path / "site.yaml")]) == 1
    errors = capsys.readouterr().err
    assert f"fleet_file: {tmp_path / 'fleet.yaml'} cannot be read: No such file" in errors
    assert "fleet_file), ssh, mirrors" in errors


def test_all_that_is_wrong_with_a_site_is_said_with_what_to_do(
    tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "site.yaml").write_text("simulate: {}\nfleet: {r1u01: {retired: true}}\n")
    assert main(["list", "--site", str(tmp_path / "site.yaml")]) == 1
    errors = capsys.readouterr().err
    assert "rpool: fleet.r1u01.address is required" in errors
    assert "Did you mean retire?" in errors


@pytest.mark.parametrize(
    ("text", "setting", "meant"),
    [
        (
            "ssh: {private_keyfile: k}",
            "ssh.private_keyfile",
            "Did you mean private_key_file? ssh has:",
        ),
        (
            "mirrors: {image: http://a}",
            "mirrors.image",
            "Did you mean images? mirrors has: packages",
        ),
        (
            "simulate: {server: 3}",
            "simulate.server",
            "Did you mean servers? simulate has: servers.",
        ),
        ("fleetfile: f.yaml", "fleetfile", "Did you mean fleet_file? A site has: fleet, ssh,"),
    ],
)
def test_a_setting_of_a_site_s_file_that_there_is_not_is_told_with_the_one_that_was_meant(
    tmp_path: Path, capsys: Output, text: str, setting: str, meant: str
) -> None:
    (tmp_path / "site.yaml").write_text(f"{text}\n")
    assert main(["list", "--site", str(tmp_path / "site.yaml")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[lines.index(f"rpool: {setting} is not a setting") + 1].startswith(meant)


def test_a_pipe_that_is_closed_early_is_no_error(tmp_path: Path) -> None:
    made_in(tmp_path, replace(SPEC, name="long"))
    command = f"{sys.executable} -m rpool list | head -n 1"
    ran = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)  # noqa: S602
    assert ran.stdout.startswith("CLUSTER ")
    assert ran.stderr == SIMULATED


def test_help_loads_neither_ssh_nor_tables() -> None:
    """So that it is there at once, as is completion."""
    program = (
        "import sys; from rpool.cli.main import parser; parser().format_help();"
        "print({'paramiko', 'rich', 'pydantic', 'yaml', 'ansible'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"

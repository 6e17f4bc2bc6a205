"""The modelled servers in a file: what one process did, the others find, also after a crash."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.stage import FOREIGN, SPEC

from rpool.api import Attempt, Site
from rpool.errors import Overtaken, Refused, Unreachable
from rpool.model import action as act
from rpool.model.claim import Fence
from rpool.model.generated_fleet import generated
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Role
from rpool.model.site import SiteConfig, Ssh
from rpool.simulate.store import Machines, Store
from rpool.simulate.stored import StoredWorld

FLEET = generated(12)
UID = "0863513a9c41d07e"
OTHER_PROCESS = """
import sys, time
from dataclasses import replace
from pathlib import Path
from rpool.model import action as act
from rpool.model.claim import Claim, Phase
from rpool.model.server import Role
from rpool.model.generated_fleet import generated
from rpool.simulate.store import Store
from rpool.simulate.stored import StoredWorld

CLAIM = Claim("ffffffff", "other", "eve@desk", Role.WORKER, Phase.MEMBER, 1, "2026", "r1u01", "")
world = StoredWorld(generated(60), Store(Path(sys.argv[1])))
names = list(world.machines)
print("ready", flush=True)
"""
CLAIM_ALL = "for n in names[30:]: world.carry_out(act.TakeClaim(n, replace(CLAIM, server=n)), 1)"
CLAIM_FOREVER = """
while True:
    for n in names:
        world.carry_out(act.TakeClaim(n, replace(CLAIM, server=n)), 1)
        world.carry_out(act.Reset(n, CLAIM.ownership, None), 1)
"""
HOLD_LOCK = """
with world.lock("r1u01", "0863513a9c41d07e"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".rpool-simulated.json"


def other(path: Path, does: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER_PROCESS + does, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def site(path: Path, fleet: Fleet = FLEET) -> Site:
    config = SiteConfig(fleet, Ssh(Secret("")), simulated=True)
    return Site(config, connect=lambda config: StoredWorld(config.fleet, Store(path)))


def machines(path: Path) -> Machines:
    with closing(Store(path)) as store:
        return store.load() or {}


def change(path: Path, world_changes: Machines) -> None:
    with closing(Store(path)) as store, store.alone():
        store.save(world_changes)


def test_a_pool_is_made_found_and_destroyed_by_three_processes(path: Path) -> None:
    spec = replace(SPEC, kubernetes_version="1.35.2")
    with closing(site(path)) as creating:
        view = creating.create_pool(spec, Attempt(timeout_seconds=60, log=lambda _: None))
    with closing(site(path)) as reading:
        result = reading.read_pool(view)
    assert (result.view, result.warnings, result.spec) == (view, (), spec)
    members = [m for n, m in machines(path).items() if n in view.servers]
    assert len({id(m.cluster) for m in members}) == 1  # one cluster, not a copy for each
    assert sum(m.role is Role.CONTROL_PLANE for m in members) == 3
    with closing(site(path)) as destroying:
        destroying.destroy_pool(view, Attempt(timeout_seconds=60, log=lambda _: None))
    assert all(m.claim is None and m.cluster is None for m in machines(path).values())


def test_what_is_loaded_is_what_was_saved(path: Path) -> None:
    with closing(site(path)) as creating:
        creating.create_pool(SPEC, Attempt(timeout_seconds=60, log=lambda _: None))
        world = creating.world()
        assert isinstance(world, StoredWorld)
        before = world.machines
        before["r3u04"].powered = False
        change(path, before)
    assert machines(path) == before


def test_the_numbers_of_sessions_are_known_to_other_processes(path: Path) -> None:
    with closing(StoredWorld(FLEET, Store(path))) as world, world.lock("r1u01", UID) as lock:
        assert lock.number == 0
        assert world.probe("r1u01", Fence(UID, 4)).is_spare
    with closing(StoredWorld(FLEET, Store(path))) as world:
        with world.lock("r1u01", UID) as lock:
            assert lock.number == 4
        with pytest.raises(Overtaken, match="a later operation has worked on r1u01"):
            world.probe("r1u01", Fence(UID, 3))
    assert machines(path)["r1u01"].sessions == {UID: 4}


def test_the_lock_tells_the_number_that_its_last_holder_has_left(path: Path) -> None:
    """Another process fenced after we had loaded the file."""
    with closing(StoredWorld(FLEET, Store(path))) as ours:
        assert ours.probe("r1u01").is_spare
        with closing(StoredWorld(FLEET, Store(path))) as theirs, theirs.lock("r1u01", UID):
            with pytest.raises(Refused), ours.lock("r1u01", UID):
                pass
            theirs.probe("r1u01", Fence(UID, 4))
        with ours.lock("r1u01", UID) as lock:
            assert lock.number == 4


def test_processes_that_act_at_once_lose_nothing_of_each_other(path: Path) -> None:
    process = other(path, CLAIM_ALL)
    with closing(StoredWorld(generated(60), Store(path))) as world:
        for name in list(world.machines)[:30]:
            world.carry_out(act.TakeClaim(name, FOREIGN), 1)
    assert process.wait(30) == 0
    process.communicate()
    assert all(machine.claim for machine in machines(path).values())


def test_a_process_that_is_killed_leaves_a_file_that_is_whole(path: Path) -> None:
    for _ in range(3):
        process = other(path, CLAIM_FOREVER)
        time.sleep(0.15)
        process.kill()
        process.communicate()
        with closing(StoredWorld(generated(60), Store(path))) as world:
            assert len(world.machines) == 60
            world.probe("r1u01")


def test_a_pool_that_another_process_works_on_is_locked_until_that_dies(path: Path) -> None:
    process = other(path, HOLD_LOCK)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with closing(StoredWorld(FLEET, Store(path))) as world:
        with (
            pytest.raises(Refused, match="cluster 0863513a9c41d07e is locked on r1u01"),
            world.lock("r1u01", "0863513a9c41d07e"),
        ):
            pass
        with world.lock("r1u01", "ffffffff"), world.lock("r2u01", "0863513a9c41d07e"):
            pass
        process.kill()
        process.communicate()
        with world.lock("r1u01", "0863513a9c41d07e") as lock:
            assert not lock.lost()
    assert [file.name for file in path.parent.iterdir()] == [".rpool-simulated.lock"]


def test_looking_writes_no_file(path: Path) -> None:
    with closing(StoredWorld(FLEET, Store(path))) as world:
        assert world.probe("r1u01").is_spare
    assert not path.exists()


def test_the_declared_hardware_counts_and_the_state_stays(path: Path) -> None:
    with closing(StoredWorld(FLEET, Store(path))) as world:
        for name in ("r1u01", "r2u01"):
            world.carry_out(act.TakeClaim(name, FOREIGN), 1)
        world.probe("r3u01", Fence(UID, 4))
    bigger = replace(FLEET.servers["r1u01"], cores=128)
    with closing(StoredWorld(Fleet({"r1u01": bigger}), Store(path))) as world:
        probed = world.probe("r1u01")
        assert (probed.cores, probed.claim) == (128, FOREIGN)
        assert set(world.machines) == FLEET.servers.keys(), "declared here or not"
        for undeclared in ("r2u01", "r3u01"):
            with pytest.raises(Unreachable, match="no longer in the fleet"):
                world.probe(undeclared)


def test_two_sites_in_one_folder_keep_each_other_s_servers(path: Path) -> None:
    sites = [
        Fleet(
            {
                f"{site}-{n}": replace(server, name=f"{site}-{n}")
                for n, server in FLEET.servers.items()
            }
        )
        for site in ("ams", "fra")
    ]
    for _ in range(2):
        for fleet in sites:
            with closing(StoredWorld(fleet, Store(path))) as world:
                name = min(fleet.servers)
                world.carry_out(act.TakeClaim(name, replace(FOREIGN, server=name)), 1)
    assert len(Store(path).load() or {}) == 24


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        (json.dumps({"version": 2, "fleet": {}, "clusters": {}}), "is damaged"),
        (json.dumps({"version": 3}), "another version of rpool"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_at_once(
    path: Path, content: str, says: str
) -> None:
    path.write_text(content)
    with pytest.raises(Refused, match=says) as caught:
        StoredWorld(FLEET, Store(path))
    assert "Remove it to start over" in caught.value.detail


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file or directory"):
        StoredWorld(FLEET, Store(tmp_path / "missing/file.json"))


def test_a_server_that_was_lost_comes_back_as_it_was(path: Path) -> None:
    with closing(site(path)) as creating:
        view = creating.create_pool(SPEC, Attempt(timeout_seconds=60, log=lambda _: None))
    before = machines(path)
    lost = next(name for name, member in view.servers.items() if member.role is Role.WORKER)
    for powered in (False, True):
        now = machines(path)
        now[lost].powered = powered
        change(path, now)
    assert machines(path) == before

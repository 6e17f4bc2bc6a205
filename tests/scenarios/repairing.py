"""What is promised of members that are not well, as one story for real and for modelled servers.

Nothing is marked in the fleet: a plan sees it, once the grace is over, and its apply repairs. A
module that runs the story has a fixture `pool`: three control planes and two workers of the lab's
nine servers, with an application that two replicas keep alive. The tests build on each other.
"""

from __future__ import annotations

from scenarios.pool import NO_CHANGES, Pool

START = {"cores": 12, "memory": 24}  # a small and a middle one
REPAIR = """
resource "rpool_cluster" "demo" {
  repair {
    grace    = "30s"
    max_lost = MOST
  }
}
"""


def repair(most: int = 1) -> str:
    """Configuration by which at most so many members are repaired at once."""
    return REPAIR.replace("MOST", str(most))


def replaced(pool: Pool, dead: str, what: str) -> None:
    """A plan within the grace names the dead server and changes nothing; one after it replaces the
    server by another, and so does its apply.
    """
    before = pool.members()
    with pool.asking() as web:
        pool.lose(dead)
        early = pool.terraform("plan", "-detailed-exitcode")
        assert early.returncode == NO_CHANGES, early.stdout
        output = pool.await_changes(f"{dead} (")
        assert "It counts as lost: another server takes its place, if there is one." in output
        named = pool.planned("saved.tfplan")
        assert dead in named
        seconds = pool.apply()
    (new,) = pool.members() - before
    assert before - pool.members() == {dead}
    assert named == {dead, new}
    pool.assert_settled()
    pool.figure(
        f"{what}, replaced in {seconds:.1f} s; application, from its loss on: longest gap "
        f"{web.longest_seconds:.1f} s, {web.failed} of {web.asked} requests failed"
    )


def mended(pool: Pool, sick: str, what: str, *steps: str) -> None:
    """The cluster keeps its servers, and these steps are done for the sick one, besides those that
    need not succeed there.
    """
    before, known = pool.members(), pool.journal()
    output = pool.await_changes(f"{sick} (")
    assert "This plan repairs it: its container runtime and kubelet are restarted" in output
    assert pool.planned("saved.tfplan") == set()
    seconds = pool.apply()
    assert pool.members() == before
    pool.assert_settled()
    done = {verb for verb, server in pool.done(known) if server == sick}
    assert done - GENTLE == set(steps), done
    pool.figure(f"{what}, mended in {seconds:.1f} s")


GENTLE = {"drain", "step down", "label"}
"""Steps that need not succeed, or be done, for a sick member."""
ANEW = ("leave", "reset", "forget", "claim", "prepare", "join", "member", "ready")


class RepairingAtOnce:
    """With `max_lost = 3`."""

    def test_three_that_are_not_well_are_repaired_by_one_apply(self, pool: Pool) -> None:
        before, known = pool.members(), pool.journal()
        worker, sick = pool.with_role("worker")
        holder = pool.holds_address()
        with pool.asking() as web:
            pool.lose(worker)
            pool.lose(holder)
            pool.fall_sick(sick, "kubelet")
            output = pool.await_changes("3 members are unhealthy")
            while output.count("repair.grace is 30s"):
                pool.pass_time()
                output = pool.await_changes("3 members are unhealthy")
            assert output.count("It counts as lost") == 2
            assert output.count("This plan repairs it") == 1
            named = pool.planned("saved.tfplan")
            seconds = pool.apply()
        assert before - pool.members() == {worker, holder}
        assert pool.members() - before == named - {worker, holder}
        pool.assert_settled()
        assert ("mend", sick) in pool.done(known)
        pool.figure(
            f"a worker and a control plane dead, a kubelet stopped: repaired in {seconds:.1f} s; "
            f"application, from their loss on: longest gap {web.longest_seconds:.1f} s"
        )

    def test_those_that_come_back_are_wiped_and_are_spares(self, pool: Pool) -> None:
        wiped(pool)


def wiped(pool: Pool) -> None:
    """A server that is back may register its Node again, or have the virtual IP."""
    back = sorted(pool.lost)
    for name in back:
        pool.restore(name)
        pool.await_changes(f"{name} was removed when it was lost, and came back")
    seconds = pool.apply()
    pool.assert_settled()
    assert {name: pool.leftovers(name) for name in back} == dict.fromkeys(back, "")
    pool.figure(f"{len(back)} servers that came back after they were replaced: {seconds:.1f} s")


class Repairing:
    def test_a_dead_worker_is_replaced(self, pool: Pool) -> None:
        replaced(pool, pool.with_role("worker")[0], "a dead worker")

    def test_a_dead_control_plane_with_the_virtual_ip_is_replaced(self, pool: Pool) -> None:
        holder = pool.holds_address()
        replaced(pool, holder, "a dead control plane that held the virtual IP")
        assert holder not in pool.etcd_members()

    def test_who_comes_back_is_wiped_and_is_a_spare(self, pool: Pool) -> None:
        wiped(pool)

    def test_a_dead_kubelet_is_started_again(self, pool: Pool) -> None:
        sick = pool.with_role("worker")[0]
        pool.fall_sick(sick, "kubelet")
        mended(pool, sick, "a worker with a dead kubelet", "mend")

    def test_a_broken_runtime_is_taken_out_and_joins_anew(self, pool: Pool) -> None:
        sick = pool.with_role("worker")[0]
        pool.fall_sick(sick, "disk")
        mended(pool, sick, "a worker with a broken container runtime", *ANEW)

    def test_a_control_plane_with_a_broken_runtime_joins_anew(self, pool: Pool) -> None:
        sick = pool.with_role("control_plane")[-1]
        pool.fall_sick(sick, "disk")
        more = ("leave etcd", "former member")
        mended(pool, sick, "a control plane with a broken container runtime", *ANEW, *more)

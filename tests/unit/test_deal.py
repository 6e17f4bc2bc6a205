"""How spares are shared: evenly, and alike for all clusters that know the same ones."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rpool.decide.deal import dealt, some_of_each
from rpool.model.server import Server

UIDS = [letter * 8 for letter in "abcdef"]


def servers(*kinds: tuple[int, str]) -> list[Server]:
    """A server for each (cores, zone)."""
    return [
        Server(f"s{number:03}", f"10.0.{number // 200}.{number % 200 + 1}", cores, 16, zone, "k")
        for number, (cores, zone) in enumerate(kinds)
    ]


KINDS = st.lists(
    st.tuples(st.sampled_from([4, 8]), st.sampled_from(["rack1", "rack2"])), max_size=30
)


@given(KINDS, st.sets(st.sampled_from(UIDS), min_size=1))
def test_each_spare_is_one_clusters_and_of_each_kind_shares_differ_by_one(
    kinds: list[tuple[int, str]], uids: set[str]
) -> None:
    spares = servers(*kinds)
    shares = {uid: dealt(spares, uids, uid) for uid in uids}
    assert Counter(name for share in shares.values() for name in share) == Counter(
        server.name for server in spares
    )
    for cores in (4, 8):
        sizes = [sum(s.cores == cores for s in spares if s.name in shares[uid]) for uid in uids]
        assert max(sizes) - min(sizes) <= 1


def test_a_cluster_without_claims_has_a_share_too() -> None:
    assert len(dealt(servers(*[(8, "rack1")] * 4), {UIDS[0]}, UIDS[1])) == 2


def test_a_share_is_spread_over_the_zones() -> None:
    spares = servers(*[(8, zone) for zone in ("rack1", "rack2", "rack3") for _ in range(4)])
    zone_of = {server.name: server.zone for server in spares}
    for uid in UIDS[:4]:
        share = dealt(spares, UIDS[:4], uid)
        assert {zone_of[name] for name in share} == {"rack1", "rack2", "rack3"}


def test_a_sample_has_some_of_each_kind_and_zone() -> None:
    rare = [(4, "rack1"), (64, "rack2")]
    first = some_of_each(servers(*[(8, "rack1")] * 200, *rare, *[(8, "rack2")] * 200))[:8]
    kinds = Counter((server.cores, server.zone) for server in first)
    assert kinds == {(4, "rack1"): 1, (64, "rack2"): 1, (8, "rack1"): 3, (8, "rack2"): 3}

"""Whatever a server prints is data, or a failure that names the server; never anything else.

The corpus is in `unit/test_bad_server.py`; here what it prints is drawn.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

import generated  # noqa: F401 so that no example has a deadline
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds.samples import CLAIM, FAILURE, RECORD

from rpool.config import wrong_in
from rpool.errors import RpoolError, printable
from rpool.model.claim import MOST_CHARACTERS
from rpool.reach import documents, sightings

HERE = "r1u04"
NUMBERS = st.integers() | st.floats()
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=300)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=12,
)
PROBE: dict[str, Any] = {
    "clock_seconds": 1.5,
    "ended_seconds": 1.75,
    "hostname": [HERE],
    "machine_id": ["feed"],
    "product_uuid": [],
    "cores": ["4"],
    "memory_mib": ["7900"],
    "claim_there": ["yes"],
    "claim": json.dumps(CLAIM.as_dict(), indent=1).splitlines(),
    "traces": ["/etc/kubernetes/kubelet.conf"],
    "joined": ["worker"],
    "kubeadm_ended": ["worker"],
    "addresses": ["10.0.1.4"],
    "routes": ["10.0.1.0/24"],
    "served": ["common"],
    "certificates": ["1796052973 /etc/kubernetes/pki/apiserver.crt"],
    "failures": [FAILURE.as_line()],
    "unwritable": ["read-only"],
}
TAINTS = '[{"key": "a", "effect": "NoSchedule"}]'
NODE = [HERE, '{"a": "b"}', "true", "True", "4", "16Gi", TAINTS]
RECORDED = json.loads(documents._text(RECORD))


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to a JSON value and all values in it."""
    inner: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    return [at, *(path for key, item in inner for path in places(item, (*at, key)))]


def replaced(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = replaced(value[at[0]], at[1:], new)
    return copy


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value in which one or two parts are anything."""
    for _ in range(draw(st.integers(1, 2))):
        value = replaced(value, draw(st.sampled_from(places(value))), draw(JSON))
    return value


def dumped(value: Any) -> str:
    return json.dumps(value)


@st.composite
def facts(draw: st.DrawFn) -> bytes:
    """What observe.sh prints, with one of its facts changed."""
    node = list(NODE)
    node[draw(st.integers(0, len(node) - 1))] = draw(st.text(max_size=300) | JSON.map(dumped))
    lines = [
        "\t".join(["node", *node]),
        "record\t" + dumped(draw(changed(RECORDED) | st.just(RECORDED))),
        "tokens\t" + draw(st.text(max_size=20)),
        "metallb\t" + draw(st.text(max_size=20)),
        "ca\t" + base64.b64encode(draw(st.binary(max_size=40))).decode(),
        draw(st.text(max_size=40)),
    ]
    return "\n".join(draw(st.permutations(lines))).encode(errors="surrogatepass")


def texts(value: Any) -> list[str]:
    """All texts in what was read."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in texts(item)]
    if isinstance(value, list | tuple | frozenset | set):
        return [text for item in value for text in texts(item)]
    names = getattr(value, "__dataclass_fields__", {})
    return [text for name in names for text in texts(getattr(value, name))]


READERS: dict[str, Callable[[bytes], Any]] = {
    "probe": lambda printed: sightings.probed(HERE, printed),
    "cluster": lambda printed: sightings.cluster(HERE, printed),
    "etcd": lambda printed: sightings.etcd_members(HERE, printed),
    "packages": sightings.packages,
    "reset": sightings.news,
    "encryption": lambda printed: sightings.encryption(HERE, printed),
}


def read(reader: str, printed: bytes) -> Any:
    """What was read; None where it is a failure that names the server."""
    try:
        return READERS[reader](printed)
    except RpoolError as error:
        assert HERE in error.summary
        assert len(error.detail) < 500
        return None


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=150)
@given(printed=st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_are_data_or_a_failure(reader: str, printed: bytes) -> None:
    read(reader, printed)


def test_what_is_changed_below_is_read_as_it_is() -> None:
    """Otherwise the tests below would read nothing of what they change, and prove nothing."""
    probed = read("probe", dumped(PROBE).encode())
    assert probed is not None
    parts = (probed.claim, probed.failures, probed.unwritable, probed.certificate, probed.served)
    assert all(parts)
    lines = ["\t".join(["node", *NODE]), "record\t" + dumped(RECORDED)]
    cluster = read("cluster", "\n".join(lines).encode())
    assert cluster is not None
    assert cluster.nodes
    assert cluster.record == RECORD


@settings(max_examples=400)
@given(changed(PROBE))
def test_a_probe_is_data_or_a_failure(value: Any) -> None:
    probed = read("probe", dumped(value).encode())
    for text in texts(probed):
        assert printable(text) == text
        assert len(text) <= MOST_CHARACTERS + 100


@settings(max_examples=150)
@given(st.text(max_size=2 * MOST_CHARACTERS) | st.integers(0, 3000).map(lambda n: "x\n" * n))
def test_news_are_printable_and_not_long(printed: str) -> None:
    news = sightings.news(printed.encode(errors="surrogatepass"))
    assert len(news) <= sightings.MOST_NEWS
    for text in news:
        assert printable(text) == text
        assert len(text) <= MOST_CHARACTERS


@settings(max_examples=400)
@given(facts())
def test_a_cluster_is_data_or_a_failure(printed: bytes) -> None:
    cluster = read("cluster", printed)
    if cluster is not None and cluster.record is not None:
        assert not list(wrong_in(cluster.record))
    for text in texts(cluster):
        assert printable(text) == text


@settings(max_examples=200)
@given(changed({"members": [{"ID": 1, "name": HERE, "peerURLs": ["https://10.0.1.4:2380"]}]}))
def test_members_of_etcd_are_data_or_a_failure(value: Any) -> None:
    health = dumped([{"endpoint": "https://10.0.1.4:2379", "health": True}])
    members = read("etcd", f"members\t{dumped(value)}\nhealth\t{health}\n".encode())
    for text in texts(members):
        assert printable(text) == text


@settings(max_examples=300)
@given(changed(RECORDED))
def test_a_record_is_one_that_a_configuration_could_have_made_or_none(value: Any) -> None:
    try:
        record = documents.read_record(dumped(value))
    except (RpoolError, ValueError, TypeError, KeyError):
        return
    assert not list(wrong_in(record))
    assert documents.read_record(documents._text(record)) == record

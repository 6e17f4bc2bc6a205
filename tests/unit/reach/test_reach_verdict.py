"""What comes back from servers, and what users are told of it."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from worlds.samples import CERTIFICATE_KEY, FOREIGN, RECORD, SECRETS, TOKEN

from rpool.errors import (
    CommandFailed,
    ForeignClaim,
    LockHeld,
    NewerFormat,
    NotClaimed,
    NotDrained,
    Overtaken,
    Refused,
    RpoolError,
    TimedOut,
)
from rpool.model.pool import ControlPlane, Endpoint, PoolSpec, Taint
from rpool.model.record import RESERVED, Record
from rpool.model.secret import Secret
from rpool.model.seen import EtcdMember
from rpool.reach import documents, sightings
from rpool.reach.ssh import Completed
from rpool.reach.verdict import Exit, failure, redact

TABLE: list[tuple[int, type[RpoolError], str]] = [
    (Exit.FOREIGN, ForeignClaim, "r1u04 is claimed by cluster other (uid f0e1d2c3"),
    (Exit.STALE, Refused, "a different claim"),
    (Exit.UNCLAIMED, NotClaimed, "not claimed"),
    (Exit.DIRTY, Refused, "is not clean: "),
    (Exit.BUSY, Refused, "busy"),
    (Exit.HELD, LockHeld, "another operation"),
    (Exit.WAS_MEMBER, Refused, "has been a member of its cluster"),
    (Exit.FORMAT, ForeignClaim, "has a claim that cannot be read"),
    (Exit.MISPLACED, Refused, "has the claim of r1u04: addresses in the fleet are swapped"),
    (Exit.LATER, Overtaken, "a later operation has worked on r1u04"),
    (Exit.UNCLEAN, CommandFailed, "not clean"),
    (Exit.UNDRAINED, NotDrained, "has not ended in time"),
    (Exit.TIMED_OUT, TimedOut, "did not end in time"),
    (1, CommandFailed, "kubeadm init failed on r1u04 (exit 1)"),
]


@pytest.mark.parametrize(("code", "kind", "words"), TABLE)
def test_an_exit_code_is_an_error_with_a_type_and_a_place(
    code: int, kind: type[RpoolError], words: str
) -> None:
    claim = json.dumps(FOREIGN.as_dict(), indent=1).encode()
    error = failure("kubeadm init", "r1u04", Completed(code, claim, b"why"))
    assert type(error) is kind
    assert words in error.summary
    assert "r1u04" in error.summary


NEWER = "was written by a newer rpool (format 2; this one knows 1): use that version"
NO_FORMAT = "has no format number, so no rpool that is known wrote it"


@pytest.mark.parametrize(
    ("format_", "why"),
    [
        (2, NEWER),
        (10**12, NEWER.replace("2;", "100000000;")),
        (None, NO_FORMAT),
        ("2", NO_FORMAT),
        (0, NO_FORMAT),
        (-1, NO_FORMAT),
        (True, NO_FORMAT),
        (1.0, NO_FORMAT),
        ([2], NO_FORMAT),
    ],
)
def test_a_claim_of_another_format_is_refused_whoever_s_it_is(format_: object, why: str) -> None:
    """It may be ours: nothing is to go on as if it were another's."""
    claim = json.dumps(FOREIGN.as_dict() | {"format": format_}, indent=1).encode()
    error = failure("kubeadm init", "r1u04", Completed(Exit.FORMAT, claim, b"why"))
    assert type(error) is Refused
    assert error.summary == f"r1u04 has a claim that {why}"
    assert error.detail == "kubeadm init: nothing was changed there."


@pytest.mark.parametrize("session", [-1, "x", 10**9, 1.5, None, "\u0663", "9" * 500])
def test_a_claim_whose_session_is_no_number_cannot_be_read(session: object) -> None:
    text = json.dumps(FOREIGN.as_dict() | {"session": session})
    assert sightings.read_claim(text) == "cannot be read"


def test_success_is_no_error() -> None:
    assert failure("x", "r1u04", Completed(0, b"", b"warning")) is None


def test_the_end_of_what_was_printed_is_shown_without_secrets() -> None:
    output = "noise\n" * 50 + f"join with --token {TOKEN} --certificate-key {CERTIFICATE_KEY}\nwhy"
    completed = Completed(1, b"", output.encode())
    error = failure("kubeadm join", "r1u04", completed)
    assert error is not None
    assert error.detail.endswith("join with --token **** --certificate-key ****\nwhy")
    assert len(error.detail.splitlines()) == 20


def test_kubeadms_coloured_report_on_the_kernel_is_left_out() -> None:
    output = "\x1b[0;37mCONFIG_OVERLAY_FS\x1b[0m: \x1b[0;32menabled\x1b[0m\n" * 30 + "the reason"
    error = failure("kubeadm join", "r1u04", Completed(1, b"", output.encode()))
    assert error is not None
    assert error.detail == "the reason"


@pytest.mark.parametrize("code", [1, *Exit])
def test_no_error_is_longer_than_a_person_reads(code: int) -> None:
    printed = "\n".join(["x" * 10_000] * 200).encode()
    error = failure("claiming", "r1u04", Completed(code, printed, printed))
    assert error is not None
    assert len(str(error)) < 25_000
    deep = failure("claiming", "r1u04", Completed(code, b"[" * 100_000, b""))
    assert deep is not None


def test_redaction_keeps_the_public_pin_and_takes_what_looks_secret() -> None:
    text = f"{SECRETS.ca_pin} {CERTIFICATE_KEY} {TOKEN} r1u04.example.org sesame"
    assert redact(text, [Secret("sesame")]) == f"{SECRETS.ca_pin} **** **** r1u04.example.org ****"
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    assert redact(f"a {pem} b") == "a **** b"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PEM = "-----BEGIN {} KEY-----\nMIIEowIBAAKCAQEAsecret\n-----END {} KEY-----\n"
JWT_PARTS = [encoded('{"alg":"RS256","kid":"x"}'), encoded('{"iss":"kubernetes"}'), "c2ln-bmF0_XJl"]
JWT = ".".join(part.rstrip("=") for part in JWT_PARTS)
CREDENTIALS = {
    "kubeconfig": f"    client-key-data: {encoded('any key at all, c2VjcmV0')}",
    "kubeconfig, quoted": f'"client-key-data": "{encoded("any key at all, c2VjcmV0")}"',
    "a key in base64": f"tls.key: {encoded(PEM.format('RSA PRIVATE', 'RSA PRIVATE'))}",
    "a token of a service account": f"Authorization: Bearer {JWT}",
    "the same in its Secret": f"  token: {encoded(JWT)}",
}


@pytest.mark.parametrize("text", CREDENTIALS.values(), ids=CREDENTIALS)
def test_credentials_of_a_cluster_are_not_shown(text: str) -> None:
    secret = text.split()[-1].strip('"')
    redacted = redact(f"said {text}\nand more")
    assert "****" in redacted
    assert secret[-16:].rstrip("=") not in redacted
    assert redacted.startswith("said ")
    assert redacted.rstrip('"').endswith("and more")


def test_what_is_public_in_a_kubeconfig_is_shown() -> None:
    text = f"certificate-authority-data: {encoded('-----BEGIN CERTIFICATE-----' * 4)} eyJ.x.y a.b.c"
    assert redact(text) == text


def recorded(record: Record) -> str:
    """The record's text as its ConfigMap has it."""
    text: str = json.loads(documents.record(record))["data"]["record"]
    return text


def test_a_record_is_read_as_it_was_written_with_all_that_was_asked_for() -> None:
    assert documents.read_record(recorded(RECORD)) == RECORD
    bare = PoolSpec("b", "1.36.3", 1, 1, ControlPlane(1, Endpoint(address="api.example.org:6443")))
    plain = Record("0badcafe", "", 1, 0, bare, None, {})
    assert documents.read_record(recorded(plain)) == plain


def test_a_record_s_text_is_the_same_however_its_sets_and_mappings_came_to_be() -> None:
    text = recorded(RECORD)
    assert '"zones":["rack1","rack2","rack3"]' in text
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_the_change_that_wrote_a_record_is_said_beside_it() -> None:
    """Where record.sh reads it, whatever the format of the record."""
    metadata = json.loads(documents.record(RECORD))["metadata"]
    assert metadata["annotations"] == {"rpool/change": RECORD.change}


def with_fields(**more: object) -> str:
    return json.dumps(json.loads(recorded(RECORD)) | more)


def test_fields_that_are_coming_are_written_back_as_they_were_found() -> None:
    coming = {name: {"of": [name, 1]} for name in RESERVED}
    record = documents.read_record(with_fields(**coming))
    assert record == replace(RECORD, reserved=coming)
    written = json.loads(recorded(replace(record, wanted=None)))
    assert {name: written[name] for name in coming} == coming
    assert "reserved" not in written


def test_a_record_of_a_newer_format_is_not_guessed_at() -> None:
    """Whatever else is in it: it is no defect, and the user is told what to do."""
    printed = "record\t" + with_fields(format=2, settled="another shape", some_day=1) + "\n"
    with pytest.raises(
        NewerFormat, match=r"r1u04: the record .* has format 2: a newer rpool"
    ) as caught:
        sightings.cluster("r1u04", printed.encode())
    assert "changes nothing. Use the newer version" in caught.value.detail


def part_of(where: str, **more: object) -> str:
    data = json.loads(recorded(RECORD))
    part = data
    for key in where.split("."):
        part = part[key]
    part.update(more)
    return json.dumps(data)


BROKEN_RECORDS: dict[str, str] = {
    "no JSON": "{",
    "no record": "[]",
    "nothing of it": "{}",
    "no format": recorded(RECORD).replace('"format":1,', ""),
    "no number of a format": with_fields(format="1"),
    "a format that never was": with_fields(format=0),
    "truth as a format": with_fields(format=True),
    "a role that is none": recorded(RECORD).replace('"control_plane","zone"', '"dancer","zone"'),
    "a spec without cores": recorded(RECORD).replace('"cores":48,', ""),
    "an unknown field": with_fields(some_day=1),
    "an unknown field of the request": part_of("settled", some_day=1),
    "an unknown field deep in the request": part_of("wanted.kubeadm", some_day=1),
    "an unknown field of a member": part_of("members.r1u04", some_day=1),
}


@pytest.mark.parametrize("text", BROKEN_RECORDS.values(), ids=BROKEN_RECORDS)
def test_a_record_that_cannot_be_read_is_an_error(text: str) -> None:
    """What is unknown in it would be lost when it is written the next time."""
    assert text != recorded(RECORD)
    with pytest.raises(CommandFailed, match="what r1u04 reports of its cluster cannot be read"):
        sightings.cluster("r1u04", f"record\t{text}\nca\tUEVN\n".encode())


MEMBERS = {
    "members": [
        {"ID": 185828541645115251, "name": "r1u04", "clientURLs": ["https://10.0.1.4:2379"]},
        {"ID": 13668033151171901709, "name": "r1u05", "clientURLs": ["https://10.0.1.5:2379"]},
        {"ID": 17300438976491492131, "peerURLs": ["https://10.0.1.6:2380"], "isLearner": True},
    ]
}
HEALTH = [
    {"endpoint": "https://10.0.1.5:2379", "health": False, "error": "context deadline exceeded"},
    {"endpoint": "https://10.0.1.4:2379", "health": True, "took": "7.4ms"},
]


def test_members_of_etcd_are_read_from_what_etcdctl_prints() -> None:
    """As etcdctl 3.6 prints it: numbers for ids, and nothing for what is false or empty."""
    printed = f"members\t{json.dumps(MEMBERS)}\nhealth\t{json.dumps(HEALTH)}\n"
    assert sightings.etcd_members("r1u04", printed.encode()) == (
        EtcdMember("2943212f5e2cf73", "r1u04", votes=True, healthy=True),
        EtcdMember("bdae9bbc11dd390d", "r1u05", votes=True, healthy=False),
        EtcdMember("f017819664191323", "", votes=False, healthy=False, peers=("10.0.1.6",)),
    )


@pytest.mark.parametrize(
    "printed", ["", "members\t{}\nhealth\t[]\n", f"members\t{json.dumps(MEMBERS)}\nhealth\t\n"]
)
def test_what_etcdctl_left_out_is_an_error_and_no_health(printed: str) -> None:
    with pytest.raises(CommandFailed, match="what r1u04 reports of etcd"):
        sightings.etcd_members("r1u04", printed.encode())


def test_a_cluster_is_read_from_lines() -> None:
    control_plane = json.dumps({"node-role.kubernetes.io/control-plane": ""})
    taints = json.dumps([{"key": "gpu", "value": "true", "effect": "NoSchedule"}])
    record = recorded(RECORD)
    ca = base64.b64encode(b"PEM").decode()
    printed = (
        f"node\tr1u04\t{control_plane}\t\tTrue\t15800m\t16374680Ki\t{taints}\n"
        f"node\tr1u05\t{{}}\ttrue\tUnknown 2026-11-29T18:20:11Z\t\t\t\n"
        f"node\tr1u06\t{{}}\t\tFalse yesterday\t\t\t\n"
        f"record\t{record}\nca\t{ca}\nclock\t1795976500\n"
    )
    cluster = sightings.cluster("r1u04", printed.encode())
    assert cluster.record == RECORD
    assert cluster.ca_certificate == "PEM"
    assert not cluster.metallb
    assert not cluster.open_to_joiners
    assert cluster.nodes["r1u04"].control_plane
    assert cluster.nodes["r1u04"].ready
    assert cluster.nodes["r1u04"].allocatable_cores == pytest.approx(15.8)
    assert cluster.nodes["r1u04"].allocatable_memory_gib == pytest.approx(15.616, abs=0.001)
    assert cluster.nodes["r1u04"].taints == (Taint("gpu", "true", "NoSchedule"),)
    assert not cluster.nodes["r1u05"].ready
    assert cluster.nodes["r1u05"].taints == ()
    assert not cluster.nodes["r1u05"].schedulable
    assert cluster.nodes["r1u05"].since == "2026-11-29T18:20:11Z"
    assert cluster.clock_seconds - cluster.nodes["r1u05"].since_seconds == 89
    assert cluster.nodes["r1u06"].since_seconds == 0


def test_a_cluster_without_a_record_has_none() -> None:
    cluster = sightings.cluster("r1u04", b"node\tr1u04\t{}\t\tTrue\t4\t8Gi\t\nrecord\t\nca\tUEVN\n")
    assert cluster.record is None


@pytest.mark.parametrize(
    ("managers", "ours"),
    [("", False), ("helm kubectl", False), ("not-rpool", False), ("kubectl rpool", True)],
)
def test_a_metallb_is_ours_by_its_field_manager(managers: str, ours: bool) -> None:
    assert sightings.cluster("r1u04", f"metallb\t{managers}\n".encode()).metallb is ours


def test_a_join_token_of_ours_leaves_a_cluster_open() -> None:
    assert sightings.cluster("r1u04", b"tokens\tbootstrap-token-x \n").open_to_joiners


@pytest.mark.parametrize("printed", [b"", b"[]", b'{"claim": []}'])
def test_a_probe_that_cannot_be_read_is_an_error(printed: bytes) -> None:
    with pytest.raises(CommandFailed, match="r1u04"):
        sightings.probed("r1u04", printed)

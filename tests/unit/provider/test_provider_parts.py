"""Log lines, durations and the certificate."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from rpool.errors import Problem
from rpool.model import duration
from rpool_provider import certificate
from rpool_provider.resources import durations
from rpool_provider.wire import hclog


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1_764_000_000.5, "2025-11-24T16:00:00.500000Z"),
        (1_764_000_000.9999999, "2025-11-24T16:00:01.000000Z"),
    ],
)
def test_log_times_have_exactly_six_decimals(seconds: float, text: str) -> None:
    assert hclog.timestamp(seconds) == text


def test_a_log_line_is_one_line_of_json_with_its_fields(
    capfd: pytest.CaptureFixture[str],
) -> None:
    hclog.log("info", "two\nlines", pool="batch", step="join s1")
    (line,) = capfd.readouterr().err.splitlines()
    entry = json.loads(line)
    assert entry["@level"] == "info"
    assert entry["@message"] == "two\nlines"
    assert entry["pool"] == "batch"
    assert re.fullmatch(r"[-\d]{10}T[:\d]{8}\.\d{6}Z", entry["@timestamp"])


def test_a_long_log_line_stays_below_what_the_host_would_cut(
    capfd: pytest.CaptureFixture[str],
) -> None:
    hclog.log("info", "x" * 1_000_000)
    assert len(capfd.readouterr().err) < 64 * 1024


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2h", 7200), ("1m1s", 61)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert duration.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "30", "m", "-5m", "5m1h", "1.5h", "30 m", "soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration.seconds(text)


def test_bad_durations_are_told_with_their_path_and_unset_ones_are_not_looked_at() -> None:
    (problem,) = durations.problems({"create": "soon", "delete": None}, ("timeouts",))
    assert isinstance(problem, Problem)
    assert problem.path == ("timeouts", "create")
    assert problem.summary.startswith("timeouts.create:")


def test_the_certificate_is_one_for_localhost_and_for_its_key() -> None:
    identity = certificate.make()
    parsed = x509.load_pem_x509_certificate(identity.certificate_pem)
    assert base64.b64encode(identity.certificate) in identity.certificate_pem.replace(b"\n", b"")
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert parsed.not_valid_before_utc < datetime.now(UTC) < parsed.not_valid_after_utc
    key = load_pem_private_key(identity.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == parsed.public_key()


def test_every_process_has_a_key_of_its_own_and_prints_none() -> None:
    one, other = certificate.make(), certificate.make()
    assert one.key_pem != other.key_pem
    assert one.certificate != other.certificate
    assert "KEY" not in repr(one)

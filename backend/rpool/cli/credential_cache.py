"""Credentials that kubectl gets from a command, kept until shortly before they end.

kubectl forgets a credential when it exits, so without this each call of kubectl would ask a server.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rpool.cli import private_file
from rpool.kubeconfig import exec_credential
from rpool.model.access import Credential
from rpool.model.secret import Secret

SPARE_SECONDS = 120
"""A credential that ends sooner than this is not handed out: the command it is for takes time."""


def kept(words: Sequence[str], new: Callable[[], Credential], folder: Path) -> str:
    """The ExecCredential that a command with these arguments printed before, or a `new` one."""
    name = hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
    path = folder / f"{name}.json"
    credential = _read(path)
    if credential is None or credential.ends_seconds - SPARE_SECONDS < time.time():
        credential = new()
        private_file.write(path, json.dumps(_as_dict(credential)))
    return json.dumps(exec_credential(credential))


def _as_dict(credential: Credential) -> dict[str, object]:
    return {
        "certificate": credential.certificate,
        "key": credential.key.reveal(),
        "ends": credential.ends_seconds,
    }


def _read(path: Path) -> Credential | None:
    try:
        stored = json.loads(path.read_text("utf-8"))
        return Credential(
            str(stored["certificate"]), Secret(str(stored["key"])), float(stored["ends"])
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None  # a new one takes its place

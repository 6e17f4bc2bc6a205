"""Looking for secrets where none may be."""

from __future__ import annotations

import base64
import re
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

# A bootstrap token in the form that kubeadm gives it, and nothing longer that has one inside.
TOKEN = re.compile(rb"(?<![A-Za-z0-9_.-])[a-z0-9]{6}\.[a-z0-9]{16}(?![A-Za-z0-9_.-])")
PRIVATE = b"PRIVATE KEY-----"
KINDS = (b"", b"RSA ", b"EC ", b"OPENSSH ", b"ENCRYPTED ")
# kubeadm's certificate key. A digest is none: it stands behind a name, sha256: or, for the
# certificate by which a user has come to the API, X509SHA256=.
CERTIFICATE_KEY = re.compile(
    rb"(?<!X509SHA256=)(?<![0-9a-zA-Z:/@_.-])[0-9a-f]{64}(?![0-9a-zA-Z_.-])"
)
CERTIFICATE_KEY_OPTION = b"--certificate-key"


@dataclass(frozen=True)
class Canary:
    """The operator's SSH key by its lines, and what tokens and any private key look like; and
    further keys, as they are.
    """

    lines: tuple[bytes, ...]
    keys: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, private_key: str, *keys: str) -> Canary:
        body = [line for line in private_key.splitlines() if "-----" not in line]
        lines = tuple(line.encode() for line in body[1:] if len(line) > 20)
        return cls(lines, tuple(key.encode() for key in keys))

    def in_(self, text: bytes) -> list[str]:
        """What was found, in words that give nothing away."""
        findings = [
            f"line {i + 1} of the SSH key" for i, line in enumerate(self.lines) if line in text
        ]
        findings += [f"a key: {key[:4].decode()}..." for key in self.keys if key in text]
        if PRIVATE in text:
            findings.append("a private key in PEM form")
        for kind in KINDS:
            if any(part in text for part in _base64_forms(b"-----BEGIN %bPRIVATE KEY" % kind)):
                findings.append("a private key in base64, as a kubeconfig has it")
        if CERTIFICATE_KEY_OPTION in text:
            findings.append("a certificate key in a command line")
        findings += [
            f"a certificate key: {hit[:6].decode()}..." for hit in CERTIFICATE_KEY.findall(text)
        ]
        findings += [f"a bootstrap token: {hit[:3].decode()}..." for hit in TOKEN.findall(text)]
        return findings


def _base64_forms(text: bytes) -> list[bytes]:
    """The base64 of `text` at each of the three alignments, less the ends that vary."""
    return [base64.b64encode(b" " * shift + text)[4:-4] for shift in range(3)]


def unpacked(plan: Path) -> bytes:
    """The content of a saved plan, which is a compressed zip file."""
    with zipfile.ZipFile(plan) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


class ProcessWatch:
    """Reads the command line and the environment of every process on the machine, all the time.

    The lab's servers are containers: their processes are seen here, too.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def seen(self) -> bytes:
        """All that was read, less what has the form of a certificate key: ids of containers and
        Terraform's cookie have it, too. A real key stands behind kubeadm's option, which stays.
        """
        return CERTIFICATE_KEY.sub(b"", b"\n".join(sorted(self._seen)).replace(b"\0", b" "))

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                for part in ("cmdline", "environ"):
                    try:
                        self._seen.add((process / part).read_bytes())
                    except OSError:
                        continue

"""Environments of busybox and terraform alone, each of them new, with a user of its own.

The provider comes from a private registry that signs it, and is served on the loopback. The home
cannot be written, and there is no Python and no C library.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from release.bare import HOST, USER, Bare
from release.served import served

from hcp import modelled
from hcp.loopback import listening
from hcp.state_server import State, kept
from hcp.workspace import OUTPUT, Workspace
from rpool_release.layouts import Release

HOME = "/home/agent"


@dataclass(frozen=True)
class There:
    """One such system. `before` are words that go before each command there."""

    bare: Bare
    before: Sequence[str] = ()

    @property
    def work(self) -> Path:
        return self.bare.work

    def start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        return self.start_any("terraform", *words, **variables)

    def start_any(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        environment = {"HOME": HOME, "SSL_CERT_FILE": "/etc/tls.pem", **variables}
        with (self.work / OUTPUT).open("w") as printed:
            return subprocess.Popen(
                self.bare.command(*words, before=self.before),
                env=self.bare.environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )


@dataclass
class Environments:
    """Calling it makes the next one. `kept` is the one folder that is the same in all: the modelled
    servers stay in it, and all else in it is removed. `used` has the ids of the users.
    """

    busybox: Path
    certificate: Path
    kept: Path
    before: Sequence[str] = ()
    used: list[int] = field(default_factory=list)

    @contextmanager
    def __call__(self) -> Iterator[There]:
        self.used.append(next(n for n in itertools.count(USER) if n not in self.used))
        modelled.emptied(self.kept)
        with tempfile.TemporaryDirectory(prefix="rpool-hcp-") as name:
            bare = Bare(Path(name) / "root", self.busybox, self.used[-1], self.kept)
            shutil.copyfile(self.certificate, bare.folder / "etc/tls.pem")
            (bare.folder / HOME[1:]).mkdir(parents=True)
            (bare.folder / HOME[1:]).chmod(0o555)
            yield There(bare, self.before)


@contextmanager
def workspace(
    made: Release,
    environments: Environments,
    configuration: Callable[[str], Mapping[str, bytes]],
    variables: Mapping[str, str],
    namespace: str | None = None,
) -> Iterator[Workspace]:
    """A workspace whose runs are in such environments.

    Its state and the provider's registry are served in that network namespace. Its configuration
    depends on the provider's address.
    """
    state = State()
    registry, backend = listening(namespace), listening(namespace)
    with (
        served(made.folder / "registry", environments.certificate, registry) as port,
        kept(state, backend) as address,
    ):
        files = configuration(f"{HOST}:{port}/resource-pool/rpool")
        yield Workspace(files, dict(variables), environments, state, address)

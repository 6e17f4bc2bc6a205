"""The story of runs in HCP Terraform on real servers: environments of busybox and terraform alone,
at the desk; the provider from a signed registry, the key and all else by variables.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from desk import EXAMPLE, Desk
from hcp.bare import Environments, workspace
from hcp.modelled import BACKEND
from hcp.story import Runs, Told
from hcp.workspace import LOG, Moment
from killing import Point, reach
from lab.settings import write_variables
from release import built
from release.bare import HOST
from release.served import certify

from rpool_release.build import own_platform

pytestmark = [
    pytest.mark.lab,
    pytest.mark.soak,
    pytest.mark.timeout(1800),
    pytest.mark.usefixtures("plain_start"),
]
SIZE = {"TF_VAR_cores": "8", "TF_VAR_memory": "16"}
GROWN = {"TF_VAR_cores": "12", "TF_VAR_memory": "24"}


@pytest.fixture(scope="module")
def told(
    desk: Desk, figure: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    new = tmp_path_factory.mktemp
    tools, certificate = built.tools(new("tools")), certify(HOST, new("tls") / "both.pem")
    environments = Environments(tools / "busybox", certificate, new("work"), desk.words())
    key = Path(desk.site["key_file"]).read_text()
    files, variables = told_by_variables(desk, new("variables"))
    variables |= SIZE | {"TF_VAR_ssh_key": key}

    def configuration(source: str) -> dict[str, bytes]:
        text = files["main.tf"].replace(b"resource-pool/rpool", source.encode())
        return files | {"main.tf": text, "backend.tf": BACKEND}

    with built.throwaway_key(new("gnupg")) as signing:
        made = built.release(new("dist"), signing, own_platform())
        with workspace(made, environments, configuration, variables, desk.lab.desk) as hcp:
            yield Told(
                hcp,
                desk.claims,
                killed_at=at(desk, Point("init *", seconds=4, command="kubeadm init")),
                cancelled_at=at(desk, Point("join *", command="kubeadm join")),
                grown=GROWN,
                secret=key.splitlines()[1],
            )
            figure(
                f"terraform init in an environment of HCP Terraform's kind: "
                f"{min(hcp.init_seconds):.2f} s (least of {len(hcp.init_seconds)})"
            )


class TestRuns(Runs):
    pass


def told_by_variables(desk: Desk, folder: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """The example's files, and the lab's values for its variables, without the key's file."""
    write_variables(desk.lab, folder)
    variables = json.loads((folder / "lab.auto.tfvars.json").read_text())
    del variables["ssh_key_file"]
    files = {path.name: path.read_bytes() for path in EXAMPLE.glob("*.tf")}
    return files | {"fleet.yaml": (folder / "fleet.yaml").read_bytes()}, {
        f"TF_VAR_{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in variables.items()
    }


def at(desk: Desk, point: Point) -> Moment:
    @contextmanager
    def reached(work: Path, process: subprocess.Popen[bytes]) -> Iterator[None]:
        reach(point, desk.lab, process, work / LOG)
        time.sleep(point.seconds)
        yield

    return reached

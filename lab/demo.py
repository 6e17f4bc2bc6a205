"""The demo: one cluster out of the lab's servers by `terraform apply`, and an application on it.

It says what it does before it does it, and leaves everything for the user to play with.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lab.application import manifest
from lab.cache import Cache
from lab.command import LabError
from lab.packages import programs
from lab.settings import write_variables
from lab.site import bring_up, layout
from lab.site.layout import Lab
from lab.terraform import terraform
from lab.versions import release_of

CHECKOUT = Path(__file__).parent.parent
EXAMPLE = CHECKOUT / "examples" / "terraform" / "one-cluster"
SERVERS = 6
APPLICATION_SECONDS = 180.0
KUBECONFIG = Path("build/demo.kubeconfig")
PUT_THERE = ("terraform.tfstate*", "lab.auto.tfvars.json", "fleet.yaml", "site.yaml", ".terraform*")
KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")


def demo(cache: Cache, name: str, kubernetes: str) -> int:
    """Bring up the demo's lab unless it is there, apply the example, show what came of it."""
    binary = terraform(cache)
    if layout.is_complete(name):
        lab = layout.find(name)
    else:
        _headline(
            "A data centre on this machine", "six servers with a plain Debian, in three racks"
        )
        lab = bring_up.up(cache, name, SERVERS, kubernetes)
    write_variables(lab, EXAMPLE)
    tool = Path(binary).name
    _headline(f"{tool} apply", f"in {EXAMPLE.relative_to(CHECKOUT)}")
    _check(_terraform(lab, binary, "apply", "-auto-approve"), f"{tool} apply")
    through = _a_control_plane(lab, binary)
    _headline("A small web application", "behind a LoadBalancer address")
    _on_server(lab, through, *KUBECTL, "apply", "-f", "-", stdin=manifest())
    address, answer = _application(lab, through)
    _headline("The nodes", "")
    print(_on_server(lab, through, *KUBECTL, "get", "nodes", "-o", "wide"))
    print(f"The application answers at http://{address}/ : {answer.strip()}\n")
    release = release_of(lab.kubernetes)
    kubectl = programs.built(cache, programs.kubernetes(release)) / "kubectl"
    print(what_next(lab.name, tool, through, kubectl))
    return 0


def demo_down(cache: Cache, name: str) -> int:
    """Take the demo away: its servers with all that is on them, and the state of the example."""
    bring_up.down(cache, name)
    forget(EXAMPLE)
    (CHECKOUT / KUBECONFIG).unlink(missing_ok=True)
    return 0


def forget(folder: Path) -> None:
    """Remove what the demo and Terraform have put into the example's folder."""
    for pattern in PUT_THERE:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _headline(what: str, more: str) -> None:
    print(f"\n== {what}{f': {more}' if more else ''}", flush=True)


def _at_desk(lab: Lab, *words: str) -> list[str]:
    return ["nsenter", f"--net=/run/netns/{lab.desk}", "--", *words]


def _terraform(lab: Lab, binary: str, *words: str) -> int:
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(CHECKOUT / "build" / "terraformrc")}
    command = _at_desk(lab, binary, f"-chdir={EXAMPLE}", *words)
    return subprocess.run(command, env=environment, check=False).returncode


def _check(status: int, what: str) -> None:
    if status != 0:
        raise LabError(
            f"{what} failed; see above. `make demo` again goes on, `make demo-down` ends"
        )


def _a_control_plane(lab: Lab, binary: str) -> str:
    """A server of the cluster on which kubectl works: any control plane."""
    command = _at_desk(lab, binary, f"-chdir={EXAMPLE}", "output", "-json", "servers")
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(CHECKOUT / "build" / "terraformrc")}
    printed = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    servers: dict[str, str] = json.loads(printed)
    return next(name for name, role in sorted(servers.items()) if role == "control_plane")


def _on_server(lab: Lab, server: str, *words: str, stdin: str = "") -> str:
    """Run a command on a server by the lab's own SSH."""
    command = [sys.executable, "-m", "lab", "ssh", "--name", lab.name, server, *words]
    done = subprocess.run(
        command, input=stdin, text=True, capture_output=True, check=False, cwd=CHECKOUT
    )
    if done.returncode != 0:
        raise LabError(f"{' '.join(words)} on {server} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _application(lab: Lab, through: str) -> tuple[str, str]:
    """Wait until MetalLB gave the service an address and the application answers at it."""
    end = time.monotonic() + APPLICATION_SECONDS
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    address = answer = ""
    while time.monotonic() < end:
        address = _on_server(lab, through, *KUBECTL, "get", "service", "hello", "-o", f"'{path}'")
        answer = _ask(lab, address) if address else ""
        if answer:
            return address, answer
        time.sleep(0.5)
    raise LabError(f"the application did not answer at {address or 'any address'} in time")


def _ask(lab: Lab, address: str) -> str:
    command = _at_desk(lab, "curl", "-s", "-m", "2", f"http://{address}/")
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def what_next(name: str, tool: str, through: str, kubectl: Path) -> str:
    """What a user may type after the demo, and see; `through` is a control plane."""
    lab, folder = f"python -m lab {{}} --name {name}", EXAMPLE.relative_to(CHECKOUT)
    site = f"--site {folder}/site.yaml"
    return f"""What to try next, in {CHECKOUT}:
  . .venv/bin/activate
  export TF_CLI_CONFIG_FILE=$PWD/build/terraformrc
  desk() {{ {lab.format("run")} -- "$@"; }}   # from there alone are the servers seen
  desk rpool list {site}   # whose is which server
  desk rpool show demo {site}
  desk rpool watch demo {site}   # live; Ctrl-C ends it
  desk rpool kubeconfig demo {site} --merge {KUBECONFIG}
  desk {kubectl} --kubeconfig {KUBECONFIG} get pods -o wide
  desk {tool} -chdir={folder} plan
  {lab.format("kill")} {through}   # a control plane loses power; the API goes on
  {lab.format("power-on")} {through}
  desk {tool} -chdir={folder} destroy
`make demo-down` takes everything away."""

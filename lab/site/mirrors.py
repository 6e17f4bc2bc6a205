"""The mirrors of an air-gapped site: packages and manifests by HTTP, images by a registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab.cache import Cache, write
from lab.command import LabError
from lab.packages.apt_repository import fingerprint
from lab.site import cgroups
from lab.site.layout import Lab
from lab.site.machines import start

GROUP = "mirrors"
REGISTRY_PORT = 5000
START_SECONDS = 20.0
PACKAGE_ROOT = Path(__file__).parent.parent.parent


def start_mirrors(cache: Cache, lab: Lab) -> None:
    """Start both servers in the switch's namespace, and wait until they answer."""
    cgroups.make(lab.name, GROUP)
    write(lab.run / "packages_key", fingerprint(cache))
    inside = ["nsenter", f"--net=/run/netns/{lab.switch}"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE_ROOT)}
    web = [sys.executable, "-m", "lab.site.web", str(cache.www), lab.gateway]
    start(lab, GROUP, [*inside, *web], lab.run / "web.log", environment)
    settings = lab.run / "registry.json"
    write(settings, _registry_settings(cache, lab))
    registry = ["docker-registry", "serve", str(settings)]
    start(lab, GROUP, [*inside, *registry], lab.run / "registry.log", environment)
    for url in (f"http://{lab.gateway}/", f"http://{lab.gateway}:{REGISTRY_PORT}/v2/"):
        _wait_for(lab, url)


def addresses(lab: Lab) -> dict[str, Any]:
    """What a provider block's `mirrors` takes."""
    return {
        "packages": f"http://{lab.gateway}/kubernetes",
        "packages_key": (lab.run / "packages_key").read_text(),
        "images": f"http://{lab.gateway}:{REGISTRY_PORT}",
        "insecure_images": True,
        "manifests": f"http://{lab.gateway}/manifests",
    }


def _registry_settings(cache: Cache, lab: Lab) -> str:
    """The registry's configuration: it is YAML, and JSON is YAML."""
    return json.dumps({
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(cache.registry)},
            "maintenance": {"readonly": {"enabled": True}, "uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"{lab.gateway}:{REGISTRY_PORT}"},
    })  # fmt: skip


def _wait_for(lab: Lab, url: str) -> None:
    fetch = f"import urllib.request; urllib.request.urlopen({url!r}, timeout=2)"
    command = ["nsenter", f"--net=/run/netns/{lab.desk}", sys.executable, "-c", fetch]
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run(command, capture_output=True, check=False).returncode != 0:
        if time.monotonic() > deadline:
            logs = "\n".join(path.read_text()[-2000:] for path in lab.run.glob("*.log"))
            raise LabError(f"{url} does not answer; the mirrors' logs:\n{logs}")
        time.sleep(0.1)

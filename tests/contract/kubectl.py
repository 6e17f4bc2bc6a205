"""A kubectl for tests, whose cluster has no nodes and room for one ConfigMap and one request for a
certificate. Each is created once, and replaced only by a call that names the version that is there,
as in an API server. A request that is approved is signed.

    kubectl.py FILE OPTION...
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

UID = "0badf00d-0000-4000-8000-000000000001"


def main(file: Path, words: list[str]) -> None:
    is_request = any(word == "csr" or "certificatesigningrequests" in word for word in words)
    is_new = "create" in words
    if is_request or (is_new and "--raw" not in words):
        file = file.with_name("csr")
    there = json.loads(file.read_text()) if file.exists() else None
    if "wait" in words:
        sys.exit("Error from server (NotFound): there are no nodes here")
    if is_new or "replace" in words:
        there = json.loads(Path(words[words.index("-f") + 1]).read_text())
        write(file, is_new, there)
    template = next((word for word in words if word.startswith("jsonpath=")), "")
    if there is not None and (is_new or {"configmap", "csr"} & set(words)):
        sys.stdout.write(filled(template.removeprefix("jsonpath="), there))


def filled(template: str, value: dict[str, Any]) -> str:
    def part(path: re.Match[str]) -> str:
        if path[1].startswith('"'):
            return str(json.loads(path[1]))
        at: Any = value
        for key in path[1].strip(".").split("."):
            name = key.partition("[")[0]
            at = at[name] if not isinstance(at, list) else " ".join(item[name] for item in at)
        return str(at)

    return re.sub(r"\{([^}]*)\}", part, template)


def write(file: Path, new: bool, wanted: dict[str, Any]) -> None:
    there = json.loads(file.read_text()) if file.exists() else None
    metadata = wanted["metadata"]
    if new and there is not None:
        sys.exit("Error from server (AlreadyExists): it is there")
    named = metadata.keys() & {"uid", "resourceVersion"}
    if not new and (there is None or any(metadata[k] != there["metadata"][k] for k in named)):
        sys.exit("Error from server (Conflict): it is another by now")
    metadata |= {"uid": UID, "resourceVersion": str(int(metadata.get("resourceVersion", "0")) + 1)}
    if "status" in wanted:
        wanted["status"]["certificate"] = signed(wanted["spec"])
    file.write_text(json.dumps(wanted))


def signed(spec: dict[str, Any]) -> str:
    """What the cluster's signer makes of a request: its certificate, in base64."""
    pki = "/etc/kubernetes/pki"
    command = [
        *("openssl", "x509", "-req", "-CA", f"{pki}/ca.crt", "-CAkey", f"{pki}/ca.key"),
        *("-set_serial", "1", "-days", "1"),
    ]
    request = base64.b64decode(spec["request"])
    done = subprocess.run(command, input=request, capture_output=True, check=True)
    return base64.b64encode(done.stdout).decode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

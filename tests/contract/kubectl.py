"""A kubectl for tests, whose cluster has no nodes and room for one ConfigMap: that is created once,
and replaced by who names the version that is there, as an API server has it.

    kubectl.py FILE OPTION...
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


def main(file: Path, words: list[str]) -> None:
    there = json.loads(file.read_text()) if file.exists() else None
    if "configmap" in words and there is not None:
        template = next(word for word in words if word.startswith("jsonpath="))
        sys.stdout.write(filled(template.removeprefix("jsonpath="), there))
    elif "wait" in words:
        sys.exit("Error from server (NotFound): there are no nodes here")
    elif "--raw" in words:
        write(file, "create" in words, json.loads(Path(words[-1]).read_text()), there)


def filled(template: str, value: dict[str, Any]) -> str:
    def part(found: re.Match[str]) -> str:
        if found[1].startswith('"'):
            return str(json.loads(found[1]))
        at: Any = value
        for key in found[1].strip(".").split("."):
            at = at[key]
        return str(at)

    return re.sub(r"\{([^}]*)\}", part, template)


def write(file: Path, new: bool, wanted: dict[str, Any], there: dict[str, Any] | None) -> None:
    its = wanted["metadata"]
    if new and there is not None:
        sys.exit("Error from server (AlreadyExists): it is there")
    if not new and (
        there is None or there["metadata"]["resourceVersion"] != its["resourceVersion"]
    ):
        sys.exit("Error from server (Conflict): it is another by now")
    its["resourceVersion"] = str(int(its.get("resourceVersion", "0")) + 1)
    file.write_text(json.dumps(wanted))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

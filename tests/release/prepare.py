"""Prepares a server that is a function, with the role and the Ansible of an archive: run by the
archive's own Python, with the folder of `fakes.py` as its argument.
"""

import importlib
import sys
from typing import Any

from rpool.reach.ansible import run_preparation


def main() -> None:
    sys.path.append(sys.argv[1])
    fakes: Any = importlib.import_module("fakes")
    server = fakes.FakeServer("r1u04")
    outcomes: dict[str, Any] = {}
    servers = fakes.FakeServers({"r1u04": server})
    run_preparation(servers, fakes.site(), [fakes.prepare("r1u04")], 60, outcomes.__setitem__)
    print(outcomes, list(server.scripts))


if __name__ == "__main__":
    main()

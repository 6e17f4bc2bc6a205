"""`make audit`: whether anything that is locked has a known vulnerability, as pip-audit is told.

A finding fails, and so does whatever cannot be understood. Only where the service that knows the
vulnerabilities cannot be reached it is said, in one line, and passes: `make check` works without a
network, and nobody takes that for an audit.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

LOCKS = ("requirements.lock", "requirements-dev.lock")

_PIP_AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"),
    *("--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off"),
)
_NO_NETWORK = re.compile(
    r"^requests\.exceptions\.(ConnectionError|ProxyError|ReadTimeout)\b"
    r"|Could not connect to",
    re.MULTILINE,
)
_SHOWN_LINES = 20


class Unreachable(Exception):
    """The service that knows the vulnerabilities did not answer."""


class Unclear(Exception):
    """The output of pip-audit, where it is no result."""


def findings(lock: Path, service: str | None = None) -> list[str]:
    """The known vulnerabilities of the packages in a lock file, a line each.

    `service`: the address of another service with OSV's interface. Raises Unreachable or Unclear.
    """
    other = ("--osv-url", service) if service else ()
    command = [*_PIP_AUDIT, *other, "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
        lines = [line for package in packages for line in _vulnerabilities(package)]
    except (ValueError, KeyError, TypeError):
        if _NO_NETWORK.search(done.stderr):
            raise Unreachable from None
        raise Unclear("\n".join(done.stderr.splitlines()[-_SHOWN_LINES:])) from None
    if bool(lines) != bool(done.returncode) or not packages:
        raise Unclear(f"pip-audit ended with {done.returncode}, of {len(packages)} packages")
    return lines


def _vulnerabilities(package: dict[str, Any]) -> Iterator[str]:
    if "skip_reason" in package:
        raise Unclear(f"{package['name']} was not looked at: {package['skip_reason']}")
    for vulnerability in package["vulns"]:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        yield f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", help="address of a service with OSV's interface")
    parser.add_argument("locks", nargs="*", default=LOCKS, type=Path, metavar="LOCK")
    chosen = parser.parse_args(arguments)
    failed = [_fails(lock, chosen.service) for lock in chosen.locks]  # each is looked at
    return int(any(failed))


def _fails(lock: Path, service: str | None) -> bool:
    """Prints the result for one lock file; True where it is a reason to stop."""
    try:
        lines = findings(Path(lock), service)
    except Unreachable:
        print(f"audit: {lock}: NOT DONE, the service that knows vulnerabilities cannot be reached")
        return False
    except Unclear as why:
        print(f"audit: {lock}: failed.\n{why}")
        return True
    print(f"audit: {lock}: {'known vulnerabilities:' if lines else 'none known'}")
    print("".join(f"  {line}\n" for line in lines), end="")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())

"""How long Terraform waits for the plugin: `PYTHONPATH=tests python -m protocol.handshake_time
[LAUNCHER]`, of the checkout unless a launcher is named.

Prints the least of several runs, in milliseconds, beside that of a bare Python started the same
way, since a machine under load makes both slower alike.
"""

from __future__ import annotations

import subprocess
import sys
import time

from protocol.plugin_process import LAUNCHER, PYTHON, PluginProcess


def bare_seconds() -> float:
    began = time.perf_counter()
    subprocess.run([PYTHON, "-I", "-S", "-c", "print()"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def handshake_seconds(launcher: str) -> float:
    with PluginProcess([launcher]) as plugin:
        return plugin.handshake.seconds


RUNS = 20


def main(launcher: str) -> None:
    pairs = [(bare_seconds(), handshake_seconds(launcher)) for _ in range(RUNS)]
    bare, handshake = (min(column) * 1000 for column in zip(*pairs, strict=True))
    print(f"exec to handshake {handshake:.0f} ms, bare Python {bare:.0f} ms (least of {RUNS})")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(LAUNCHER))

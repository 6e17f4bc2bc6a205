"""The number of cuts, as a figure at the end of a run."""

from __future__ import annotations

from pytest import TerminalReporter


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])]
    cuts = [value for r in reports for key, value in r.user_properties if key == "cuts"]
    if cuts:
        terminalreporter.write_line(f"scripts were cut off {sum(cuts)} times, in {len(cuts)} tests")

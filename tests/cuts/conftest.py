"""The number of cuts, as a figure at the end of a run."""

from __future__ import annotations

from pytest import TerminalReporter


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reports = [its for kind in ("passed", "failed") for its in terminalreporter.stats.get(kind, [])]
    made = [value for its in reports for key, value in its.user_properties if key == "cuts"]
    if made:
        terminalreporter.write_line(f"scripts were cut off {sum(made)} times, in {len(made)} tests")

"""Rules of the whole run: a test that skips says why, or the run fails; a slow machine fails no test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, settings

from subcut.compiler.formats.tensorflow.framework import SETTINGS

# Before whatever test imports TensorFlow first: its results depend on them.
os.environ.update(SETTINGS)

# A run in the background of a shell ignores the interrupt, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# CI draws the same examples every time: what fails there fails again.
settings.register_profile(
    "subcut",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("subcut")

NO_REASON = {"", "Skipped", "unconditional skip"}


class SkipReasons:
    """Collects the skips that give no reason and fails the run for them."""

    def __init__(self) -> None:
        self.silent: list[str] = []

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Remember `report` when it is a skip without a reason."""
        if report.skipped and not hasattr(report, "wasxfail") and not _reason(report):
            self.silent.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.silent and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in _lines(self.silent):
            terminalreporter.write_line(line, red=True)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """What the skip says: pytest keeps it as file, line and `Skipped: <reason>`."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
    reason = text.removeprefix("Skipped:").strip()
    return "" if reason in NO_REASON else reason


def _lines(silent: Iterable[str]) -> list[str]:
    return [f"ERROR {name}: skipped without a reason" for name in silent]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SkipReasons(), "skip-reasons")

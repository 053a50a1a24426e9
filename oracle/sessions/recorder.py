"""A test session's record of its checks, test by test, by way of pytest's own reports of the tests.

These reach the controller of pytest-xdist from its workers as well, so that one process and many keep the same record.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from backproof.reports import ReportError
from backproof.sessions.witnesses import WITNESSES

if TYPE_CHECKING:
    from backproof.cases.spec import NetworkSpec
    from backproof.judging.verdicts import Check
    from backproof.sessions.session import Noted

CARGO: Final = "backproof_checks"
"""The attribute of a test's report in which its checks travel: a dict of texts, which any protocol can carry."""

OUTSIDE: Final = -1
"""The place in the order of tests of what is checked outside of them, as while they are collected."""


class Recorder:
    """Notes what is checked, gathers it at the controller, writes it when the session ends.

    place: the directory for the tables.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._order: dict[str, int] = {}
        self._at = OUTSIDE
        self._count = 0
        self._noted: list[Noted] = []
        self._heard: list[str] = []
        self._failures: dict[str, str] = {}
        self._lost: list[str] = []
        self._told = ""
        WITNESSES.append(self._note)

    def close(self) -> None:
        """Hear no more."""
        WITNESSES.remove(self._note)

    def _note(self, candidate: str, spec: NetworkSpec, checks: tuple[Check, ...]) -> None:
        from backproof.sessions.session import Noted

        self._noted.append(Noted(self._at, self._count, candidate, spec.id, checks))
        self._count += 1

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The order of the tests, which is the same in every worker."""
        self._order = {item.nodeid: number for number, item in enumerate(session.items)}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._at = self._order.get(nodeid, OUTSIDE)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """What has been checked since the last report goes with this one."""
        report = yield
        cargo = {}
        if self._noted:
            from backproof.sessions.session import packed

            cargo["noted"] = packed(self._noted)
            self._noted.clear()
        if call.excinfo is not None and report.failed:
            texts = list(_diagnoses(call.excinfo.value))
            if texts:
                cargo["failure"] = "\n\n".join(texts)
        if cargo:
            setattr(report, CARGO, cargo)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """At the controller: what a test has checked."""
        # In a worker, too; but what its own recorder hears is never written.
        cargo: dict[str, Any] = getattr(report, CARGO, {})
        if "noted" in cargo:
            self._heard.append(cargo["noted"])
        if "failure" in cargo:
            self._failures[report.nodeid] = cargo["failure"]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker of pytest-xdist has gone; with an error, in the middle of a test."""
        if error:
            self._lost.append(str(node.gateway.id))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the tables, or say why there are none."""
        if hasattr(session.config, "workerinput"):
            return
        if not self._heard:
            self._told = "no table is written: nothing called check_gradients"
            return
        from backproof.sessions.session import unpacked, write

        noted = [each for text in self._heard for each in unpacked(text)]
        failures = dict(sorted(self._failures.items()))
        try:
            self._told = write(self.place, noted, failures=failures, lost=len(self._lost))
        except ReportError as error:
            self._told = str(error)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What has become of the tables."""
        terminalreporter.write_line(f"backproof: {self._told}")


def _diagnoses(error: BaseException) -> Iterator[str]:
    """The texts of the gradients found wrong, in an exception or in a group of several."""
    from backproof.sessions.assertion import GradientError

    if isinstance(error, GradientError):
        yield error.text
    for each in getattr(error, "exceptions", ()):
        yield from _diagnoses(each)

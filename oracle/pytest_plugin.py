"""The pytest plugin: `pytest --backproof-report DIR` writes the tables of all checks that a test session makes.

It is part of every pytest session wherever Backproof is installed. So it imports nothing but pytest until it is asked
for a report, and neither NumPy nor PyTorch before the first check.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, in a group of its own in `pytest --help`."""
    parser.getgroup("backproof", "gradients held to PyTorch's").addoption(
        "--backproof-report",
        metavar="DIR",
        help="write the tables of everything that check_gradients checks in this session: summary.md, checks, "
        "discrepancies and strata",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep a record where one is wanted.  Raises UsageError, before any test, where it could not be written."""
    directory = config.getoption("backproof_report")
    if directory is None:
        return
    import pytest

    from backproof.reports import ReportError
    from backproof.reports.places import check_place
    from backproof.sessions.recorder import Recorder

    place = config.invocation_params.dir / directory
    # A worker of pytest-xdist only tells the controller what it has seen.
    if not hasattr(config, "workerinput"):
        try:
            check_place(place)
        except ReportError as error:
            raise pytest.UsageError(f"--backproof-report: {error}") from None
    config.pluginmanager.register(Recorder(place), "backproof-recorder")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the programs that were asked, if any check was made at all."""
    if (recorder := config.pluginmanager.get_plugin("backproof-recorder")) is not None:
        recorder.close()
    if (assertion := sys.modules.get("backproof.sessions.assertion")) is not None:
        assertion.end_programs()

"""What is written into the directory of a finished run, beside the rows that went there while it was under way.

First what only the run knows, as data; then, when all of that is there, what is read off these files alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backproof.diagnosis.script import script
from backproof.environment import environment
from backproof.outcome import Report
from backproof.reports.places import SCHEMA, SCREEN
from backproof.screen import told


def publish(directory: Path, report: Report, command: Mapping[str, Any]) -> None:
    """Write what the report says; command: what is noted of how it came about."""
    from backproof.reports import files

    for name in ("strata", "pairs", "sorts", "groups", "scaling", "equations", "accuracy"):
        if name in report.tables:
            files.write_table(directory, name, report.tables[name])
    files.write_data_dictionary(directory)
    files.write_json(directory, files.ENVIRONMENT, {**environment(), **command})
    files.write_json(directory, "verdict.json", report.to_json())
    if report.findings is not None and report.findings.shown is not None and report.hints == "all":
        (directory / "smallest.py").write_text(script(report.findings.shown), encoding="utf-8")
    files.write_json(directory, SCREEN, screens(told(report), notes=_stopped(report)))


def screens(
    *said: Mapping[str, Any], notes: Sequence[str] = (), failures: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What is told of one candidate or several, as SCREEN holds it.  failures: title -> text."""
    return {"schema": SCHEMA, "screens": said, "notes": notes, "told": list((failures or {}).items())}


def _stopped(report: Report) -> list[str]:
    return [f"Stopped {report.stopped}: all of this is about these."] if report.stopped else []


def complete(directory: Path) -> None:
    """Charge the rows that fail to what the diagnosis found, and make the page: from the files that are there."""
    from backproof.reach import charge
    from backproof.reports.rendering import render

    charge(directory)
    render(directory)

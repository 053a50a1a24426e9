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
    from backproof.publishing.reach import charge
    from backproof.reports.rendering import render

    charge(directory)
    render(directory)


def write_results(report: Report, *, junit: Path | None = None, summary: Path | None = None) -> None:
    """A run in single files, for a server and for the page of a job, as its directory has them.  Raises ReportError."""
    from backproof.reports.junit import of_run
    from backproof.reports.places import place
    from backproof.reports.summary import summary as as_markdown
    from backproof.reports.tables import table

    strata = table("strata", list(report.tally.rows()))
    if junit is not None:
        place(junit, [of_run(report.candidate, report.verdict, str(report), strata)])
    if summary is not None:
        place(summary, [as_markdown(str(report), strata, table("scaling", report.scaling)).encode()])


def write_error(junit: Path | None, summary: Path | None, *, suite: str, candidate: str, error: BaseException) -> str:
    """A server shows what it is given: a run that could not begin is an error there as well.

    Returns what hindered that; empty where nothing did.
    """
    from backproof.reports import ReportError
    from backproof.reports.junit import Entry
    from backproof.reports.junit import junit as as_xml
    from backproof.reports.places import place
    from backproof.reports.summary import fenced

    try:
        if junit is not None:
            place(junit, [as_xml(suite, candidate, [Entry("the whole run", error=str(error))])])
        if summary is not None:
            place(summary, [f"# Backproof\n\n{fenced(f'{candidate}: cannot run. {error}')}\n".encode()])
    except ReportError as hindrance:
        return str(hindrance)
    return ""


def write_table(
    place: Path, name: str, rows: Sequence[Sequence[object]], *, headline: str, text: str, command: Mapping[str, Any]
) -> None:
    """A report directory of one table that no run of `check` made, with its page.

    headline: what came of it; text: what a terminal showed. Raises ReportError.
    """
    from backproof.reports import files
    from backproof.reports.rendering import render
    from backproof.reports.tables import table

    said = {"candidate": f"backproof {name}", "head": "", "tone": "", "word": headline, "headline": "", "text": text}
    with files.report_directory(place) as fresh:
        files.write_table(fresh, name, table(name, rows))
        files.write_data_dictionary(fresh)
        files.write_json(fresh, files.ENVIRONMENT, {**environment(), **command})
        files.write_json(fresh, SCREEN, screens({**said, "card": [], "facts": []}))
        render(fresh)

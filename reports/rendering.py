"""What is made from the other files of a report directory, and can be made from them again at any time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backproof.reports.junit import of_run
from backproof.reports.measures import Measures, measured
from backproof.reports.page import PAGE, page
from backproof.reports.places import place
from backproof.reports.reading import Run, read_run
from backproof.reports.summary import summary


def render(directory: Path, *, png: bool = False) -> tuple[Path, ...]:
    """Write the page of a finished run, and what servers read, into its directory: the same as before, to the byte.

    png: the plots as pictures too. Returns what was written. Raises ReportError where the directory is no report, is
    damaged, or was written by another version.
    """
    run = read_run(directory)
    measures = measured(run.batches("checks"), run.table("pairs"))
    written = []
    for name, content in _made(run, measures, png=png):
        place(directory / name, [content])
        written.append(directory / name)
    return tuple(written)


def _made(run: Run, measures: Measures, *, png: bool) -> Iterator[tuple[str, bytes]]:
    yield PAGE, page(run, measures).encode()
    if "checks" in run.tables:
        yield "summary.md", summary_of(run).encode()
        yield "junit.xml", junit_of(run)
    if png:
        from backproof.reports.plots import pictures

        for name, content in pictures(measures):
            yield f"{name}.png", content


def summary_of(run: Run) -> str:
    """The run in Markdown, for the page of a job."""
    text = "\n\n".join([*(screen.text.rstrip() for screen in run.screens), *run.notes])
    return summary(text, run.table("strata"), run.table("scaling"), told=run.told)


def junit_of(run: Run) -> bytes:
    """The run as tests, for a server."""
    told = "\n\n".join(screen.text.rstrip() for screen in run.screens)
    return of_run(run.candidate, str(run.verdict.get("verdict", "")), told, run.table("strata"))

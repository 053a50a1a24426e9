"""`backproof guard`: hold a candidate to the accuracy that was accepted before."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from backproof.commands.terminal import (
    check_files,
    foreseen,
    progress,
    refuse,
    spare,
    stdout_to_stderr,
    stop,
    without_torch,
)

if TYPE_CHECKING:
    from backproof.candidates.contract import Candidate
    from backproof.guard import Guarded
    from backproof.outcome import Report


def guard(  # noqa: PLR0917  typer reads names and defaults; nobody calls it by position
    candidate: Annotated[str, typer.Argument(help="scratch, my_net.py, my_net.py:name, exec:./my_net; as for check")],
    baseline: Annotated[Path, typer.Option(help="the CSV file with the accepted accuracy")],
    update: Annotated[bool, typer.Option("--update", help="accept the accuracy that it has now")] = False,
    cases: Annotated[
        int | None,
        typer.Option(help="with --update: how many random networks", min=1, show_default="as before, or 1000"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="with --update: which networks are drawn", min=0, show_default="as before, or 0")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="with --update: torch or exact", show_default="as before, or torch")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML for a server", show_default="none")] = None,
    summary: Annotated[Path | None, typer.Option(help="Markdown for a job's page", show_default="none")] = None,
    workers: Annotated[int | None, typer.Option(help="processes", min=1, show_default="by the number of cases")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="seconds that a candidate may take for one case; after timeouts in a row less, down to a sixteenth",
            min=0.01,
            show_default="10",
        ),
    ] = None,
) -> None:
    """Fail where a candidate has become worse than its baseline; a candidate's code is run, without a sandbox."""
    from backproof.candidates.contract import TIMEOUT
    from backproof.candidates.loading import load_one

    if not update and (cases, seed, reference) != (None, None, None):
        raise typer.BadParameter("cases, seed and reference are the baseline's: change them with --update")
    if update and (junit or summary):
        raise typer.BadParameter("--update writes the baseline, and no --junit or --summary: run again without it")
    if reference not in (None, "torch", "exact"):
        raise typer.BadParameter(f"the reference is torch or exact; got {reference!r}", param_hint="--reference")
    settings = {"cases": cases, "seed": seed, "truth": reference}
    make = f"backproof guard {shlex.quote(candidate)} --baseline {shlex.quote(str(baseline))} --update"
    spare(candidate, junit, summary)
    try:
        # What a candidate prints must not mix with the verdict.
        with stdout_to_stderr():
            subject = load_one(candidate, timeout=TIMEOUT if timeout is None else timeout, apart=True)
            check_files(baseline if update else None, junit, summary)
            if update:
                report = _update(subject, baseline, make, {**settings, "workers": workers})
            else:
                guarded = _guarded(subject, baseline, make, workers)
    except foreseen() as error:
        other = ", or hold it to exact arithmetic, which needs none, from now on: --update --reference exact"
        refuse(
            candidate, without_torch(error, other), suite="backproof guard", junit=junit, summary=summary, as_json=False
        )
    if update:
        _tell_update(report, baseline)
    _tell(guarded, baseline, make)
    _write(guarded, junit, summary)
    raise typer.Exit(guarded.exit_code)


def _update(subject: Candidate, path: Path, make: str, settings: dict[str, Any]) -> Report:
    from backproof.guard import accepted
    from backproof.reports.baselines import read_baseline
    from backproof.route import CASES

    before = read_baseline(path, command=make, renew=True) if path.exists() else None
    total = settings["cases"] or (CASES if before is None else before.cases)
    with progress(subject.name, total) as told:
        return accepted(subject, path, before=before, progress=told, **settings)


def _guarded(subject: Candidate, path: Path, make: str, workers: int | None) -> Guarded:
    from backproof.guard import guard as held
    from backproof.reports.baselines import read_baseline

    baseline = read_baseline(path, command=make)
    with progress(subject.name, baseline.cases) as told:
        return held(subject, baseline, workers=workers, progress=told)


def _write(guarded: Guarded, junit: Path | None, summary: Path | None) -> None:
    from backproof.reports import ReportError
    from backproof.reports.places import place

    try:
        if junit is not None:
            place(junit, [guarded.junit()])
        if summary is not None:
            place(summary, [guarded.summary().encode()])
    except ReportError as error:
        stop(guarded.candidate, error, as_json=False)


def _tell_update(report: Report, path: Path) -> NoReturn:
    """What was accepted; or why not, with the screen of the run that shows it."""
    if report.verdict == "agrees" and not report.interrupted:
        strata, cases = len(report.tally.strata), report.tally.cases
        typer.echo(f"{path}: {strata} strata of {report.candidate}, {cases:,} random networks, seed {report.seed}")
        typer.echo("allowed is the next power of two above twice what was observed: edit it where you want it tighter")
        raise typer.Exit
    typer.echo(str(report))
    typer.echo(f"backproof: {path} is not written: a baseline accepts accuracy, and no mistakes", err=True)
    raise typer.Exit(report.exit_code or 2)


def _tell(guarded: Guarded, path: Path, make: str) -> None:
    if guarded.report.verdict != "agrees":
        typer.echo(str(guarded.report))
    cases = guarded.baseline.cases
    typer.echo(f"{guarded.candidate}   guarded by {path}   {cases:,} random networks, seed {guarded.baseline.seed}")
    width = max(12, *(len(label) + 2 for label, _ in guarded.lines()))
    for label, text in guarded.lines():
        typer.echo(f"{label:<{width}}{text}")
    if not guarded.holds and guarded.report.verdict == "agrees":
        typer.echo(f"{'Accept it':<{width}}{make}")

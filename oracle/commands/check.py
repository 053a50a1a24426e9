"""`backproof check`: hold a candidate to the reference on random networks."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from backproof.commands import options
from backproof.commands.terminal import check_files, foreseen, progress, refuse, spare, stdout_to_stderr, stop
from backproof.reports.columns import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backproof.candidates.contract import Candidate
    from backproof.outcome import Report

_BY_WHOM: Final = ("--workers", "--scheduler")


def check(  # noqa: PLR0917  typer reads names and defaults; nobody calls it by position
    candidate: Annotated[
        str, typer.Argument(help="scratch, torch, my_net.py, my_net.py:name, package.module:name or exec:./my_net")
    ] = "scratch",
    cases: Annotated[
        int | None, typer.Option(help="how many random networks", min=1, show_default="1000, or all that were recorded")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="the same seed draws the same networks on every machine", min=0, show_default="0")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="directory for the tables", show_default="none")] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="insist on going on with an unfinished run; where there is one, that is done anyway"
        ),
    ] = False,
    stop_after: Annotated[
        int | None, typer.Option(help="end after so many networks that disagree", min=1, show_default="never")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="networks whose rows are all in checks", min=0, show_default=str(ROWS))
    ] = None,
    case: Annotated[list[str] | None, typer.Option(help="examine this one case, by its id; may be repeated")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
    reference: Annotated[
        str | None, typer.Option(help="what is held to be right: torch or exact", show_default="torch")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="a recording: its networks, its reference, no PyTorch", show_default="none")
    ] = None,
    strict_kinks: Annotated[
        bool, typer.Option("--strict-kinks", help="another subgradient than PyTorch's is a failure")
    ] = False,
    certify: Annotated[
        bool, typer.Option("--certify", help="measure every true error, by exact arithmetic: slower by ten times")
    ] = False,
    hints: Annotated[str, typer.Option(help="how much is told of what is wrong: none, where or all")] = "all",
    script: Annotated[
        Path | None,
        typer.Option(
            help="where to write the smallest failing network as a script that needs numpy and torch alone",
            show_default="none",
        ),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML for a server", show_default="none")] = None,
    summary: Annotated[Path | None, typer.Option(help="Markdown for a job's page", show_default="none")] = None,
    workers: Annotated[int | None, typer.Option(help="processes", min=1, show_default="by the number of cases")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="of a Dask cluster, like tcp://10.0.0.1:8786", show_default="none")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="seconds that a candidate may take for one case; after timeouts in a row less, down to a sixteenth",
            min=0.01,
            show_default="10",
        ),
    ] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="run a Python candidate in this process, as a debugger needs it")
    ] = False,
    activations: options.Activations = None,
    output_activations: options.OutputActivations = None,
    losses: options.Losses = None,
    reductions: options.Reductions = None,
    dtypes: options.Dtypes = None,
    values: options.Values = None,
    depth: options.Depth = None,
    width: options.Width = None,
    batch_size: options.BatchSize = None,
    penalties: options.Penalties = None,
) -> None:
    """Hold a candidate to the reference on random networks; a candidate's code is run, without a sandbox.

    Exit codes: 0 agrees, 1 disagrees, 2 nothing could be compared or the command cannot be done, 130 ended by Ctrl-C
    and right until then.
    """
    fields = options.fields(
        activations=activations,
        output_activations=output_activations,
        losses=losses,
        reductions=reductions,
        dtypes=dtypes,
        values=values,
        depth=depth,
        width=width,
        batch_size=batch_size,
        penalties=penalties,
    )
    if vectors is not None and reference is not None:
        raise typer.BadParameter("--vectors bring their own reference: leave it out", param_hint="--reference")
    if vectors is not None and seed is not None:
        raise typer.BadParameter("--vectors bring their own networks: leave it out", param_hint="--seed")
    if case and (cases is not None or seed is not None):
        raise typer.BadParameter("it names the networks itself: leave out --cases and --seed", param_hint="--case")
    if reference not in (None, "torch", "exact"):
        raise typer.BadParameter(f"the reference is torch or exact; got {reference!r}", param_hint="--reference")
    if scheduler is not None and workers is not None:
        raise typer.BadParameter("a cluster has workers of its own: leave --workers out", param_hint="--scheduler")
    if in_process and (scheduler is not None or workers not in (None, 1)):
        raise typer.BadParameter("others cannot work in this process: leave them out", param_hint="--in-process")
    if hints not in ("none", "where", "all"):
        raise typer.BadParameter(f"hints are none, where or all; got {hints!r}", param_hint="--hints")
    if script is not None and hints != "all":
        raise typer.BadParameter(
            f"a script shows the right numbers, which --hints {hints} keeps back: leave one out", param_hint="--script"
        )
    settings = {
        "cases": cases,
        "seed": seed or 0,
        "ids": tuple(case or ()),
        "truth": reference or ("torch" if vectors is None else "exact"),
        "vectors": vectors,
        "strict_kinks": strict_kinks,
        "certify": certify,
        "hints": hints,
        "workers": 1 if in_process else workers,
        "scheduler": scheduler,
        "report": report,
        "resume": resume,
        "stop_after": stop_after,
        "command": shlex.join(["backproof", *_asked(sys.argv[1:])]),
        "notice": lambda text: typer.echo(f"backproof: {text}", err=True),
        **({} if rows is None else {"rows": rows}),
    }
    spare(candidate, junit, summary, script)
    try:
        # What a candidate prints must not mix with the verdict, least of all with JSON.
        with stdout_to_stderr():
            found = _loaded(candidate, timeout, in_process=in_process)
            check_files(junit, summary, script)
            one = as_json or any(place is not None for place in (report, junit, summary))
            outcomes = _checked(candidate, found, fields, settings, one=one)
    except foreseen() as error:
        refuse(candidate, error, suite="backproof check", junit=junit, summary=summary, as_json=as_json)
    try:
        _show(outcomes, as_json=as_json)
    finally:  # whoever reads the screen may have seen enough, as `head` does
        _write(outcomes, junit, summary, script)
    raise typer.Exit(_exit_code(outcomes))


def _exit_code(outcomes: Sequence[Report]) -> int:
    """The worst of several; that one was interrupted is less than that another disagrees."""
    from backproof.outcome import INTERRUPTED

    codes = {outcome.exit_code for outcome in outcomes}
    return max(codes - {INTERRUPTED, 0}, default=max(codes))


def _write(outcomes: list[Report], junit: Path | None, summary: Path | None, script: Path | None) -> None:
    """The files that were asked for. The verdict is out: where one cannot be written, only that is still to be said."""
    from backproof.publishing.publication import write_results
    from backproof.reports import ReportError

    try:
        if junit is not None or summary is not None:
            write_results(outcomes[0], junit=junit, summary=summary)
        if script is not None:
            _write_script(outcomes, script)
    except ReportError as error:
        stop(outcomes[0].candidate, error, as_json=False)


def _asked(words: Sequence[str]) -> Iterator[str]:
    """The command line without what says nothing of the result: by whom it was worked out, and in how many goes."""
    rest = iter(words)
    for word in rest:
        if word in _BY_WHOM:
            next(rest, None)
        elif word != "--resume" and not word.startswith(tuple(f"{option}=" for option in _BY_WHOM)):
            yield word


def _write_script(outcomes: list[Report], path: Path) -> None:
    """The smallest failing network of the first candidate that has one; nothing where there is none."""
    from backproof.diagnosis.script import script
    from backproof.reports.places import place

    shown = [each.findings.shown for each in outcomes if each.findings is not None and each.findings.shown is not None]
    if shown:
        place(path, [script(shown[0]).encode()])
        return
    right = all(each.verdict == "agrees" for each in outcomes)
    why = "nothing fails" if right else "no failing network has numbers to show"
    typer.echo(f"backproof: {why}, so that {path} was not written", err=True)


def _loaded(candidate: str, timeout: float | None, *, in_process: bool) -> tuple[Candidate, ...]:
    from backproof.candidates.contract import TIMEOUT
    from backproof.candidates.loading import load

    return load(candidate, timeout=TIMEOUT if timeout is None else timeout, apart=not in_process)


def _checked(
    candidate: str, found: tuple[Candidate, ...], fields: dict[str, Any], settings: dict[str, Any], *, one: bool
) -> list[Report]:
    """A report for each candidate that the text names."""
    from backproof.candidates.contract import CandidateError
    from backproof.cases.settings import DomainError
    from backproof.contact.probe import first_contact
    from backproof.narrowing import narrowed
    from backproof.route import CASES
    from backproof.route import check as examined

    if one and len(found) > 1:
        held = ", ".join(each.name for each in found)
        raise CandidateError(
            f"{candidate} holds {len(found)} candidates, and --json, --report, --junit and --summary take one: {held}"
        )
    asked = []
    for each in found:  # before any of them is examined
        if not settings["ids"]:
            first_contact(each, truth=settings["truth"])
        try:
            asked.append((each, narrowed(each.domain, **fields)))
        except DomainError as error:
            raise DomainError(f"{each.name}: {error}" if len(found) > 1 else str(error)) from None
    outcomes: list[Report] = []
    for each, domain in asked:
        drawn = None if settings["vectors"] else settings["cases"] or CASES  # how many were recorded will be seen
        with progress(each.name, len(settings["ids"]) or drawn) as told:
            outcomes.append(examined(each, domain, keep=bool(settings["ids"]), progress=told, **settings))
        if outcomes[-1].interrupted:
            break
    return outcomes


def _show(outcomes: list[Report], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(outcomes[0].to_json(), allow_nan=False))
        return
    from rich.console import Console

    from backproof.screen import show

    console = Console(highlight=False)
    for number, outcome in enumerate(outcomes):
        if number:
            console.print()
        show(outcome, console)

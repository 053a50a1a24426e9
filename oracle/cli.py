"""The command line: `backproof check`.

Exit codes: 0 agrees, 1 disagrees, 2 cannot run. Progress and messages go to stderr, the verdict to stdout.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

if TYPE_CHECKING:
    from backproof.outcome import Report

# Matrices of this size do not gain from threads, and lose when every process wants all of them. This must be said
# before NumPy and PyTorch are imported, which this module leaves to the commands.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

_REDRAW: Final = 0.1
"""Seconds between two redrawings of the progress bar."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Tells whether handwritten backpropagation is right, and if not, where.",
)


def main() -> None:
    """The console script."""
    app(prog_name="backproof")


def _version(asked: bool) -> None:
    if asked:
        from backproof.environment import version

        typer.echo(f"backproof {version('backproof')}, PyTorch {version('torch') or 'not installed'}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the versions and end.")
    ] = False,
) -> None:
    """What comes before the command."""


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _span(text: str | None) -> int | tuple[int, ...] | None:
    """`4`, or `1-30` for a range."""
    if text is None:
        return None
    low, dash, high = text.partition("-")
    try:
        return (int(low), int(high)) if dash else int(low)
    except ValueError:
        raise typer.BadParameter(f"a number or a range is wanted, like 4 or 1-30; got {text!r}") from None


@app.command()
def check(  # noqa: PLR0917  typer reads names and defaults; nobody calls it by position
    candidate: Annotated[
        str, typer.Argument(help="scratch, torch, my_net.py, my_net.py:name or package.module:name")
    ] = "scratch",
    cases: Annotated[int, typer.Option(help="how many random networks", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="the same seed draws the same networks on every machine")] = 0,
    report: Annotated[Path | None, typer.Option(help="directory for the tables", show_default="none")] = None,
    case: Annotated[list[str] | None, typer.Option(help="examine this one case, by its id; may be repeated")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
    reference: Annotated[str, typer.Option(help="what is held to be right: torch or exact")] = "torch",
    strict_kinks: Annotated[
        bool, typer.Option("--strict-kinks", help="another subgradient than PyTorch's is a failure")
    ] = False,
    certify: Annotated[
        bool, typer.Option("--certify", help="measure every true error, by exact arithmetic: slower by ten times")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="processes", min=1, show_default="by the number of cases")] = None,
    activations: Annotated[str | None, typer.Option(help="of hidden layers, like relu,leaky_relu=0.2")] = None,
    output_activations: Annotated[str | None, typer.Option(help="of the last layer, like softmax")] = None,
    losses: Annotated[str | None, typer.Option(help="like mse,cross_entropy")] = None,
    reductions: Annotated[str | None, typer.Option(help="of none, sum, mean, batchmean")] = None,
    dtypes: Annotated[str | None, typer.Option(help="of float64, float32")] = None,
    values: Annotated[str | None, typer.Option(help="how arrays are filled, like normal,saturated")] = None,
    depth: Annotated[str | None, typer.Option(help="layers, like 4 or 1-30")] = None,
    width: Annotated[str | None, typer.Option(help="width of the inputs and layers, like 16 or 1-64")] = None,
    batch_size: Annotated[str | None, typer.Option(help="samples, like 1 or 1-32")] = None,
    penalties: Annotated[str | None, typer.Option(help="none, mixed, or one, like 0.01+0.1+N")] = None,
) -> None:
    """Hold a candidate to the reference on random networks; a candidate's code is run, without a sandbox."""
    fields = {
        "activations": _names(activations),
        "output_activations": _names(output_activations),
        "losses": _names(losses),
        "reductions": _names(reductions),
        "dtypes": _names(dtypes),
        "values": _names(values),
        "depth": _span(depth),
        "width": _span(width),
        "batch_size": _span(batch_size),
        "penalties": penalties,
    }
    if reference not in ("torch", "exact"):
        raise typer.BadParameter(f"the reference is torch or exact; got {reference!r}", param_hint="--reference")
    settings = {
        "cases": cases,
        "seed": seed,
        "ids": tuple(case or ()),
        "truth": reference,
        "strict_kinks": strict_kinks,
        "certify": certify,
        "workers": workers,
        "report": report,
        "command": shlex.join(["backproof", *sys.argv[1:]]),
    }
    try:
        # What a candidate prints must not mix with the verdict, least of all with JSON.
        with redirect_stdout(sys.stderr):
            outcomes = _checked(candidate, fields, settings, one=as_json or report is not None)
    except _foreseen() as error:
        _stop(candidate, error, as_json=as_json)
    _show(outcomes, as_json=as_json)
    raise typer.Exit(max(outcome.exit_code for outcome in outcomes))


def _checked(candidate: str, fields: dict[str, Any], settings: dict[str, Any], *, one: bool) -> list[Report]:
    """A report for each candidate that the text names."""
    from backproof.candidates.contract import CandidateError, load
    from backproof.narrowing import narrowed
    from backproof.route import check as examined

    found = load(candidate)
    if one and len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise CandidateError(f"{candidate} holds {len(found)} candidates, and --json and --report take one: {names}")
    outcomes = []
    for each in found:
        with _progress(each.name, len(settings["ids"]) or settings["cases"]) as progress:
            domain = narrowed(each.domain, **fields)
            outcomes.append(examined(each, domain, keep=bool(settings["ids"]), progress=progress, **settings))
    return outcomes


def _foreseen() -> tuple[type[Exception], ...]:
    """Errors whose text is meant for the person at the terminal; any other is a defect of ours, and shows itself."""
    from backproof.candidates.contract import CandidateError
    from backproof.cases.settings import DomainError
    from backproof.cases.spec import SpecError
    from backproof.examine import ReferenceMissingError
    from backproof.reports import ReportError

    return (CandidateError, DomainError, SpecError, ReferenceMissingError, ReportError)


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr, where that is a terminal; what it yields hears (cases, wrong cases)."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[wrong]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(escape(name), total=total, wrong="")
        drawn = 0.0

        def told(cases: int, wrong: int) -> None:
            nonlocal drawn
            if time.monotonic() - drawn >= _REDRAW:
                bar.update(task, completed=cases, wrong=f"{wrong:,} wrong" if wrong else "")
                drawn = time.monotonic()

        yield told


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


def _stop(candidate: str, error: BaseException, *, as_json: bool) -> NoReturn:
    """One paragraph on stderr that says what to do, and exit code 2."""
    if as_json:
        typer.echo(json.dumps({"schema": 1, "candidate": candidate, "verdict": "cannot_run", "message": str(error)}))
    typer.echo(f"backproof: {error}", err=True)
    raise typer.Exit(2)

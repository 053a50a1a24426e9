"""`backproof check`: hold a candidate to the reference on random networks."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backproof.commands.terminal import foreseen, names, progress, span, stop

if TYPE_CHECKING:
    from backproof.candidates.contract import Candidate
    from backproof.outcome import Report


def check(  # noqa: PLR0917  typer reads names and defaults; nobody calls it by position
    candidate: Annotated[
        str, typer.Argument(help="scratch, torch, my_net.py, my_net.py:name, package.module:name or exec:./my_net")
    ] = "scratch",
    cases: Annotated[
        int | None, typer.Option(help="how many random networks", min=1, show_default="1000, or all that were recorded")
    ] = None,
    seed: Annotated[int, typer.Option(help="the same seed draws the same networks on every machine")] = 0,
    report: Annotated[Path | None, typer.Option(help="directory for the tables", show_default="none")] = None,
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
    workers: Annotated[int | None, typer.Option(help="processes", min=1, show_default="by the number of cases")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="seconds that a candidate may take for one case", min=0.01, show_default="10")
    ] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="run a Python candidate in this process, as a debugger needs it")
    ] = False,
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
        "activations": names(activations),
        "output_activations": names(output_activations),
        "losses": names(losses),
        "reductions": names(reductions),
        "dtypes": names(dtypes),
        "values": names(values),
        "depth": span(depth),
        "width": span(width),
        "batch_size": span(batch_size),
        "penalties": penalties,
    }
    if vectors is not None and reference is not None:
        raise typer.BadParameter("--vectors bring their own reference: leave it out", param_hint="--reference")
    if reference not in (None, "torch", "exact"):
        raise typer.BadParameter(f"the reference is torch or exact; got {reference!r}", param_hint="--reference")
    if hints not in ("none", "where", "all"):
        raise typer.BadParameter(f"hints are none, where or all; got {hints!r}", param_hint="--hints")
    settings = {
        "cases": cases,
        "seed": seed,
        "ids": tuple(case or ()),
        "truth": reference or ("torch" if vectors is None else "exact"),
        "vectors": vectors,
        "strict_kinks": strict_kinks,
        "certify": certify,
        "hints": hints,
        "workers": workers,
        "report": report,
        "command": shlex.join(["backproof", *sys.argv[1:]]),
    }
    try:
        # What a candidate prints must not mix with the verdict, least of all with JSON.
        with redirect_stdout(sys.stderr):
            found = _loaded(candidate, timeout, in_process=in_process)
            outcomes = _checked(candidate, found, fields, settings, one=as_json or report is not None)
    except foreseen() as error:
        stop(candidate, error, as_json=as_json)
    _show(outcomes, as_json=as_json)
    if script is not None:
        _write_script(outcomes, script, hints)
    raise typer.Exit(max(outcome.exit_code for outcome in outcomes))


def _write_script(outcomes: list[Report], place: Path, hints: str) -> None:
    """The smallest failing network of the first candidate that has one; nothing where nothing fails or may be told."""
    from backproof.diagnosis.script import script

    shown = [each.findings.shown for each in outcomes if each.findings is not None and each.findings.shown is not None]
    if not shown or hints == "none":
        typer.echo(f"backproof: nothing fails, so that {place} was not written", err=True)
        return
    try:
        place.write_text(script(shown[0]), encoding="utf-8")
    except OSError as error:
        typer.echo(f"backproof: cannot write {place}: {error.strerror}", err=True)
        raise typer.Exit(2) from None


def _loaded(candidate: str, timeout: float | None, *, in_process: bool) -> tuple[Candidate, ...]:
    from backproof.candidates.contract import TIMEOUT, load

    return load(candidate, timeout=TIMEOUT if timeout is None else timeout, apart=not in_process)


def _checked(
    candidate: str, found: tuple[Candidate, ...], fields: dict[str, Any], settings: dict[str, Any], *, one: bool
) -> list[Report]:
    """A report for each candidate that the text names."""
    from backproof.candidates.contract import CandidateError
    from backproof.narrowing import narrowed
    from backproof.probe import first_contact
    from backproof.route import CASES
    from backproof.route import check as examined

    if one and len(found) > 1:
        held = ", ".join(each.name for each in found)
        raise CandidateError(f"{candidate} holds {len(found)} candidates, and --json and --report take one: {held}")
    outcomes = []
    for each in found:
        if not settings["ids"]:
            first_contact(each, truth=settings["truth"])
        with progress(each.name, len(settings["ids"]) or settings["cases"] or CASES) as told:
            domain = narrowed(each.domain, **fields)
            outcomes.append(examined(each, domain, keep=bool(settings["ids"]), progress=told, **settings))
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

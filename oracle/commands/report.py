"""`backproof report`: make the page of a finished run again, or hold two runs against each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from backproof.commands.terminal import stop

if TYPE_CHECKING:
    from backproof.reports.comparing import Comparison

MOST: Final = 20
"""How many changes of a kind the screen shows."""


def report(
    directory: Annotated[Path, typer.Argument(help="what `backproof check --report` wrote")],
    other: Annotated[Path | None, typer.Argument(help="a later run, held against it", show_default="none")] = None,
    png: Annotated[bool, typer.Option("--png", help="the plots as pictures too, beside the page")] = False,
    summary: Annotated[
        Path | None, typer.Option(help="with two runs: Markdown for a job's page", show_default="none")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    """Make the page of a finished run again, from its files alone; or compare two: exit code 1 where one is worse."""
    from backproof.reports import ReportError

    if other is None and summary is not None:
        raise typer.BadParameter(f"{directory} has its summary.md; this is of two runs", param_hint="--summary")
    if other is not None and png:
        raise typer.BadParameter("pictures are of one run: name one directory", param_hint="--png")
    try:
        if other is None:
            _made(directory, png=png, as_json=as_json)
            return
        found = _compared(directory, other, summary)
    except ReportError as error:
        stop(str(directory), error, as_json=as_json)
    if as_json:
        typer.echo(json.dumps(found.to_json(), allow_nan=False))
    else:
        _show(found)
    raise typer.Exit(found.exit_code)


def _made(directory: Path, *, png: bool, as_json: bool) -> None:
    from backproof.reports.reading import read_run
    from backproof.reports.rendering import render

    written = render(directory, png=png)
    if as_json:
        typer.echo(json.dumps(dict(read_run(directory).verdict), allow_nan=False))
        return
    typer.echo(f"{directory}: {', '.join(path.name for path in written)}")


def _compared(before: Path, after: Path, summary: Path | None) -> Comparison:
    from backproof.reports.comparing import compared
    from backproof.reports.places import place
    from backproof.reports.reading import read_run

    found = compared(read_run(before), read_run(after))
    if summary is not None:
        place(summary, [found.markdown().encode()])
    return found


def _show(found: Comparison) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    style = "bold red" if found.exit_code else "bold green"
    word, colon, rest = found.headline.partition(":")
    console.print(Text.assemble((word, style), colon, rest), soft_wrap=True)
    for label, text in found.lines():
        console.print(Text.assemble((f"{label:<8}", "bold"), text), soft_wrap=True)
    if found.changes:
        console.print()
    for way, colour in (("worse", "red"), ("better", "green"), ("changed", "yellow")):
        changes = [change for change in found.changes if change.way == way]
        for change in changes[:MOST]:
            told = f"{change.what:<10} {change.name}: {change.before} -> {change.after}"
            console.print(Text.assemble((f"{way:<8}", colour), told), soft_wrap=True)
        if len(changes) > MOST:
            more = f"{'':<8}and {len(changes) - MOST:,} more: --json has all of them, and so has --summary FILE"
            console.print(more, soft_wrap=True)

"""`backproof power`: how small an error Backproof and the usual gradient checks always find."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from backproof.commands.terminal import check_files, foreseen, names, stop


def power(  # noqa: PLR0917  typer reads names and defaults; nobody calls it by position
    depths: Annotated[str | None, typer.Option(help="of the networks, like 1,8,30")] = None,
    widths: Annotated[str | None, typer.Option(help="of all layers, like 4,64")] = None,
    dtypes: Annotated[str | None, typer.Option(help="of float64, float32")] = None,
    cases: Annotated[int, typer.Option(help="networks of each dtype, depth and width", min=1)] = 12,
    seed: Annotated[int, typer.Option(help="the same seed gives the same table", min=0)] = 0,
    tightness: Annotated[bool, typer.Option("--tightness", help="the bounds: how tight, at what cost")] = False,
    networks: Annotated[int, typer.Option(help="for each row of --tightness", min=1)] = 200,
    csv: Annotated[Path | None, typer.Option(help="write the tidy table there too", show_default="none")] = None,
    report: Annotated[Path | None, typer.Option(help="directory for table and page", show_default="none")] = None,
) -> None:
    """Measure the smallest error that Backproof and the usual gradient checks always find; takes minutes."""
    fields: dict[str, Any] = {"depths": _numbers(depths), "widths": _numbers(widths), "dtypes": names(dtypes)}
    try:
        from backproof.power.table import Grid, run
        from backproof.reports.places import check_place

        grid = Grid(cases=cases, **{name: value for name, value in fields.items() if value is not None})
        if report is not None:
            check_place(report)
        check_files(csv)
        command = shlex.join(["backproof", *sys.argv[1:]])
        settings: dict[str, Any] = {
            "tightness": tightness,
            "networks": networks,
            "csv": csv,
            "report": report,
            "command": command,
        }
        text = run(grid, seed=seed, **settings)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        stop("power", RuntimeError("it holds all checks to PyTorch: install backproof[torch]"), as_json=False)
    except foreseen() as error:
        stop("power", error, as_json=False)
    except ValueError as error:  # a grid without cells
        stop("power", error, as_json=False)
    typer.echo(text, nl=False)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    """`1,8,30` as a tuple."""
    try:
        return None if text is None else tuple(int(number) for number in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"whole numbers are wanted, like 1,8,30; got {text!r}") from None

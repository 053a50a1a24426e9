"""`backproof faults`: plant every fault in the handwritten network, and see whether each is found and rightly named."""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backproof.commands.terminal import foreseen, progress, stop, without_torch

if TYPE_CHECKING:
    from rich.table import Table

    from backproof.diagnosis.confusion import Trial


def faults(
    names: Annotated[list[str] | None, typer.Argument(help="faults to plant; every one where none is named")] = None,
    pairs: Annotated[int, typer.Option(help="how many random pairs of faults to plant as well", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="the same seed draws the same networks and pairs", min=0)] = 0,
    report: Annotated[Path | None, typer.Option(help="directory for the table", show_default="none")] = None,
) -> None:
    """Plant every fault, alone and in pairs, and print what was found and how it was named."""
    from backproof.diagnosis.faults import BY_NAME, FAULTS
    from backproof.reports.places import check_place

    for name in names or ():
        if name not in BY_NAME:
            close = difflib.get_close_matches(name, list(BY_NAME), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise typer.BadParameter(f"no fault {name!r}.{hint} `backproof explain` lists all {len(FAULTS)}.")
    chosen = [BY_NAME[name] for name in names] if names else list(FAULTS)
    try:
        if report is not None:
            check_place(report)
        trials = list(_planted([fault.name for fault in chosen], pairs, seed))
        _show(trials)
        if report is not None:
            _write(trials, report, seed)
    except foreseen() as error:
        stop("faults", without_torch(error, "; planted faults are held to nothing else"), as_json=False)
    raise typer.Exit(1 if any(trial.missed or trial.result == "wrongly" for trial in trials) else 0)


def _planted(names: list[str], pairs: int, seed: int) -> Iterator[Trial]:
    from itertools import chain

    from backproof.diagnosis.confusion import alone, in_pairs
    from backproof.diagnosis.faults import BY_NAME

    wrong = 0
    with progress("faults", len(names) + pairs) as told:
        trials = chain((alone(BY_NAME[name], seed=seed) for name in names), in_pairs(pairs, seed=seed))
        for number, trial in enumerate(trials, 1):
            wrong += trial.result == "wrongly"
            if told is not None:
                told(number, wrong)
            yield trial


def _show(trials: list[Trial]) -> None:
    """The confusion matrix by equation, what is not named rightly alone, and the sums."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from backproof.diagnosis.confusion import RESULTS, by_equation, summary

    console = Console(highlight=False, width=None if Console().is_terminal else 140)
    table = Table(box=box.SIMPLE, title="planted faults: on how many networks found, and how named")
    for column in ("planted", "faults", "networks", "found", "undecided", "missed", *RESULTS):
        table.add_column(column, justify="left" if column == "planted" else "right")
    for equation, group in by_equation(trials).items():
        counts = summary(group)
        table.add_row(
            equation,
            str(len(group)),
            *(str(sum(getattr(trial, name) for trial in group)) for name in ("differ", "found", "undecided", "missed")),
            *(str(counts[result]) for result in RESULTS),
        )
    console.print(table)
    console.print(_kills(trials))
    console.print(_confusion(trials))
    for trial in trials:
        if trial.result != "rightly":
            named = f": named {', '.join(trial.named)}" if trial.named else ""
            others = f"; equally {', '.join(trial.also_fits)}" if trial.also_fits else ""
            console.print(f"{trial.result:<13} {' + '.join(trial.faults)}{named}{others}", soft_wrap=True)
    console.print(_sum(trials))


def _sum(trials: list[Trial]) -> str:
    """How many were named rightly, of those that can be seen at all."""
    from backproof.diagnosis.confusion import summary

    counts = summary(trials)
    seen = len(trials) - counts["equivalent"]
    right = counts["rightly"] + counts["among equals"]
    return f"named rightly, alone or among equals: {right} of {seen}; wrongly: {counts['wrongly']}"


def _kills(trials: list[Trial]) -> Table:
    """The kill matrix: how many faults of each equation fail each quantity on some network."""
    from rich import box
    from rich.table import Table

    from backproof.diagnosis.confusion import QUANTITIES, kills

    table = Table(box=box.SIMPLE, title="planted faults by the quantity that gives them away")
    for column in ("planted", *QUANTITIES):
        table.add_column(column, justify="left" if column == "planted" else "right")
    for equation, counts in kills(trials).items():
        table.add_row(equation, *(str(counts[quantity]) for quantity in QUANTITIES))
    return table


def _confusion(trials: list[Trial]) -> Table:
    """The confusion matrix of single faults: the equation that each breaks, against that of the name it got."""
    from rich import box
    from rich.table import Table

    from backproof.diagnosis.confusion import confusion

    counts = confusion(trials)
    named = list(dict.fromkeys(name for _, name in counts))
    table = Table(box=box.SIMPLE, title="planted faults (rows) by the equation of the name that they got (columns)")
    for column in ("planted", *named):
        table.add_column(column, justify="left" if column == "planted" else "right")
    for planted in dict.fromkeys(planted for planted, _ in counts):
        table.add_row(planted, *(str(counts.get((planted, name), "")) for name in named))
    return table


def _write(trials: list[Trial], place: Path, seed: int) -> None:
    from backproof.publishing.publication import write_table

    rows = [trial.row() for trial in trials]
    command = {"command": shlex.join(["backproof", *sys.argv[1:]]), "seed": seed}
    write_table(place, "faults", rows, headline=_sum(trials), text=f"{_sum(trials)}\n", command=command)

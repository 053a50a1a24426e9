"""How small an error each way of checking gradients always finds, measured side by side: `backproof power`.

    networks -> correct gradients -> an error of known size in them -> every checker -> the smallest size always found

Correct gradients are multiplied by 1 + eps, eps = 2^-k, in the first layer, in every layer, or in one entry. For each
dtype, depth and width stands the smallest eps that a checker finds in each of the networks; beside it, how often it
finds gradients that are zero or of the wrong sign, and how often it accuses correct ones: a check that cries wolf has
no power. The same seed gives the same table.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from backproof.cases.case import build_case
from backproof.cases.catalogue import ACTIVATIONS, DTYPES, LOSSES
from backproof.cases.formula import Formula
from backproof.cases.spec import NetworkSpec
from backproof.power.checkers import (
    CHECKERS,
    CORRECT,
    PIECEWISE_LINEAR,
    PLACES,
    SMOOTH,
    Checker,
    Error,
    Finder,
    Place,
    Subject,
    finest_found,
    finest_of,
)
from backproof.reports import places
from backproof.reports.tables import markdown as markdown_table

if TYPE_CHECKING:
    import pandas as pd

ZEROED: Final = Error("first layer", 0.0)
FLIPPED: Final = Error("first layer", -1.0)

Progress = Callable[[int, int, str], None]
"""Hears (cells done, cells in all, the cell that was done)."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The cells of the table: every dtype with every depth and width, the same width in all layers.

    A cell has `cases` networks; activations (the same in all hidden layers; the output is linear) and losses take
    turns. All arrays have the normal filling, and the reduction is `mean`, PyTorch's default.
    """

    dtypes: Sequence[str] = DTYPES
    depths: Sequence[int] = (1, 2, 4, 8, 16, 30)
    widths: Sequence[int] = (4, 16, 64)
    cases: int = 12
    batch_size: int = 2
    activations: Sequence[str] = tuple(name for pair in zip(SMOOTH, PIECEWISE_LINEAR, strict=True) for name in pair)
    losses: Sequence[str] = ("mse", "cross_entropy")

    def __post_init__(self) -> None:
        for name in ("dtypes", "depths", "widths", "activations", "losses"):
            if not getattr(self, name):
                raise ValueError(f"{name} must name at least one; got none")
        for name in ("depths", "widths"):
            if any(type(number) is not int or number < 1 for number in getattr(self, name)):
                numbers = ", ".join(map(str, getattr(self, name)))
                raise ValueError(f"{name} must be whole numbers, each at least 1; got {numbers}")
        if self.cases < 1:
            raise ValueError(f"cases must be at least 1; got {self.cases}")

    @property
    def cells(self) -> list[Cell]:
        """All cells, in the order of the table."""
        return [
            Cell(self, dtype, depth, width) for dtype in self.dtypes for depth in self.depths for width in self.widths
        ]


@dataclass(frozen=True)
class Cell:
    """One dtype, depth and width of a grid."""

    grid: Grid
    dtype: str
    depth: int
    width: int

    @property
    def name(self) -> str:
        """As progress tells it."""
        return f"{self.dtype}, depth {self.depth}, width {self.width}"

    def specs(self, number: int, seed: int) -> Iterator[NetworkSpec]:
        """The specs among which the network `number` is found: alike, but for their seeds."""
        grid = self.grid
        hidden = Formula.parse(grid.activations[number % len(grid.activations)], ACTIVATIONS)
        loss = grid.losses[number // len(grid.activations) % len(grid.losses)]
        for attempt in count():
            yield NetworkSpec(
                widths=(self.width,) * (self.depth + 1),
                activations=(*[hidden] * (self.depth - 1), Formula.parse("identity", ACTIVATIONS)),
                loss=Formula.parse(loss, LOSSES),
                reduction="mean",
                batch_size=grid.batch_size,
                dtype=self.dtype,
                values="normal",
                seed=(seed * grid.cases + number) * 10_000 + attempt,
                biases=(True,) * self.depth,
            )

    def subjects(self, seed: int) -> Iterator[Subject]:
        """The cell's networks; one whose first layer has no gradient is passed over: a factor is no error in zeros."""
        for number in range(self.grid.cases):
            for spec in self.specs(number, seed):
                case = build_case(spec)
                answer = CORRECT.answer(case)
                if np.any(answer.weights[0]):
                    yield Subject(case, answer)
                    break


@dataclass
class Record:
    """What one checker has shown in one cell so far."""

    finest: int
    exponents: dict[Place, int] = field(default_factory=dict)
    heard: int = 0
    alarms: int = 0
    zeroed: int = 0
    flipped: int = 0

    def add(self, finds: Finder, *, only_alarms: bool) -> None:
        """One more network. What a checker says of wrong gradients counts for nothing where it accuses right ones."""
        if finds(None):
            self.alarms += 1
            return
        self.heard += 1
        if only_alarms:
            return
        self.zeroed += finds(ZEROED)
        self.flipped += finds(FLIPPED)
        for place in PLACES:
            self.exponents[place] = finest_found(finds, place, self.exponents.get(place, self.finest))

    def smallest(self, place: Place) -> float:
        """The smallest eps found in every network; inf where even 1 was not, nan where there is nothing to say."""
        if place not in self.exponents:
            return math.nan
        exponent = self.exponents[place]
        return math.inf if exponent < 0 else 2.0**-exponent


def power(
    grid: Grid | None = None,
    *,
    seed: int = 0,
    checkers: Sequence[str] = tuple(CHECKERS),
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The table: one row for each cell, checker and place of the error.

    Columns: dtype, depth, width, cases; error, the place; checker; smallest, the smallest relative error that it found
    in every network (inf: not even 1; nan: not measured, `note` says why); zeroed and flipped, in how many networks it
    found a first layer's gradient that was zero or had the wrong sign; heard, how many those are that it did not accuse
    when their gradients were right; false_alarms, how many it did; note.
    """
    import pandas as pd

    grid = Grid() if grid is None else grid
    rows: list[dict[str, object]] = []
    for done, cell in enumerate(grid.cells):
        rows += _measured(cell, seed, [CHECKERS[name] for name in checkers])
        if progress is not None:
            progress(done + 1, len(grid.cells), cell.name)
    return pd.DataFrame(rows)


def _measured(cell: Cell, seed: int, checkers: Sequence[Checker]) -> Iterator[dict[str, object]]:
    spec = next(cell.specs(0, seed))
    finest = finest_of(cell.dtype)
    records = {checker.name: Record(finest) for checker in checkers if not checker.why_not(spec)}
    for subject in cell.subjects(seed):
        for checker in checkers:
            if checker.name in records:
                records[checker.name].add(checker.prepare(subject), only_alarms=bool(checker.only_alarms(spec)))
    for place in PLACES:
        for checker in checkers:
            record = records.get(checker.name, Record(finest))
            counts = checker.name in records and not checker.only_alarms(spec)
            first = counts and place == "first layer"
            yield {
                "dtype": cell.dtype,
                "depth": cell.depth,
                "width": cell.width,
                "cases": cell.grid.cases,
                "error": place,
                "checker": checker.name,
                "smallest": record.smallest(place),
                "zeroed": record.zeroed if first else None,
                "flipped": record.flipped if first else None,
                "heard": record.heard if checker.name in records else None,
                "false_alarms": record.alarms if checker.name in records else None,
                "note": checker.only_alarms(spec) or checker.why_not(spec) or _wolf(record),
            }


def _wolf(record: Record) -> str:
    return "" if record.heard else f"accuses all {record.alarms} correct ones"


def to_markdown(frame: pd.DataFrame) -> str:
    """The table as it is read: a row for each cell, a column for each checker; then what each does over all cells."""
    parts = []
    for place in PLACES:
        rows = frame[frame["error"] == place]
        parts.append(f"## Smallest relative error that is always found: {_PLACES[place]}\n\n{_side_by_side(rows)}")
    first = frame[frame["error"] == PLACES[0]]
    parts.append(f"## Correct, zeroed and sign-flipped gradients of the first layer\n\n{_counts(first)}")
    return "\n\n".join(parts) + "\n"


_PLACES: Final[Mapping[Place, str]] = {
    "first layer": "dW and db of the first layer times 1 + eps",
    "every layer": "dW and db of every layer times 1 + eps",
    "largest entry": "the largest entry of the first layer's dW times 1 + eps",
}


def _side_by_side(rows: pd.DataFrame) -> str:
    import pandas as pd

    names = list(dict.fromkeys(rows["checker"]))
    lines: dict[tuple[object, ...], dict[str, str]] = {}
    for row in rows.to_dict("records"):
        line = lines.setdefault((row["dtype"], row["depth"], row["width"]), {})
        line[str(row["checker"])] = _cell(float(row["smallest"]), str(row["note"]), row["false_alarms"])
    cells = [dict(zip(("dtype", "depth", "width"), map(str, key), strict=True)) | line for key, line in lines.items()]
    return _markdown(pd.DataFrame(cells, columns=["dtype", "depth", "width", *names]))


def _cell(smallest: float, note: str, alarms: object) -> str:
    if math.isnan(smallest):
        return note
    text = "not even 1" if math.isinf(smallest) else f"{smallest:.1e}"
    return f"{text}; {alarms:.0f} false alarms" if alarms else text


def _counts(rows: pd.DataFrame) -> str:
    import pandas as pd

    lines = []
    for (dtype, name), found in rows.groupby(["dtype", "checker"], sort=False):
        run = found[found["heard"].notna()]
        measured = run[run["zeroed"].notna()]
        heard = int(measured["heard"].sum())
        lines.append(
            {
                "dtype": dtype,
                "checker": name,
                "correct networks": f"{int(run['cases'].sum())}",
                "false alarms": f"{int(run['false_alarms'].sum())}",
                "zeroed, found": f"{int(measured['zeroed'].sum())} of {heard}",
                "sign-flipped, found": f"{int(measured['flipped'].sum())} of {heard}",
            }
        )
    return _markdown(pd.DataFrame(lines))


def _markdown(frame: pd.DataFrame) -> str:
    import pyarrow as pa

    text: str = markdown_table(pa.Table.from_pandas(frame, preserve_index=False), list(frame.columns))
    return text


def run(
    grid: Grid | None = None,
    *,
    seed: int = 0,
    tightness: bool = False,
    networks: int = 200,
    csv: Path | None = None,
    report: Path | None = None,
    command: str | None = None,
) -> str:
    """The table as Markdown, or with `tightness` that of `tightness.py`.

    csv: a file for it as well. report: a directory for it and its page, where `command` is noted. Raises ReportError.

    Progress goes to stderr. Timings want one thread: OMP_NUM_THREADS=1 before NumPy is imported.
    """
    started = time.monotonic()

    def progress(done: int, total: int, name: str) -> None:
        print(f"{done}/{total}  {time.monotonic() - started:.0f} s  {name}", file=sys.stderr, flush=True)

    if tightness:
        from backproof.power import tightness as figures

        frame = figures.tightness(networks=networks, seed=seed, progress=progress)
        text = _markdown(frame) + "\n"
    else:
        frame = power(grid, seed=seed, progress=progress)
        text = to_markdown(frame)
    if csv is not None:
        places.place(csv, [frame.to_csv(index=False).encode()])
    if report is not None:
        _write(frame, report, text, tightness=tightness, command={"command": command, "seed": seed})
    return text


def _write(frame: pd.DataFrame, directory: Path, text: str, *, tightness: bool, command: Mapping[str, object]) -> None:
    """A report directory of the table: what is not measured, or is no number, is an empty cell."""
    from backproof.publishing.publication import write_table
    from backproof.reports.columns import TABLES

    name = "tightness" if tightness else "power"
    headline = "How tight the bounds are" if tightness else "The smallest error that is always found"
    found = frame.replace({True: "yes", False: "no"}) if tightness else frame
    rows = found[list(TABLES[name].names)].astype(object).where(frame.notna(), None)
    write_table(directory, name, rows.to_numpy().tolist(), headline=headline, text=text, command=command)

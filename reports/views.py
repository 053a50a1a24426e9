"""Tables as the page shows them: which columns, under which headings, each cell as text and as what it is sorted by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from backproof.reports.columns import TABLES, Column
from backproof.reports.measures import Measures, Spread, fails

_HEADINGS: Final = {
    "max_abs_error": "error",
    "error_over_bound": "error / bound",
    "worst_error_over_bound": "worst error / bound",
    "median_error_over_bound": "median error / bound",
    "median_bound_over_error": "median bound / error",
    "candidate_value": "yours",
    "reference_value": "right",
    "exact_value": "exactly",
    "worst_index": "entry",
    "case": "network",
    "worst_case": "worst network",
}
_LONG: Final = ("case", "worst_case", "shown")
"""Columns with ids, which break anywhere."""
_SENTENCES: Final = ("note", "used", "wanted", "also_fits", "examples")

_GOOD: Final = ("agree", "holds", "rightly")
_BAD: Final = ("broken", "wrongly", "unexplained")


@dataclass(frozen=True, kw_only=True)
class Heading:
    """The head of a column."""

    label: str
    meaning: str
    look: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What a person reads, what it is sorted by where that is a number (empty: nothing there), and how it looks."""

    text: str
    value: str | None = None
    look: str = ""


@dataclass(frozen=True, kw_only=True)
class View:
    """One table. folded: what stands over it where it has to be opened; after: what stands below it."""

    id: str
    caption: str
    columns: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: str = ""
    after: str = ""


def view(found: pa.Table, name: str, columns: Sequence[str], *, mark: str, caption: str, after: str = "") -> View:
    """Some columns of a table of TABLES, less those in which nothing stands.  mark: its id on the page."""
    declared = {column.name: column for column in TABLES[name].columns}
    rows = found.select(list(columns)).to_pylist()
    chosen = [column for column in columns if not rows or any(row[column] not in (None, "") for row in rows)]
    return View(
        id=mark,
        caption=caption,
        columns=tuple(_heading(declared[column]) for column in chosen),
        rows=tuple(tuple(_cell(row, declared[column]) for column in chosen) for row in rows),
        after=after,
    )


def named(found: pa.Table) -> pa.Table:
    """Rows of `checks` with the layer beside the quantity, as one reads it: "weight 2"."""
    names = [
        quantity if layer is None else f"{quantity} {layer}"
        for quantity, layer in zip(found["quantity"].to_pylist(), found["layer"].to_pylist(), strict=True)
    ]
    return found.set_column(found.schema.get_field_index("quantity"), "quantity", pa.array(names, pa.string()))


def pairs_view(measures: Measures) -> View:
    """The heatmap as a table."""
    rows = [
        (*map(_plain, pair), whole(met.cases), whole(met.quantities), ratio(met.worst if met.quantities else None))
        for pair, met in measures.pairs.items()
    ]
    return View(
        id="pairs",
        caption="Pairs that can meet: the networks with that activation in any layer and that loss",
        columns=_headings(("activation", "loss"), ("networks", "quantities", "worst error / bound")),
        rows=tuple(rows),
        folded="The same as a table",
    )


def spreads_view(what: str, spreads: Mapping[int, Spread], *, mark: str) -> View:
    """A plot of error / bound by something as a table."""
    rows = [
        (
            whole(number),
            whole(spread.count),
            ratio(spread.quantile(0.25)),
            ratio(spread.quantile(0.5)),
            ratio(spread.quantile(0.75)),
            ratio(spread.worst),
        )
        for number, spread in spreads.items()
    ]
    return View(
        id=mark,
        caption=f"error / bound by {what}: quartiles to three digits, and the worst",
        columns=_headings((), (what, "quantities", "first quartile", "median", "third quartile", "worst")),
        rows=tuple(rows),
        folded=f"By {what}, as a table",
    )


def whole(number: int) -> Cell:
    """A count."""
    return Cell(text=f"{number:,}", value=str(number), look="number")


def ratio(number: float | None) -> Cell:
    """An error / bound; beyond 1 it is bad."""
    if number is None:
        return Cell(text="", value="", look="number")
    return Cell(text=digits(number), value=_value(number), look="number bad" if number > 1 else "number")


def digits(number: float) -> str:
    """Three digits, which is what a reader takes in."""
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    return f"{number:.3g}"


def _heading(column: Column) -> Heading:
    label = _HEADINGS.get(column.name, column.name.replace("_", " "))
    number = column.kind != "text"
    return Heading(label=label, meaning=column.meaning, look="number" if number else "")


def _headings(texts: Iterable[str], numbers: Iterable[str]) -> tuple[Heading, ...]:
    heads = [Heading(label=label, meaning="") for label in texts]
    return (*heads, *(Heading(label=label, meaning="", look="number") for label in numbers))


def _plain(text: str) -> Cell:
    return Cell(text=text)


def _cell(row: Mapping[str, Any], column: Column) -> Cell:
    content = row[column.name]
    if column.kind == "text":
        return Cell(text=content or "", look=_look(content or "", column.name))
    if content is None:
        return Cell(text="", value="", look="number")
    if column.kind == "whole":
        return Cell(text=f"{content:,}" if column.name != "seed" else str(content), value=str(content), look="number")
    if column.name in ("error_over_bound", "worst_error_over_bound"):
        cell = ratio(content)
        # Of what neither agrees nor fails it says nothing about the candidate.
        return cell if fails(row.get("verdict", "disagree")) else replace(cell, look="number")
    if column.name.endswith("_value"):
        return Cell(text=f"{content:.9g}", value=_value(content), look="number")
    return Cell(text=digits(content), value=_value(content), look="number")


def _value(number: float) -> str:
    """As the page's script reads it; a NaN has no place in an order."""
    return "" if math.isnan(number) else repr(number)


def _look(text: str, column: str) -> str:
    if column in _LONG:
        return "code"
    if column in _SENTENCES:
        return "long"
    if column in ("verdict", "status", "result"):
        if text in _GOOD:
            return "good"
        return "bad" if text in _BAD or (column == "verdict" and fails(text)) else "open"
    return ""

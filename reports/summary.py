"""The Markdown summary of a run, fit for a CI job's page; its tables come from the same Arrow tables as the files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
from pyarrow import compute

from backproof.reports.tables import markdown

_STRATUM: Final = (
    "stratum",
    "name",
    "reduction",
    "dtype",
    "cases",
    "quantities",
    "disagreements",
    "kinks",
    "undecided",
)
_ACCURACY: Final = ("worst_error_over_bound", "median_error_over_bound")
_SCALING: Final = ("loss", "batch_size", "outputs", "compared", "expected", "divisor", "loss_ratio", "gradient_ratio")


def summary(screen: str, strata: pa.Table, scaling: pa.Table, *, told: Iterable[tuple[str, str]] = ()) -> str:
    """The screen as people saw it, the strata that disagree, those nearest to their bound, and the scaling table.

    told: (title, text) of single failures.
    """
    failing = strata.filter(compute.greater(strata["disagreements"], 0))
    nearest = strata.sort_by(
        [("worst_error_over_bound", "descending"), ("stratum", "ascending"), ("name", "ascending")]
    )
    parts = ["# Backproof", fenced(screen)]
    for title, text in told:
        parts += [f"## {' '.join(title.split())}", fenced(text)]
    if failing.num_rows:
        parts += ["## Strata that disagree", markdown(failing, (*_STRATUM, *_ACCURACY))]
    if nearest.num_rows:
        parts += ["## Nearest to the bound", markdown(nearest.slice(0, 10), (*_STRATUM, *_ACCURACY))]
    if scaling.num_rows:
        parts += ["## What a reduction divides by", markdown(scaling, (*_SCALING, "verdict"))]
    return "\n\n".join(parts) + "\n"


def fenced(text: str) -> str:
    """A block of code, behind a fence that is longer than any in it: whatever stands there stays text."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{text.rstrip()}\n{fence}"

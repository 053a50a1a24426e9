"""What the page shows of the table `checks`, in one pass over it, part by part: however many rows there are.

error / bound is judged where a quantity agrees or fails; elsewhere the number says nothing about the candidate.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import compute

from backproof.reports.baselines import VERDICTS
from backproof.reports.tables import schema

WORST_ROWS: Final = 10

# A minus sign before a digit belongs to a parameter: relu-hardtanh=-0.5+2-softmax has three layers.
_BETWEEN_LAYERS: Final = re.compile(r"-(?=[A-Za-z])")

COMPARED: Final = ("agree", "kink", "reference_wrong", "disagree", "non_finite")
"""The verdicts on numbers; the others say nothing about the value of a gradient."""

_NOT_NUMBERS: Final = VERDICTS[1:]
"""The verdicts that neither agree nor fail."""


def fails(verdict: str) -> bool:
    """Whether a verdict is one that no accepted candidate may get."""
    return verdict not in VERDICTS


@dataclass
class Spread:
    """Many error / bound: how many, and how they are spread. Kept to three digits, as the table `strata` has them."""

    ratios: Counter[float] = field(default_factory=Counter)
    worst: float = 0.0

    @property
    def count(self) -> int:
        """How many quantities."""
        return self.ratios.total()

    @cached_property
    def _sorted(self) -> list[float]:
        return sorted(self.ratios)

    def quantile(self, share: float) -> float:
        """The lower quantile, to three digits; there must be a number."""
        left = max(1, int(np.ceil(share * self.count)))
        for number in self._sorted:
            left -= self.ratios[number]
            if left <= 0:
                return number
        return self._sorted[-1]


@dataclass
class Pair:
    """The networks in which an activation meets a loss: how many, and the worst of their quantities."""

    cases: int = 0
    quantities: int = 0
    worst: float = 0.0


@dataclass
class Measures:
    """The figures of a run.

    verdicts: quantities of each; wrong_cases: networks with one that fails. pairs: (activation, loss) -> what was met,
    and what could have been met and was not. spread: of all; by_depth and by_batch_size: of each. worst: the rows with
    the largest error / bound, the worst first.
    """

    cases: int = 0
    wrong_cases: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    spread: Spread = field(default_factory=Spread)
    by_depth: dict[int, Spread] = field(default_factory=lambda: defaultdict(Spread))
    by_batch_size: dict[int, Spread] = field(default_factory=lambda: defaultdict(Spread))
    worst: pa.Table = field(default_factory=lambda: schema("checks").empty_table())

    @property
    def judged(self) -> int:
        """Quantities with an error / bound that says something about the candidate."""
        return self.spread.count

    @property
    def failing(self) -> int:
        """Quantities that fail."""
        return sum(count for verdict, count in self.verdicts.items() if fails(verdict))


def measured(parts: Iterable[pa.RecordBatch], pairs: pa.Table | None = None) -> Measures:
    """The figures of the table `checks`, given part by part.

    pairs: the table of that name, which counts all networks, where `checks` has the rows of the first ones.
    """
    found = Measures()
    last: str | None = None
    wrong: set[str] = set()
    for batch in parts:
        if not batch.num_rows:
            continue
        part = pa.Table.from_batches([batch], schema("checks"))
        cases: Any = part["case"].to_numpy()
        # A network's rows follow one another.
        new = np.concatenate([[cases[0] != last], cases[1:] != cases[:-1]])
        last = cases[-1]
        verdicts = part["verdict"].to_numpy()
        words, counts = np.unique(verdicts.astype(str), return_counts=True)
        found.verdicts.update(dict(zip(words.tolist(), counts.tolist(), strict=True)))
        failing = compute.invert(compute.is_in(part["verdict"], pa.array(VERDICTS))).to_numpy()
        wrong.update(cases[failing])
        ratios = _ratios(part)
        _pairs(part, new, ratios, found.pairs)
        known = ~np.isnan(ratios)
        rounded = _three_digits(ratios[known])
        _spread(found.spread, rounded, ratios[known])
        for name, spreads in (("depth", found.by_depth), ("batch_size", found.by_batch_size)):
            numbers = part[name].to_numpy()[known]
            for number in np.unique(numbers):
                here = numbers == number
                _spread(spreads[int(number)], rounded[here], ratios[known][here])
        found.worst = _worst(found.worst, part, ratios)
        found.cases += int(new.sum())
    found.wrong_cases = len(wrong)
    for row in [] if pairs is None else pairs.to_pylist():
        if row["kind"] == "activation, loss":
            found.pairs.setdefault((row["first"], row["second"]), Pair()).cases = row["cases"]
    found.pairs = dict(sorted(found.pairs.items()))
    for name in ("by_depth", "by_batch_size"):
        setattr(found, name, dict(sorted(getattr(found, name).items())))
    return found


def _ratios(part: pa.Table) -> Any:
    """error / bound, NaN where it is not judged; a candidate's NaN is infinitely far off."""
    ratios = part["error_over_bound"].to_numpy().astype(float)
    given = compute.is_valid(part["error_over_bound"]).to_numpy()
    ratios[given & np.isnan(ratios)] = inf
    open_ = compute.is_in(part["verdict"], pa.array(_NOT_NUMBERS)).to_numpy()
    ratios[open_] = np.nan
    return ratios


def _spread(spread: Spread, rounded: Any, ratios: Any) -> None:
    if len(ratios):
        numbers, counts = np.unique(rounded, return_counts=True)
        spread.ratios.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
        spread.worst = max(spread.worst, float(ratios.max()))


def _three_digits(ratios: Any) -> Any:
    """Each number with three significant digits, by way of text: so that it is the double which those digits read."""
    numbers, back = np.unique(ratios, return_inverse=True)
    if not len(numbers):
        return ratios
    rounded = np.array([float(f"{number:.2e}") for number in numbers.tolist()])
    rounded[(numbers > 1.0) & (rounded == 1.0)] = 1.01  # what is beyond the bound stays beyond it
    return rounded[back]


def _pairs(part: pa.Table, new: Any, ratios: Any, pairs: dict[tuple[str, str], Pair]) -> None:
    """Count the networks of every activation, in any of their layers, with every loss; parameters left out."""
    kinds = pa.table(
        {
            "activations": part["activations"],
            "loss": part["loss"],
            "new": pa.array(new.astype(np.int64)),
            "judged": pa.array((~np.isnan(ratios)).astype(np.int64)),
            "ratio": pa.array(np.where(np.isnan(ratios), 0.0, ratios)),
        }
    )
    sums = kinds.group_by(["activations", "loss"]).aggregate([("new", "sum"), ("judged", "sum"), ("ratio", "max")])
    for row in sums.to_pylist():
        loss = row["loss"].partition("=")[0]
        names = {layer.partition("=")[0] for layer in _BETWEEN_LAYERS.split(row["activations"])}
        for name in names:
            pair = pairs.setdefault((name, loss), Pair())
            pair.cases += row["new_sum"]
            pair.quantities += row["judged_sum"]
            pair.worst = max(pair.worst, row["ratio_max"])


def _worst(before: pa.Table, part: pa.Table, ratios: Any) -> pa.Table:
    """The rows with the largest error / bound so far; those that came first, where they are equal."""
    known = np.flatnonzero(~np.isnan(ratios))
    order = known[np.argsort(-ratios[known], kind="stable")[:WORST_ROWS]]
    both = pa.concat_tables([before, part.take(pa.array(order))])
    again = np.argsort(-_ratios(both), kind="stable")[:WORST_ROWS]
    return both.take(pa.array(again))

"""PyTorch's own departures from its forward pass, by name: where, how much, since when.

Where exact arithmetic shows that the reference is wrong, the comparison names the first row that applies to the case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backproof.cases.case import Case


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One departure; `applies` says whether a case can meet it, and `since` the first version known to have it."""

    name: str
    where: str
    how_much: str
    since: str
    applies: Callable[[Case], bool]


def _has(activation: str, dtype: str) -> Callable[[Case], bool]:
    def applies(case: Case) -> bool:
        return case.spec.dtype == dtype and any(formula.name == activation for formula in case.spec.activations)

    return applies


DEVIATIONS: Final = (
    Deviation(
        name="hardsigmoid: its slope in float64 is float32(1/6)",
        where="backward, -3 < z < 3",
        how_much="3.0e-8, relative",
        since="2.13 or before",
        applies=_has("hardsigmoid", "float64"),
    ),
)

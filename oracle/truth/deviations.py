"""PyTorch's own departures from the mathematics of its own forward pass, by name: where, how much, since when.

Where exact arithmetic shows that the reference is wrong, the comparison names the row that the case meets.
DEVIATIONS.md is the page about them; tests/truth/sweep_deviations.py finds them anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from backproof.cases.case import Case
from backproof.truth.departures import DEPARTURES
from backproof.truth.deviation import Deviation
from backproof.truth.lost_digits import LOST_DIGITS

__all__ = ["DEVIATIONS", "VERSION", "Deviation", "met"]

VERSION: Final = "2.13.0"
"""The version of PyTorch on which every row was measured; tests/truth/test_deviations.py measures them again."""

DEVIATIONS: Final[tuple[Deviation, ...]] = (*DEPARTURES, *LOST_DIGITS)
"""Every known row: first those that leave the bound, then those that stay inside it and lose digits."""


def met(
    case: Case, *, dtype: str = "float64", quantity: str | None = None, layer: int | None = None
) -> Iterator[Deviation]:
    """The rows that leave the bound and that this case meets, in the order of DEVIATIONS; see `Deviation.applies`."""
    for row in DEPARTURES:
        if row.applies(case, dtype=dtype, quantity=quantity, layer=layer):
            yield row

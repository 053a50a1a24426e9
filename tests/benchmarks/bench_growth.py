"""How time grows."""

from typing import Any

import pytest

from benchmarks.growth import AXES, Axis, Growth


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_growth(axis: Axis, benchmark: Any) -> None:
    """Every size in every round."""
    growth = Growth(axis)
    benchmark.pedantic(growth.take, rounds=axis.rounds)
    benchmark.extra_info["growth"] = list(growth.rows())
    benchmark.extra_info["exponents"] = list(growth.exponents())

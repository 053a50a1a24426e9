"""Directions, drawn from the spec's id."""

import numpy as np
from hypothesis import given

from backproof.cases import Domain, build_case, draw_direction
from backproof.cases.strategies import cases


@given(cases(Domain(values=("normal", "integers", "saturated", "tiny"))))
def test_draw_direction_matches_the_case(case):
    """A direction has the shapes and dtype of the case, follows from the id, and is not the case itself."""
    direction, again = draw_direction(case), draw_direction(build_case(case.spec))
    for tangents, others, arrays in (
        (direction.weights, again.weights, case.weights),
        (direction.biases, again.biases, case.biases),
        ((direction.inputs,), (again.inputs,), (case.x,)),
    ):
        for tangent, other, array in zip(tangents, others, arrays, strict=True):
            assert (tangent is None) == (array is None)
            if tangent is not None:
                assert tangent.shape == array.shape
                assert tangent.dtype == array.dtype
                assert np.array_equal(tangent, other)
                assert not np.array_equal(tangent, array)
                assert not tangent.flags.writeable
                assert 0 < np.abs(tangent).max() <= 4

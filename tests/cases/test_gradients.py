"""Gradients in one order, and directions from the spec's id."""

import numpy as np
from hypothesis import given

from backproof.cases import Domain, Gradients, build_case, draw_direction
from backproof.cases.strategies import cases


def test_quantities_come_in_backward_order():
    """The loss; then delta, bias, weight of the last layer to the first; then the input."""
    loss, w1, w2, b2, x, d1, d2 = (np.full((1,), number) for number in range(7))
    gradients = Gradients(loss, (w1, w2), (None, b2), x, (d1, d2))
    assert list(gradients.quantities()) == [
        ("loss", None, loss),
        ("delta", 2, d2),
        ("bias", 2, b2),
        ("weight", 2, w2),
        ("delta", 1, d1),
        ("weight", 1, w1),
        ("input", None, x),
    ]


def test_quantities_leave_out_what_is_not_offered():
    """Deltas and inputs that are None are not listed."""
    loss, w1, b1 = (np.full((1,), number) for number in range(3))
    gradients = Gradients(loss, (w1,), (b1,), None, None)
    assert [(name, layer) for name, layer, _ in gradients.quantities()] == [("loss", None), ("bias", 1), ("weight", 1)]


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

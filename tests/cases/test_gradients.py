"""Gradients in one order."""

import numpy as np

from backproof.cases import Gradients


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

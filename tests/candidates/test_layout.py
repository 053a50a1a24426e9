"""A candidate's own array layout, there and back; and the declaration that states it."""

import numpy as np
import pytest

from backproof import Domain, candidate
from backproof.candidates.layout import MARK, Layout

WEIGHT = np.arange(6.0).reshape(2, 3)
BIAS = np.arange(2.0)


@pytest.mark.parametrize(
    ("layout", "sample", "weight", "bias"),
    [
        (Layout(), (4, 3), (2, 3), (2,)),
        (Layout(samples="columns", weights="in_out", bias="column"), (3, 4), (3, 2), (2, 1)),
        (Layout(bias="row"), (4, 3), (2, 3), (1, 2)),
    ],
    ids=["default", "columns", "row"],
)
def test_layout_gives_and_takes_back_the_same_numbers(layout: Layout, sample, weight, bias):
    """What is handed over has the declared shape, and what comes back in it is what it was."""
    x = np.arange(12.0).reshape(4, 3)
    for give, take, array, shape in (
        (layout.give_samples, layout.take_samples, x, sample),
        (layout.give_weight, layout.take_weight, WEIGHT, weight),
        (layout.give_bias, layout.take_bias, BIAS, bias),
    ):
        given = give(array)
        assert given.shape == shape
        assert np.array_equal(take(given), array)


def test_layout_hands_over_fresh_writable_copies():
    """A candidate may write into what it gets; the case keeps its numbers."""
    for layout in (Layout(), Layout(samples="columns", weights="in_out", bias="row")):
        for give, array in ((layout.give_samples, WEIGHT), (layout.give_weight, WEIGHT), (layout.give_bias, BIAS)):
            locked = array.copy()
            locked.flags.writeable = False
            given = give(locked)
            assert given.flags.c_contiguous
            given += 1.0
            assert np.array_equal(locked, array)


def test_layout_leaves_another_shape_alone():
    """A bias that does not come as declared keeps its shape, so that the comparison can say what is wrong with it."""
    assert Layout(bias="column").take_bias(np.zeros((1, 2))).shape == (1, 2)
    assert Layout(bias="row").take_bias(np.zeros((2, 1))).shape == (2, 1)
    assert Layout().take_bias(np.zeros((2, 1))).shape == (2, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": "cols"}, "samples must be one of rows, columns; got 'cols'"),
        ({"weights": "inout"}, "weights must be one of out_in, in_out; got 'inout'"),
        ({"bias": "scalar"}, "bias must be one of vector, row, column; got 'scalar'"),
    ],
    ids=["samples", "weights", "bias"],
)
def test_layout_refuses_what_it_does_not_know(options: dict[str, str], message: str):
    """With the words that exist."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        Layout(**options)
    with pytest.raises(ValueError, match=f"^{message}$"):
        candidate(Domain(), **options)


def test_candidate_declares_a_function_and_leaves_it_as_it_is():
    """The decorator notes domain and layout; the function can still be called."""
    domain = Domain(activations="sigmoid")

    @candidate(domain, weights="in_out")
    def both(network, x, y):
        return network, x, y

    assert both(1, 2, 3) == (1, 2, 3)
    assert getattr(both, MARK).domain is domain
    assert getattr(both, MARK).layout == Layout(weights="in_out")


def test_candidate_wants_a_domain():
    """A forgotten Domain is said, with an example."""
    with pytest.raises(
        TypeError, match=r"wants a Domain, as in @candidate\(Domain\(activations='sigmoid'\)\); got 'sig"
    ):
        candidate("sigmoid")

"""How numbers are printed."""

import numpy as np
import pytest

from backproof.lessons.spelling import number, spelled


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.0, "7"),
        (-0.0, "0"),
        (-0.125, "-0.125"),
        (2 / 3, "0.6667"),
        (0.731058578, "0.731058578"),
        (0.7310585786300049, "0.7311"),
        (1e300, "1e+300"),
        (np.inf, "inf"),
        (np.nan, "nan"),
    ],
)
def test_number(value, text):
    """Whole numbers whole, short decimals in full, others to four digits."""
    assert number(value) == text


def test_number_with_more_digits():
    """Where the difference is small, as many as it takes."""
    assert number(2 / 3, 9) == "0.666666667"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array(3.0), "3"),
        (np.array([1.0, 2.5]), "[1, 2.5]"),
        ([[1, 2], [3, 4]], "[[1, 2], [3, 4]]"),
        (np.zeros((0,)), "[]"),
        ("0, then 1", "0, then 1"),
    ],
)
def test_spelled(value, text):
    """Arrays in brackets."""
    assert spelled(value) == text

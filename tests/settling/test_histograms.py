"""Rounding to three digits, and medians of what is rounded."""

from collections import Counter
from fractions import Fraction
from math import inf

import pytest

from backproof.settling.histograms import median, rounded


@pytest.mark.parametrize(
    ("ratio", "wanted"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (0.123456, 0.123),
        (1.2349e-7, 1.23e-07),
        (9.999, 10.0),
        (2.5e300, 2.5e300),
        (3.14159e-311, 3.14e-311),
        (inf, inf),
    ],
)
def test_rounded_keeps_three_digits(ratio: float, wanted: float):
    """As the number that reads so."""
    assert rounded([ratio]) == [wanted]
    assert rounded([]) == []


def test_rounded_is_never_further_off_than_half_a_digit():
    """Over the whole range of doubles, in exact arithmetic."""
    ratios = [(1.0 + k / 97.0) * 10.0**e for e in range(-300, 300, 7) for k in range(0, 97, 5)]
    for ratio, near in zip(ratios, rounded(ratios), strict=True):
        # Half a unit of the third digit is at most 1/200 of the number, but for what the double itself is off.
        assert abs(Fraction(near) - Fraction(ratio)) <= Fraction(ratio) / 199


def test_median_of_a_histogram_is_the_lower_one():
    """Of four numbers the second; none of none."""
    assert median(Counter({4.0: 1, 1.0: 2, 3.0: 1})) == 1.0
    assert median(Counter({4.0: 2, 1.0: 1})) == 4.0
    assert median(Counter()) is None

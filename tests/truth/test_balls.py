"""Are balls handed over as float64 without losing the truth, and do the stable forms enclose what the plain ones do?"""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from backproof.truth.balls import (
    ball,
    balls,
    log_of,
    log_one_plus_exp,
    logistic,
    softmax,
    sums_of_others,
    to_float64,
    total,
)
from backproof.truth.exact import PRECISIONS

GENEROUS = 4096
"""Bits at which the plain forms keep enough digits in spite of their cancellation."""


@pytest.fixture(autouse=True, scope="module")
def _precision() -> Iterator[None]:
    """The first precision that the arbiter tries."""
    with ctx.workprec(PRECISIONS[0]):
        yield


def exact_midpoint(entry: arb) -> Fraction:
    """The midpoint of a ball as a rational number."""
    mantissa, exponent = entry.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def in_float64(entry: arb) -> tuple[float, float]:
    """Middle and radius of one ball."""
    found = to_float64([entry])
    return float(found.middle[0]), float(found.radius[0])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float64_is_its_own_enclosure(number: float) -> None:
    """An exact ball of a float64 has that middle and no radius, subnormals included."""
    assert in_float64(ball(number)) == (number, 0.0)


@given(
    mantissa=st.integers(-(2**200), 2**200),
    exponent=st.integers(-1300, 820),
    radius=st.integers(0, 2**30 - 1),
    radius_exponent=st.integers(-1300, 820),
)
def test_an_enclosure_in_float64_encloses(mantissa: int, exponent: int, radius: int, radius_exponent: int) -> None:
    """Both ends of a ball lie within radius of middle, in rational arithmetic, wherever the radius is finite."""
    with ctx.workprec(GENEROUS):
        entry = arb(mantissa) * arb(2) ** exponent
        wide = arb(entry, arb(radius) * arb(2) ** radius_exponent)
    middle, reach = in_float64(wide)
    centre, half = exact_midpoint(wide), exact_midpoint(wide.rad())
    if math.isinf(middle):
        assert reach == 0.0
        assert abs(centre) - half >= Fraction(np.finfo(np.float64).max)
        assert (centre > 0) == (middle > 0)
    elif math.isfinite(reach):
        assert abs(centre - Fraction(middle)) + half <= Fraction(reach)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_beyond_float64_is_infinite_and_certain(sign: int) -> None:
    """2^1024 is +-inf with radius 0; the largest float64 is itself; what lies between rounds to either."""
    largest = float(np.finfo(np.float64).max)
    assert in_float64(sign * arb(2) ** 1024) == (sign * math.inf, 0.0)
    assert in_float64(sign * ball(largest)) == (sign * largest, 0.0)
    with ctx.workprec(GENEROUS):
        assert in_float64(sign * (arb(2) ** 1024 - arb(2) ** 970)) == (sign * math.inf, 0.0)
        middle, radius = in_float64(sign * (arb(2) ** 1024 - arb(2) ** 970 - 1))
    assert middle == sign * largest
    assert 0.0 < radius <= 2.0**971


def test_a_ball_that_reaches_beyond_float64_has_no_finite_radius() -> None:
    """Where the truth may or may not lie beyond, the middle is a number and the radius infinite."""
    assert in_float64(arb(arb(2) ** 1024, arb(2) ** 1000)) == (float(np.finfo(np.float64).max), math.inf)
    assert in_float64(arb(0, arb(2) ** 2000)) == (0.0, math.inf)


@pytest.mark.parametrize("entry", [arb.nan(), arb.pos_inf(), arb(0).union(arb.pos_inf()), 1 / arb(0)])
def test_what_is_not_known_is_nan(entry: arb) -> None:
    """A ball that is not finite says nothing."""
    middle, radius = in_float64(entry)
    assert math.isnan(middle)
    assert radius == math.inf


def test_a_tiny_number_rounds_to_zero_within_its_radius() -> None:
    """Below the subnormals the middle is 0 and the radius the smallest number that there is, or the next."""
    middle, radius = in_float64(arb(2) ** -5000)
    assert middle == 0.0
    assert 0.0 < radius <= 2.0**-1072
    middle, radius = in_float64(arb(0, arb(2) ** -5000))
    assert middle == 0.0
    assert 0.0 < radius <= 2.0**-1072


def test_balls_of_float32_and_of_integers_are_exact() -> None:
    """float32(0.1) is taken for the number that it is."""
    assert balls(np.array([[0.1], [3]], dtype=np.float32)) == [ball(np.float32(0.1)), arb(3)]
    assert balls(np.array([-1, 5])) == [arb(-1), arb(5)]


@given(st.lists(st.integers(-50, 50), max_size=8))
def test_sums_of_others_leave_out_one_each(terms: list[int]) -> None:
    """For each entry the total without it."""
    assert sums_of_others([arb(term) for term in terms]) == [arb(sum(terms) - term) for term in terms]


# 1e308: exp of it has no finite ball, and the stable forms must not need it.
PLACES = [0.0, 5e-324, 1e-30, 0.3, 1.0, 20.0, 40.0, 800.0, 1e5, 3e38, 1e308]


@pytest.mark.parametrize("z", [sign * place for place in PLACES for sign in (1, -1)])
def test_logistic_and_softplus_keep_their_tails(z: float) -> None:
    """s(z) + s(-z) = 1 and softplus(z) - softplus(-z) = z are enclosed, and no tail is lost to the other side."""
    s, complement = logistic(ball(z))
    assert (s + complement).contains(1)
    assert (log_one_plus_exp(ball(z)) - log_one_plus_exp(ball(-z))).contains(ball(z))
    assert not log_one_plus_exp(ball(z)) < max(z, 0.0)
    small = s if z < 0 else complement
    assert in_float64(small)[1] <= max(2.0**-52 * abs(in_float64(small)[0]), 2.0**-1072)


@pytest.mark.parametrize("p", [1e-300, 0.25, 0.5, 0.75, 1 - 2.0**-53])
def test_the_logarithm_of_a_probability_uses_the_nearer_end(p: float) -> None:
    """Both ways lead to the same number, and the one by 1 - p stays sharp where p rounds to 1."""
    assert log_of(ball(p), 1 - ball(p)).overlaps(ball(p).log())
    tail = (-ball(1000.0)).exp()
    assert log_of(1 - tail, tail).overlaps(-tail)
    assert log_of(1 - tail, tail) < 0


@given(st.lists(st.integers(-400, 400).map(lambda k: k / 4), min_size=1, max_size=6))
def test_softmax_is_the_plain_quotient(row: list[float]) -> None:
    """p, 1 - p and log p are what exp(z_i)/sum exp(z) gives with digits to spare, and sharp at 128 bits."""
    found = softmax([ball(z) for z in row])
    with ctx.workprec(GENEROUS):
        powers = [ball(z).exp() for z in row]
        plain = [power / total(powers) for power in powers]
    for p, q, log, sharp in zip(found.probabilities, found.complements, found.logs, plain, strict=True):
        with ctx.workprec(GENEROUS):
            assert p.overlaps(sharp)
            assert q.overlaps(1 - sharp)
            assert log.overlaps(sharp.log())
        for entry in (p, q, log):
            middle, radius = in_float64(entry)
            assert radius <= 2.0**-52 * abs(middle)

"""The arithmetic that the bounds stand on: unit roundoffs, exact sums, kinks, underflow, overflow."""

import math
from fractions import Fraction
from itertools import accumulate, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases.catalogue import DTYPES
from backproof.truth.arithmetic import (
    PIVOT,
    SEARCH,
    Arithmetic,
    Kinks,
    Rounded,
    lowest_bit,
    own_dtype,
    significant_bits,
    sums_are_exact,
)

by_dtype = pytest.mark.parametrize("dtype", DTYPES)

ANY_FLOAT = st.floats(allow_nan=False, allow_infinity=False)
# Whole numbers of up to 60 bits, times powers of two over most of float64's range.
SCALED = st.builds(math.ldexp, st.integers(-(2**60), 2**60), st.integers(-1060, 900))
ROWS = st.lists(st.one_of(ANY_FLOAT, SCALED, st.just(0.0)), min_size=1, max_size=6)


def power_dividing(number: Fraction) -> int:
    """The largest k for which number / 2^k is whole; the number is not 0 and its denominator a power of two."""
    odd = number.numerator & -number.numerator
    return odd.bit_length() - number.denominator.bit_length()


def test_an_array_is_judged_by_its_own_dtype_but_no_float_by_less_than_float32() -> None:
    """What holds no floats has no rounding of its own: it is judged as float64."""
    judged = {"float16": "float32", "float32": "float32", "float64": "float64", "int32": "float64", "bool": "float64"}
    assert {name: own_dtype(np.zeros(2, name)) for name in judged} == judged


@given(row=ROWS)
def test_lowest_bit_is_the_largest_power_of_two_that_divides_a_row(row: list[float]) -> None:
    """Subnormal numbers included; a row of zeros is divided by all."""
    found = int(lowest_bit(np.array([row]))[0])
    fractions = [Fraction(number) for number in row if number]
    assert found == min(map(power_dividing, fractions), default=PIVOT)


@given(rows=st.lists(ROWS.map(lambda row: (row * 6)[:6]), min_size=1, max_size=4))
def test_lowest_bit_takes_the_rows_one_by_one(rows: list[list[float]]) -> None:
    """As the rows of a matrix."""
    assert lowest_bit(np.array(rows)).tolist() == [int(lowest_bit(np.array([row]))[0]) for row in rows]


@given(number=st.one_of(ANY_FLOAT, SCALED))
def test_significant_bits_are_those_of_the_odd_part(number: float) -> None:
    """The number of digits that a number has in base two, without zeros at either end."""
    fraction = Fraction(number)
    odd = 0 if not number else abs(fraction / Fraction(2) ** power_dividing(fraction))
    assert odd == int(odd)
    assert significant_bits(number) == int(odd).bit_length()


@pytest.mark.parametrize(
    ("number", "bits"), [(0.0, 0), (math.inf, 0), (math.nan, 0), (1.0, 1), (-6.0, 2), (0.1, 52), (5e-324, 1)]
)
def test_significant_bits_of_known_numbers(number: float, bits: int) -> None:
    """0.1 is 0x1.999999999999ap-4: 53 digits, of which the last is a zero."""
    assert significant_bits(number) == bits


# --- Exact sums ---

LIMITED = st.integers(1, 30).flatmap(lambda bits: st.lists(st.integers(-(2**bits), 2**bits), min_size=1, max_size=5))


def all_sums(terms: list[Any]) -> set[Any]:
    """The sums of the terms in every order, one after the other."""
    with np.errstate(all="ignore"):
        return {list(accumulate(order))[-1] for order in permutations(terms)}


def said_exact(terms: list[float], dtype: str) -> bool:
    """What `sums_are_exact` says of these terms."""
    row = np.array(terms, dtype=np.float64)
    with np.errstate(all="ignore"):
        return bool(sums_are_exact(lowest_bit(row[None, :]), np.abs(row).sum()[None], Arithmetic.of(dtype))[0])


@by_dtype
@given(whole=LIMITED, exponent=st.integers(-1070, 980))
def test_sums_that_are_called_exact_have_one_value_in_every_order(dtype: str, whole: list[int], exponent: int) -> None:
    """Whole numbers of up to 30 bits times a power of two, from the subnormals to the largest: no rounding, no inf."""
    kind = np.dtype(dtype).type
    with np.errstate(all="ignore"):
        terms = [kind(math.ldexp(number, exponent)) for number in whole]
    fractions = [Fraction(number) * Fraction(2) ** exponent for number in whole]
    if said_exact([float(fraction) for fraction in fractions], dtype):
        assert all(
            np.isfinite(term) and Fraction(float(term)) == own for term, own in zip(terms, fractions, strict=True)
        )
        assert {Fraction(float(found)) for found in all_sums(terms)} == {sum(fractions)}
        assert not any(0.0 < abs(float(term)) < np.finfo(kind).smallest_normal for term in terms)


@by_dtype
@given(whole=st.lists(st.integers(-2, 2), min_size=1, max_size=16), exponent=st.integers(-100, 80))
def test_sums_of_small_integers_are_called_exact(dtype: str, whole: list[int], exponent: int) -> None:
    """The control: what the filling `integers` is made of, at any ordinary scale."""
    assert said_exact([math.ldexp(number, exponent) for number in whole], dtype)


@pytest.mark.parametrize(
    ("terms", "dtype", "exact"),
    [
        ([2.0**24 - 1, 1.0], "float32", False),  # the size may not reach 2^24 itself
        ([2.0**23, 1.0], "float32", True),
        ([2.0**24, 1.0], "float64", True),
        ([2.0**53 - 4, 1.0, 2.0], "float64", False),
        ([2.0**52, 1.0], "float64", True),
        ([2.0**130, -(2.0**130)], "float32", False),  # beyond the largest number
        ([2.0**130, -(2.0**130)], "float64", True),
        ([2.0**1023, 2.0**1023, -(2.0**1023)], "float64", False),
        ([2.0**-130, 2.0**-131], "float32", False),  # subnormal: may be flushed to zero
        ([2.0**-120, 2.0**-126], "float32", True),
        ([0.1, 0.2], "float64", False),
        ([0.0, 0.0], "float32", True),
        ([5e-324], "float64", False),
    ],
)
def test_exact_sums_end_at_the_limits_of_the_dtype(terms: list[float], dtype: str, exact: bool) -> None:
    """2^bit / u above, the smallest normal number below, the largest number at the top."""
    assert said_exact(terms, dtype) == exact


# --- Unit roundoffs ---


@by_dtype
def test_the_limits_are_ieees(dtype: str) -> None:
    """u is half the distance from 1 to the next number: it rounds to even, a little more rounds up."""
    arithmetic, kind = Arithmetic.of(dtype), np.dtype(dtype).type
    one = kind(1)
    assert one + kind(arithmetic.unit) == one
    assert one + kind(arithmetic.unit) * kind(1.5) > one
    assert kind(arithmetic.smallest) == np.finfo(kind).smallest_normal
    assert np.isfinite(kind(arithmetic.largest))
    assert (arithmetic.forms, arithmetic.kinks) == ("accurate", "sharp")


@by_dtype
@given(operations=st.integers(1, 5000))
def test_gamma_covers_any_product_of_roundings(dtype: str, operations: int) -> None:
    """(1 + u)^k - 1 <= gamma_k and 1 - (1 - u)^k <= gamma_k, which is k u / (1 - k u) to float64's rounding."""
    arithmetic = Arithmetic.of(dtype)
    unit, found = Fraction(arithmetic.unit), Fraction(arithmetic.gamma(operations))
    exact = operations * unit / (1 - operations * unit)
    assert abs(found - exact) <= 2 * exact * Fraction(2) ** -53
    assert (1 + unit) ** operations - 1 <= found
    assert 1 - (1 - unit) ** operations <= found


@by_dtype
@given(parameter=st.one_of(st.floats(2.0**-100, 2.0**100), st.integers(1, 64).map(lambda eighths: eighths / 8)))
def test_parameters_err_by_their_rounding_to_the_dtype(dtype: str, parameter: float) -> None:
    """0 where the dtype holds the number, never less than the rounding."""
    error = Arithmetic.of(dtype).parameter_error(parameter)
    rounding = abs(Fraction(float(np.dtype(dtype).type(parameter))) - Fraction(parameter))
    assert (error == 0.0) == (rounding == 0)
    assert rounding <= Fraction(error)


# --- Underflow and overflow ---


@by_dtype
def test_a_subnormal_number_may_be_flushed_and_no_other(dtype: str) -> None:
    """Its error is eta; that of 0 and of a normal number is none."""
    arithmetic = Arithmetic.of(dtype)
    eta = arithmetic.smallest
    found = arithmetic.flushed(np.array([0.0, eta / 2, -eta / 2, eta, -eta, 1.0]))
    assert found.tolist() == [0.0, eta, eta, 0.0, 0.0, 0.0]


@by_dtype
def test_underflow_is_added_where_something_errs(dtype: str) -> None:
    """Once per operation; an error of 0 is an exact result; a NaN stays one."""
    arithmetic = Arithmetic.of(dtype)
    error = np.array([0.0, arithmetic.smallest, np.inf, np.nan])
    arithmetic.underflow_in_place(error, 3)
    assert error[:3].tolist() == [0.0, 4.0 * arithmetic.smallest, np.inf]
    assert np.isnan(error[3])


def test_float64_products_that_underflow_are_no_exact_zeros() -> None:
    """1e-200 times 1e-200 is 0 in float64, and so is every error; only a sum of true zeros has none."""
    arithmetic = Arithmetic.of("float64")
    left, right = np.array([[1e-200, 0.0], [0.0, 0.0], [1.0, 0.0]]), np.array([[1e-200], [1.0]])
    error = np.zeros((3, 1))
    arithmetic.underflow_of_product_in_place(error, left, right, 2)
    assert (error[:, 0] >= 2.0 * arithmetic.smallest).tolist() == [True, False, True]
    assert error[1, 0] == 0.0
    factors = np.zeros(3)
    one = Rounded(np.array([1e-200, 0.0, -1e-200]), np.zeros(3))
    two = Rounded(np.array([1e-200, 1.0, 0.0]), np.array([0.0, 0.0, 1e-300]))
    arithmetic.underflow_of_factors_in_place(factors, one, two, 1)
    assert (factors >= arithmetic.smallest).tolist() == [True, False, True]


def test_float32_products_do_not_underflow_in_float64() -> None:
    """The bound of a float32 program is computed in float64, where its errors stay what they are."""
    arithmetic = Arithmetic.of("float32")
    error = np.array([[0.0, 1e-300]])
    arithmetic.underflow_of_product_in_place(error, np.array([[1e-150]]), np.array([[0.0, 1e-150]]), 1)
    assert error.tolist() == [[0.0, 1e-300 + arithmetic.smallest]]


@by_dtype
def test_an_error_beyond_gamma_times_the_largest_number_tells_an_overflow(dtype: str) -> None:
    """It becomes NaN, alone; an infinity does too, and a NaN stays."""
    arithmetic = Arithmetic.of(dtype)
    gamma = arithmetic.gamma(4)
    limit = gamma * arithmetic.largest
    error = np.array([0.0, limit, np.nextafter(limit, np.inf), np.inf, np.nan])
    arithmetic.overflow_in_place(error, gamma)
    assert np.isnan(error).tolist() == [False, False, True, True, True]
    small = np.array([1.0, 2.0])
    arithmetic.overflow_in_place(small, gamma)
    assert small.tolist() == [1.0, 2.0]
    arithmetic.overflow_in_place(np.zeros((0, 3)), gamma)


def test_magnitude_is_the_most_that_can_be_computed() -> None:
    """|v| + e."""
    assert Rounded(np.array([-2.0, 3.0]), np.array([0.5, 0.0])).magnitude.tolist() == [2.5, 3.0]


# --- Kinks ---

ETA = float(np.finfo(np.float64).smallest_normal)


@pytest.mark.parametrize(
    ("distance", "error", "sharp", "all_of_them"),
    [
        (0.0, 0.0, False, True),  # an exact tie
        (1.0, 0.0, False, False),
        (5e-324, 0.0, True, True),  # may be flushed to the tie
        (ETA, 0.0, False, False),
        (0.0, 0.1, True, True),
        (0.2, 0.1, True, True),
        (-0.2, 0.1, True, True),
        (0.21, 0.1, False, False),
        (math.inf, 0.1, False, False),
        (math.inf, math.inf, True, True),
        (1.0, math.nan, True, True),  # after an overflow anything goes
        (math.nan, 0.1, True, True),
    ],
)
def test_the_three_ways_to_meet_a_kink(distance: float, error: float, sharp: bool, all_of_them: bool) -> None:
    """Within twice the error; at an exact tie only where all subgradients are admitted; never where kinks are none."""
    for kinks, met in (("sharp", sharp), ("any", all_of_them), ("none", False)):
        arithmetic = Arithmetic.of("float64", kinks=kinks)
        assert arithmetic.meets_kink(np.array([distance]), np.array([error])).tolist() == [met], kinks


@given(
    distance=st.floats(-4.0, 4.0),
    error=st.floats(2.0**-60, 2.0),
    true=st.floats(-1.0, 1.0),
    candidate=st.floats(-1.0, 1.0),
    kinks=st.sampled_from(["sharp", "any"]),
)
def test_a_kink_between_candidate_and_truth_is_always_met(
    distance: float, error: float, true: float, candidate: float, kinks: Kinks
) -> None:
    """Whoever errs by at most the error on either side of the truth, which errs as much from what was computed."""
    truth = Fraction(distance) + Fraction(true) * Fraction(error)
    seen = truth + Fraction(candidate) * Fraction(error)
    met = Arithmetic.of("float64", kinks=kinks).meets_kink(np.array([distance]), np.array([error])).item()
    if truth * seen <= 0:
        assert met
    if met:
        assert abs(distance) <= SEARCH * error

"""The fillings: exact constructions, checked with Python's integers and fractions."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases.catalogue import DTYPES
from backproof.cases.fillings import FILLINGS, bell, fan_in_exponent
from backproof.cases.streams import raw_words

WORD = st.integers(0, 2**64 - 1)
MANY = 100_000


def pair(name, count=MANY):
    """Two words for each of `count` numbers."""
    return raw_words(name, 2 * count).reshape(2, count)


@given(WORD, WORD)
def test_bell_is_the_centred_sum_of_four_integers(first, second):
    """bell's floats are its definition in whole numbers, without any rounding."""
    summands = [word >> 13 for word in (first, second)] + [(word % 2**13) << 38 for word in (first, second)]
    assert all(summand < 2**51 for summand in summands)
    number = bell(np.array([[first], [second]], dtype=np.uint64))[0]
    assert Fraction(float(number)) == Fraction(sum(summands) - 2**52, 2**50)


def test_bell_has_the_moments_of_irwin_and_hall():
    """Mean 0 and variance 4/3, within five standard errors, and most numbers in the middle."""
    numbers = bell(pair("moments"))
    # Of a sum of 4 uniform numbers of width 2: variance 4/3, excess kurtosis -6/5/4.
    variance, kurtosis = 4 / 3, 3 - 0.3
    assert abs(numbers.mean()) <= 5 * sqrt(variance / MANY)
    assert abs((numbers**2).mean() - variance) <= 5 * variance * sqrt((kurtosis - 1) / MANY)
    assert np.abs(numbers).max() <= 4
    # Bell-shaped: the middle fifth of the range holds far more than a fifth of the numbers.
    assert (np.abs(numbers) <= 0.8).mean() > 2 / 5


@pytest.mark.parametrize("inputs", range(1, 200))
def test_fan_in_exponent_is_the_nearest_power_of_two(inputs):
    """2^-k is within a factor of sqrt(2) of 1/sqrt(inputs): 2^(2k-1) <= inputs <= 2^(2k+1)."""
    k = fan_in_exponent(inputs)
    assert Fraction(4) ** k / 2 <= inputs <= Fraction(4) ** k * 2


@pytest.mark.parametrize("name", FILLINGS)
def test_every_part_of_a_filling_keeps_its_promise(name):
    """Units lie in [0, 1], positives above 0, picks in [0, count), masses are whole and at least 0; all are finite."""
    filling = FILLINGS[name]
    words = pair(name, 6000)
    numbers = filling.numbers(words)
    assert numbers.dtype == np.float64
    assert np.isfinite(numbers).all()
    assert set(filling.scales) == set(DTYPES)
    units, positives = filling.units(words[0]), filling.positives(words[0])
    assert 0 <= units.min() <= units.max() <= 1
    assert 0 < positives.min() <= positives.max() < 8
    for count in (1, 2, 7):
        picks = filling.picks(words[0], count)
        assert picks.dtype == np.int64
        assert 0 <= picks.min() <= picks.max() < count
        assert name == "ones" or len(np.unique(picks)) == count
    masses = filling.masses(words.reshape(2, 2000, 3))
    assert masses.dtype == np.int64
    assert masses.min() >= 0


def test_ones_are_ones():
    """Everything in `ones` is one; a pick is class 1 where there is one."""
    filling, words = FILLINGS["ones"], pair("ones", 50)
    for numbers in (filling.numbers(words), filling.units(words[0]), filling.positives(words[0])):
        assert np.array_equal(numbers, np.ones(50))
    assert np.array_equal(filling.picks(words[0], 3), np.ones(50))
    assert np.array_equal(filling.picks(words[0], 1), np.zeros(50))


def test_integers_are_small_integers():
    """`integers` are -2..2, each of them met."""
    numbers = FILLINGS["integers"].numbers(pair("integers", 1000))
    assert np.unique(numbers).tolist() == [-2, -1, 0, 1, 2]


@pytest.mark.parametrize("dtype", DTYPES)
def test_decimals_are_correctly_rounded_tenths(dtype):
    """`decimals` are k/10 for k in -20..20, each the dtype's nearest number to it."""
    numbers = np.unique(FILLINGS["decimals"].numbers(pair("decimals", 2000)).astype(dtype))
    assert len(numbers) == 41
    for k, number in zip(range(-20, 21), numbers, strict=True):
        tenth = Fraction(k, 10)
        neighbours = [np.nextafter(number, number.dtype.type(side)) for side in (-9, 9)]
        assert all(abs(Fraction(float(number)) - tenth) <= abs(Fraction(float(other)) - tenth) for other in neighbours)


def test_sparse_is_three_quarters_zero():
    """Three quarters of `sparse` are exact zeros, within five standard errors; the rest are bell-shaped as ever."""
    numbers = FILLINGS["sparse"].numbers(pair("sparse"))
    assert abs((numbers == 0).mean() - 3 / 4) <= 5 * sqrt(3 / 16 / MANY)
    rest = numbers[numbers != 0]
    assert abs(rest.mean()) <= 5 * sqrt(4 / 3 / len(rest))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tiny_stays_above_the_smallest_normal_number(dtype):
    """The product of six layers' weights and of two data of typical size is still a normal number, but a small one."""
    scales = FILLINGS["tiny"].scales[dtype]
    typical = 2 * scales.data + 5 * scales.weight
    smallest = round(np.log2(np.finfo(dtype).smallest_normal))
    assert smallest < typical < 0.6 * smallest

"""The fillings: what kinds of numbers stand in a case's arrays. One record each in FILLINGS.

Every number comes from raw words by integer arithmetic and exact scaling by powers of two (and one correctly rounded division
where it says so): the same bits on every machine. A number has two words, `first` and `second`, of the same shape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.cases.streams import Words, below

__all__ = ["FILLINGS", "Filling", "Scales", "bell", "fan_in_exponent"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FINE_SHIFT, _COARSE_SHIFT = np.uint64(13), np.uint64(38)
_COARSE_MASK = np.uint64(2**13 - 1)
_LOWEST_TWO = np.uint64(3)
_UNIT_SHIFT = np.uint64(11)
_MASS_SHIFT = np.uint64(33)


def bell(first: Words, second: Words) -> Floats:
    """Irwin-Hall: the centred sum of four uniform numbers, bell-shaped and not Gaussian; mean 0, variance 4/3, |.| <= 4.

    Two summands have the 51 upper bits of a word; two coarse ones have the 13 lower bits of a word, as the upper bits of 51. The sum
    has 53 bits; less 2^52 it is an integer that float64 holds, and 2^-50 scales it exactly.
    """
    total = (first >> _FINE_SHIFT) + (second >> _FINE_SHIFT)
    total += (first & _COARSE_MASK) << _COARSE_SHIFT
    total += (second & _COARSE_MASK) << _COARSE_SHIFT
    return (total.astype(np.int64) - 2**52) * 2.0**-50


def fan_in_exponent(inputs: int) -> int:
    """k for the power of two 2^-k nearest to 1/sqrt(inputs): 0 for one input, 1 for 2 to 7, 2 for 8 to 31, ..."""
    return inputs.bit_length() // 2


def _ones(first: Words, second: Words) -> Floats:
    return np.ones(first.shape)


def _small_integers(first: Words, second: Words) -> Floats:
    return (below(first, 5) - 2).astype(np.float64)


def _decimals(first: Words, second: Words) -> Floats:
    return (below(first, 41) - 20) / 10.0


def _three_quarters(words: Words) -> NDArray[np.bool_]:
    """True for three quarters of the words: by the two lowest bits of bell's fine summand, which `below` does not read."""
    return (words >> _FINE_SHIFT) & _LOWEST_TWO != 0


def _sparse(first: Words, second: Words) -> Floats:
    return np.where(_three_quarters(second), 0.0, bell(first, second))


def _uniform(first: Words) -> Floats:
    """Uniform in [0, 1), multiples of 2^-53."""
    return (first >> _UNIT_SHIFT) * 2.0**-53


def _masses(first: Words, second: Words) -> Integers:
    """Uniform in [0, 2^31); every fourth row of the last axis is zero (and becomes one-hot)."""
    masses = (first >> _MASS_SHIFT).astype(np.int64)
    masses[~_three_quarters(second[:, 0])] = 0
    return masses


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Exponents of two: of weights, biases, and data (x, and y where it is real); `rows`: samples differ by up to 2^rows."""

    weight: int = 0
    bias: int = 0
    data: int = 0
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class Filling:
    """How a case's numbers are drawn. Each function takes words (and the second words of the same numbers).

    numbers: any sign. units: in [0, 1]. positives: greater than 0, not small. picks: whole numbers in [0, count). masses: whole
    numbers >= 0, (N, O), to be divided by their rows' sums; a row of zeros becomes one-hot. fan_in: weights are scaled by the power of
    two nearest 1/sqrt(fan-in). scales: by dtype. inputs: the width of x where it is real data and not drawn.
    """

    numbers: Callable[[Words, Words], Floats]
    units: Callable[[Words], Floats] = _uniform
    positives: Callable[[Words], Floats] = lambda words: 0.25 + 2.0 * _uniform(words)
    picks: Callable[[Words, int], Integers] = below
    masses: Callable[[Words, Words], Integers] = _masses
    fan_in: bool = True
    scales: Mapping[str, Scales] = field(default_factory=dict)
    inputs: int | None = None


def _both(**exponents: Any) -> Mapping[str, Scales]:
    return {"float64": Scales(**exponents), "float32": Scales(**exponents)}


_NORMAL: Final = Filling(numbers=bell, scales=_both(bias=-1))

FILLINGS: Final[Mapping[str, Filling]] = {
    "ones": Filling(
        numbers=_ones,
        units=lambda words: np.ones(words.shape),
        positives=lambda words: np.ones(words.shape),
        picks=lambda words, count: np.full(words.shape, 1 % count, dtype=np.int64),
        masses=lambda first, second: np.ones(first.shape, dtype=np.int64),
        fan_in=False,
        scales=_both(),
    ),
    # -2..2: sums and products are exact, and kinks and ties are hit exactly.
    "integers": Filling(
        numbers=_small_integers,
        units=lambda words: below(words, 2).astype(np.float64),
        positives=lambda words: (1 + below(words, 4)).astype(np.float64),
        masses=lambda first, second: np.zeros(first.shape, dtype=np.int64),
        fan_in=False,
        scales=_both(),
    ),
    # k/10, correctly rounded: kinks and ties are hit but for the rounding.
    "decimals": Filling(
        numbers=_decimals,
        units=lambda words: below(words, 11) / 10.0,
        positives=lambda words: (1 + below(words, 20)) / 10.0,
        masses=lambda first, second: below(first, 6),
        fan_in=False,
        scales=_both(),
    ),
    "normal": _NORMAL,
    # Rows from 1 to 2^12 times the normal size, and weights four times: sigmoids of some samples saturate, of others not.
    "saturated": Filling(numbers=bell, scales=_both(weight=2, bias=1, rows=12)),
    # Products of six layers' weights and of two data still stay above the smallest normal number, 2^-126 or 2^-1022.
    "tiny": Filling(
        numbers=bell,
        scales={"float32": Scales(weight=-11, bias=-24, data=-24), "float64": Scales(weight=-96, bias=-192, data=-192)},
    ),
    # Three quarters of the numbers are exactly zero.
    "sparse": Filling(
        numbers=_sparse,
        masses=lambda first, second: np.where(_three_quarters(second), 0, _masses(first, second)),
        scales=_both(bias=-1),
    ),
    # scikit-learn's handwritten digits as x (see digits.py); weights as in `normal`.
    "digits": replace(_NORMAL, inputs=64),
}

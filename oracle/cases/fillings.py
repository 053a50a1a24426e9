"""The fillings: what kinds of numbers stand in a case's arrays. One record each in FILLINGS.

Every number comes from raw words by integer arithmetic and exact scaling by powers of two (and one correctly rounded
division where it says so): the same bits on every machine. A number takes two words: `words` are of shape (2, ...).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backproof.cases.streams import Words, below

__all__ = ["FILLINGS", "Filling", "Scales", "bell", "fan_in_exponent"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_LOW_BITS = np.uint64(13)
_ALL_BUT_LOW_BITS = np.uint64(51)
_LOWEST_TWO = np.uint64(3)
_UNIT_SHIFT = np.uint64(11)
_MASS_SHIFT = np.uint64(33)


def bell(words: Words) -> Floats:
    """Irwin-Hall: the centred sum of four uniform numbers; bell-shaped, not Gaussian; mean 0, variance 4/3, |.| <= 4.

    Each word gives two summands below 2^51: its upper 51 bits, and its lower 13 bits as the uppermost of 51. The sum is
    an integer below 2^53, which float64 holds; scaling it by 2^-50 and taking 4 away are exact.
    """
    lower = words << _ALL_BUT_LOW_BITS
    lower >>= _LOW_BITS
    sums = words >> _LOW_BITS
    sums += lower
    numbers: Floats = (sums[0] + sums[1]).astype(np.float64)
    numbers *= 2.0**-50
    numbers -= 4.0
    return numbers


def fan_in_exponent(inputs: int) -> int:
    """k for the power of two 2^-k nearest to 1/sqrt(inputs): 0 for one input, 1 for 2 to 7, 2 for 8 to 31, ..."""
    return inputs.bit_length() // 2


def _ones(words: Words) -> Floats:
    return np.ones(words.shape[1:])


def _small_integers(words: Words) -> Floats:
    return (below(words[0], 5) - 2).astype(np.float64)


def _decimals(words: Words) -> Floats:
    return np.divide(below(words[0], 41) - 20, 10.0)


def _three_quarters(words: Words) -> NDArray[np.bool_]:
    """True for three quarters of the words, by two bits that count for nothing in `bell` and not at all in `below`."""
    chosen: NDArray[np.bool_] = (words >> _LOW_BITS) & _LOWEST_TWO != 0
    return chosen


def _sparse(words: Words) -> Floats:
    numbers = bell(words)
    numbers[_three_quarters(words[1])] = 0.0
    return numbers


def _uniform(words: Words) -> Floats:
    """Uniform in [0, 1), multiples of 2^-53, of shape (...) from words (...)."""
    numbers: Floats = (words >> _UNIT_SHIFT).astype(np.float64) * 2.0**-53
    return numbers


def _quarter_to_two(words: Words) -> Floats:
    numbers: Floats = 0.25 + 2.0 * _uniform(words)
    return numbers


def _masses(words: Words) -> Integers:
    """Uniform in [0, 2^31); about every fourth row of (N, O) is zero."""
    masses: Integers = (words[0] >> _MASS_SHIFT).astype(np.int64)
    masses[~_three_quarters(words[1, :, 0])] = 0
    return masses


def _sparse_masses(words: Words) -> Integers:
    masses: Integers = (words[0] >> _MASS_SHIFT).astype(np.int64)
    masses[_three_quarters(words[1])] = 0
    return masses


def _mostly_labels(words: Words) -> Floats:
    """0 or 1 exactly, three times out of four."""
    units = _uniform(words)
    return np.where(_three_quarters(words), np.round(units), units)


def _mostly_one_hot(words: Words) -> Integers:
    """Three rows of four are zero, and so become one-hot."""
    masses: Integers = (words[0] >> _MASS_SHIFT).astype(np.int64)
    masses[_three_quarters(words[1, :, 0])] = 0
    return masses


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Exponents of two: of weights, biases, data (x, and y where it is real); samples differ by up to 2^rows."""

    weight: int = 0
    bias: int = 0
    data: int = 0
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class Filling:
    """How a case's numbers are drawn from words. `numbers` and `masses` take (2, ...), the others (...).

    numbers: of any sign. units: in [0, 1]. positives: greater than 0, not small. picks: whole numbers in [0, count).
    masses: whole numbers >= 0, (N, O), to be divided by the sums of their rows; a row of zeros becomes one-hot.
    fan_in: whether weights are scaled by the power of two nearest 1/sqrt(fan-in), so that deep and wide networks
    neither explode nor die out. scales: by dtype. inputs: the width of x where it is real data, else None.
    """

    numbers: Callable[[Words], Floats]
    units: Callable[[Words], Floats] = _uniform
    positives: Callable[[Words], Floats] = _quarter_to_two
    picks: Callable[[Words, int], Integers] = below
    masses: Callable[[Words], Integers] = _masses
    fan_in: bool = True
    scales: Mapping[str, Scales] = field(default_factory=dict)
    inputs: int | None = None


def _both(**exponents: int) -> Mapping[str, Scales]:
    return {"float64": Scales(**exponents), "float32": Scales(**exponents)}


_NORMAL: Final = Filling(numbers=bell, scales=_both(bias=-1))

FILLINGS: Final[Mapping[str, Filling]] = {
    "ones": Filling(
        numbers=_ones,
        units=lambda words: np.ones(words.shape),
        positives=lambda words: np.ones(words.shape),
        picks=lambda words, count: np.full(words.shape, 1 % count, dtype=np.int64),
        masses=lambda words: np.ones(words.shape[1:], dtype=np.int64),
        fan_in=False,
        scales=_both(),
    ),
    # -2..2: sums and products are exact, and kinks and ties are hit exactly.
    "integers": Filling(
        numbers=_small_integers,
        units=lambda words: below(words, 2).astype(np.float64),
        positives=lambda words: (1 + below(words, 4)).astype(np.float64),
        masses=lambda words: np.zeros(words.shape[1:], dtype=np.int64),
        fan_in=False,
        scales=_both(),
    ),
    # k/10, correctly rounded: kinks and ties are hit but for the rounding.
    "decimals": Filling(
        numbers=_decimals,
        units=lambda words: below(words, 11) / 10.0,
        positives=lambda words: (1 + below(words, 20)) / 10.0,
        masses=lambda words: below(words[0], 6),
        fan_in=False,
        scales=_both(),
    ),
    "normal": _NORMAL,
    # Rows of 1 to 2^12 times the normal size, and weights of four times: the sigmoids of some samples saturate.
    # Most targets are labels: a term of theirs that is not there must not be computed where the output is 0 or 1.
    "saturated": Filling(
        numbers=bell,
        units=_mostly_labels,
        masses=_mostly_one_hot,
        scales=_both(weight=2, bias=1, rows=12),
    ),
    # Products of six layers' weights and of two data still stay above the smallest normal number, 2^-126 or 2^-1022.
    "tiny": Filling(
        numbers=bell,
        scales={"float32": Scales(weight=-11, bias=-24, data=-24), "float64": Scales(weight=-96, bias=-192, data=-192)},
    ),
    # Three quarters of the numbers are exactly zero.
    "sparse": Filling(numbers=_sparse, masses=_sparse_masses, scales=_both(bias=-1)),
    # scikit-learn's handwritten digits as x (see digits.py); weights as in `normal`.
    "digits": replace(_NORMAL, inputs=64),
}

"""Balls (python-flint's arb) for the exact truth: functions in forms that stay sharp, and float64 enclosures.

A ball is a midpoint and a radius that encloses a real number; every operation returns a ball that encloses the true
result. What a form loses to cancellation or saturation shows as radius, never as error, so the forms here only decide
how much precision is needed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
from flint import arb
from numpy.typing import NDArray

Array = NDArray[Any]

ZERO: Final = arb(0)
ONE: Final = arb(1)

SMALLEST: Final = float(np.finfo(np.float64).smallest_subnormal)
_LARGEST: Final = float(np.finfo(np.float64).max)
_BEYOND: Final = arb((2**54 - 1, 970))  # mantissa and exponent, whatever the precision at import
"""Every number of at least this size rounds to infinity: the largest float64 and half a unit in its last place."""


def ball(number: Any) -> arb:
    """The exact ball of a float, a NumPy scalar or an integer: each is a whole number times a power of two."""
    return arb(float(number))


def balls(array: Array) -> list[arb]:
    """The exact balls of an array's entries, row-major."""
    return [arb(number) for number in array.astype(np.float64).ravel().tolist()]


def total(terms: Iterable[arb]) -> arb:
    """The sum of balls."""
    return sum(terms, ZERO)


def hull(first: arb, second: arb) -> arb:
    """The smallest ball that holds both."""
    return first.union(second)


def logistic(z: arb) -> tuple[arb, arb]:
    """s(z) and s(-z) = 1 - s(z), s(z) = 1/(1 + exp(-z)); each relatively sharp, because the exponential only decays."""
    if z > 0:
        decay = (-z).exp()
        larger = 1 / (1 + decay)
        return larger, decay * larger
    decay = z.exp()
    larger = 1 / (1 + decay)
    return decay * larger, larger


def log_one_plus_exp(z: arb) -> arb:
    """log(1 + exp(z)) = max(z, 0) + log1p(exp(-|z|))."""
    return z + (-z).exp().log1p() if z > 0 else z.exp().log1p()


def log_of(p: arb, complement: arb) -> arb:
    """log p, given 1 - p as well: log1p(-(1 - p)) where p is nearer to 1, which keeps the precision of 1 - p."""
    return (-complement).log1p() if p > complement else p.log()


def sums_of_others(terms: Sequence[arb]) -> list[arb]:
    """For each entry the sum of all others, without subtracting anything: prefix sums plus suffix sums."""
    before = list(accumulate(terms, initial=ZERO))
    after = list(accumulate(reversed(terms), initial=ZERO))
    after.reverse()
    return [left + right for left, right in zip(before[:-1], after[1:], strict=True)]


@dataclass(frozen=True, slots=True)
class Softmax:
    """p = softmax(z) of one row, with 1 - p and log p, each computed without cancellation, shape (K,) each."""

    probabilities: list[arb]
    complements: list[arb]
    logs: list[arb]


def softmax(row: Sequence[arb]) -> Softmax:
    """p = e/S with e_i = exp(z_i - m), m the largest z, S = sum e.

    1 - p_i = sum_{j != i} e_j / S, and log p_i = (z_i - m) - log1p(S - 1).
    S - 1 is the sum of the others' e at the largest z, so log p has two terms of one sign, and its relative precision
    stays.
    """
    top = max(range(len(row)), key=lambda index: float(row[index]))
    shifted = [z - row[top] for z in row]
    shifted[top] = ZERO  # a ball minus itself is not zero, but a number minus itself is
    powers = [z.exp() for z in shifted]
    others = sums_of_others(powers)
    scale = 1 / (1 + others[top])
    log_scale = others[top].log1p()
    return Softmax(
        [power * scale for power in powers],
        [other * scale for other in others],
        [z - log_scale for z in shifted],
    )


@dataclass(frozen=True, eq=False)
class Float64Enclosure:
    """Balls as float64: |truth - middle| <= radius. `reach` is the radius before the midpoint was rounded to float64.

    A truth that is certainly beyond the float64 range has middle +-inf and radius 0. A ball that only reaches beyond
    it has an infinite radius. Where nothing is known, or no number exists (a pole, 0 times infinity), middle is NaN
    and radius infinite.
    """

    middle: Array
    radius: Array
    reach: Array


def to_float64(entries: Sequence[arb]) -> Float64Enclosure:
    """The nearest float64 of each midpoint, and radii rounded upwards; an exact float64 has radius 0."""
    count = len(entries)
    middle = np.fromiter(map(float, entries), dtype=np.float64, count=count)
    # A ball's radius has 30 bits, so this is exact, or out of range: then 0 or inf.
    reach = np.fromiter((float(entry.rad()) for entry in entries), dtype=np.float64, count=count)
    # Half a unit in the last place of m 2^e, 1/2 <= m < 1, is 2^(e - 54); 0 has no exponent of its own.
    rounding = np.where(middle == 0.0, SMALLEST, np.maximum(np.ldexp(1.0, np.frexp(middle)[1] - 54), SMALLEST))
    for index in np.flatnonzero(reach == 0.0).tolist():
        if not entries[index].is_exact():
            reach[index] = SMALLEST
        elif entries[index] == middle[index]:
            rounding[index] = 0.0
    radius = np.where(rounding == 0.0, reach, np.nextafter(reach + rounding, np.inf))
    for index in np.flatnonzero(~np.isfinite(middle) | ~np.isfinite(reach)).tolist():
        entry = entries[index]
        if not entry.is_finite():
            middle[index], reach[index], radius[index] = np.nan, np.inf, np.inf
        elif entry.abs_lower() >= _BEYOND:
            middle[index], reach[index], radius[index] = np.copysign(np.inf, middle[index]), 0.0, 0.0
        else:
            middle[index] = np.clip(middle[index], -_LARGEST, _LARGEST)
            reach[index] = radius[index] = np.inf
    return Float64Enclosure(middle, radius, reach)

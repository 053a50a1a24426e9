"""Floating-point arithmetic as the bound sees it: a unit roundoff, and a value paired with its error.

Every quantity of the bound is a pair: a value v, and an e >= |computed - true| for every correct implementation in
the candidate's dtype. The model of arithmetic is the usual one, fl(x op y) = (x op y)(1 + d) + t with |d| <= u and
|t| <= eta (flush-to-zero included), so a sum of k products in ANY order, fused or blocked or accumulated more
precisely, errs by at most gamma_k sum|x y| + k eta, gamma_k = k u / (1 - k u).  Source: Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., sections 2.2, 2.8, 3.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Forms = Literal["accurate", "textbook"]
Kinks = Literal["sharp", "any", "none"]

SEARCH = 2.0
"""f, the factor on every search radius. The values at which the bound is evaluated are themselves computed, hence up to
e from the truth, and the candidate is up to e from it on the other side: whatever either can meet lies within 2e."""

ABSORBED: Final = 2.0**-54
"""A float64 plus at most this share of itself is itself again: eta need not be added to errors that are far larger."""

PIVOT = 1 << 40
"""Lowest-set-bit exponent given to a row of zeros: a zero is a multiple of every power of two."""


def lowest(array: Array) -> float:
    """The smallest entry; NaN where one is, inf where there is none. `min` takes four times as long to set up."""
    return float(array.item(array.argmin())) if array.size else math.inf


def highest(array: Array) -> float:
    """The largest entry; NaN where one is, -inf where there is none."""
    return float(array.item(array.argmax())) if array.size else -math.inf


def least(sizes: Array) -> float:
    """The smallest entry but 0, of entries that are not negative; NaN where one is, inf where all are 0."""
    smallest = lowest(sizes)
    return lowest(sizes[sizes != 0.0]) if smallest == 0.0 else smallest


@lru_cache(maxsize=128)
def ones(count: int) -> Array:
    """A vector of ones: a product with it is a sum along an axis, at a quarter of the cost where the array is small."""
    vector = np.ones(count)
    vector.flags.writeable = False
    return vector


def total(array: Array) -> float:
    """The sum of all entries."""
    return float(array.ravel().dot(ones(array.size)))


def row_sums(array: Array) -> Array:
    """The sum of each row of (N, K), as (N, 1)."""
    sums: Array = array.dot(ones(array.shape[1]))
    return sums[:, None]


class Rounded:
    """A value and the error that rounding may have left in it: |computed - true| <= error, entry by entry.

    Neither array is changed once they are together: what follows from them is computed once. exact: whether the error
    is known to be 0 everywhere.
    """

    __slots__ = ("_magnitude", "_size", "error", "exact", "value")

    def __init__(self, value: Array, error: Array, *, size: Array | None = None, exact: bool = False) -> None:
        self.value = value
        self.error = error
        self.exact = exact
        self._size = size
        self._magnitude: Array | None = None

    @property
    def size(self) -> Array:
        """|value|."""
        if self._size is None:
            self._size = np.abs(self.value)
        return self._size

    @property
    def magnitude(self) -> Array:
        """|value| + error: no correct implementation computes anything larger."""
        if self._magnitude is None:
            self._magnitude = self.size + self.error
        return self._magnitude


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The candidate's arithmetic, and what is to be admitted in it.

    unit: u, half the distance from 1 to the next number; smallest: eta, the smallest normal number; largest: beyond
    it is inf. forms: "accurate" admits formulas accurate in the tail, "textbook" every formula a textbook prints.
    kinks: "sharp" holds an exactly hit kink to the reference's subgradient, "any" admits every subgradient there,
    "none" passes over every kink: what the bound would be if none were within reach. narrows: whether the program
    rounds the numbers that it is given to its dtype.
    """

    unit: float
    smallest: float
    largest: float
    dtype: str
    forms: Forms = "accurate"
    kinks: Kinks = "sharp"
    narrows: bool = False

    @classmethod
    @cache
    def of(cls, dtype: str, *, forms: Forms = "accurate", kinks: Kinks = "sharp") -> Arithmetic:
        """The arithmetic of a NumPy dtype by name, "float32" or "float64"."""
        limits = np.finfo(dtype)
        return cls(float(limits.eps) / 2, float(limits.smallest_normal), float(limits.max), dtype, forms, kinks)

    def gamma(self, operations: int) -> float:
        """gamma_k = k u / (1 - k u): the relative error that k roundings can add up to.  Higham 2002, lemma 3.1."""
        total = operations * self.unit
        return total / (1.0 - total)

    def parameter_error(self, parameter: float) -> float:
        """How far a parameter moves when it is rounded to the candidate's dtype: 0 where the dtype holds it exactly.

        One below eta may become 0.
        """
        if abs(parameter) < self.smallest:
            return abs(parameter)
        return abs(parameter) * self.unit if float(np.dtype(self.dtype).type(parameter)) != parameter else 0.0

    def flushed(self, array: Array) -> Array:
        """The error of given numbers: eta where flush-to-zero may take a subnormal one for 0, none elsewhere."""
        size = np.abs(array)
        if least(size) >= self.smallest:
            return np.zeros(size.shape)
        error: Array = self.smallest * ((size < self.smallest) & (size > 0.0))
        return error

    def narrowed(self, given: Array) -> Array:
        """How far given numbers move where the program rounds them to its dtype: 0 where that holds them exactly."""
        size = np.abs(given)
        if not self.narrows:
            return np.zeros(size.shape)
        with np.errstate(over="ignore"):
            held = given.astype(self.dtype) == given
        moved = np.where(size < self.smallest, size, 0.5 * float(np.finfo(self.dtype).eps) * size)
        return np.where(held, 0.0, moved)

    def underflow_in_place(self, error: Array, operations: int = 1, *, of: Array | None = None) -> None:
        """Add eta for every operation that may underflow; where nothing errs, nothing is computed inexactly.

        of: the numbers themselves. Where float64 is judged, u times one of them may underflow to 0 right here: then it
        need not be exact, though its error is 0.
        """
        lost = operations * self.smallest
        if lowest(error) * ABSORBED > lost:
            return
        inexact = error > 0.0
        if of is not None and self.dtype == "float64":
            inexact |= (of != 0.0) & (np.abs(of) < self.smallest / self.unit)
        np.add(error, lost, out=error, where=inexact)

    def underflow_of_product_in_place(
        self, error: Array, left: Array, right: Array, operations: int, *, added: Array | None = None
    ) -> None:
        """The same for left @ right, of which error is a multiple but for underflow.

        Where float64 is judged, products and their errors may underflow to 0 right here; a sum whose error is 0 is
        exact only if all its products have a factor that is 0. None underflows, nor would lost change an error, where
        u times the least product that is not 0 is far above both: no error that is not 0 is smaller, unless it is that
        of a number that is `added` to the product.
        """
        lost = operations * self.smallest
        smallest = lowest(error)
        if smallest * ABSORBED > lost:
            return
        if smallest == 0.0 and self._absorbs(lost, least(left) * least(right)):
            smallest = math.inf if added is None else least(np.abs(added))
            if smallest == math.inf or self._absorbs(lost, smallest):
                return
        inexact = error > 0.0
        if self.dtype == "float64":
            inexact |= (left != 0.0).astype(np.float64) @ (right != 0.0).astype(np.float64) > 0.0
        np.add(error, lost, out=error, where=inexact)

    def underflow_of_factors_in_place(self, error: Array, left: Rounded, right: Rounded, operations: int) -> None:
        """The same for the product of two arrays, entry by entry, of which error is 2u of the magnitudes at least."""
        lost = operations * self.smallest
        smallest = lowest(error)
        if smallest * ABSORBED > lost:
            return
        if smallest == 0.0 and self._absorbs(lost, least(left.magnitude) * least(right.magnitude)):
            return
        inexact = error > 0.0
        if self.dtype == "float64":
            inexact |= (left.magnitude > 0.0) & (right.magnitude > 0.0)
        np.add(error, lost, out=error, where=inexact)

    def _absorbs(self, lost: float, product: float) -> bool:
        """Whether u times the least product leaves what underflow may take far below it, with a factor of 4 to spare.

        A product that is infinite or NaN, of factors that are all 0 perhaps, says nothing.
        """
        return 4.0 * lost < self.unit * product * ABSORBED < math.inf

    def overflow_in_place(self, error: Array, gamma: float) -> None:
        """Make the error NaN where a correct implementation may overflow on its way, in some order or form.

        error >= gamma times the sum of the magnitudes that went into it, so that error > gamma largest tells that sum's
        overflow. After an overflow a candidate may hold inf or NaN, which no range of a function limits; NaN says so on
        all the way down, an inf would not.
        """
        limit = gamma * self.largest
        if not highest(error) <= limit:
            error[error > limit] = np.nan

    def meets_kink(self, distance: Array, error: Array) -> Array:
        """Where the two sides of a kink cannot be told apart, as a mask.

        distance: signed distance of the computed value from the kink; error: the error of that distance. An inexact
        distance meets the kink within SEARCH times its error, and so does one that flush-to-zero may flush. An exact
        one meets it only at 0 and is then tested sharply, unless every subgradient is admitted.
        """
        size = np.abs(distance)
        if self.kinks == "none":
            return np.zeros(size.shape, dtype=bool)
        met: Array = ~(size > SEARCH * error)  # so put, a NaN error meets every kink
        if lowest(size) >= self.smallest and not highest(met):
            return met
        met &= error != 0.0
        met |= (size < self.smallest) & (size > 0.0)
        if self.kinks == "any":
            met |= size == 0.0
        return met


def own_dtype(given: Array) -> str:
    """The dtype by whose accuracy an array is judged: its own, but no float is held to less than float32."""
    return "float32" if given.dtype.kind == "f" and given.dtype.itemsize <= 4 else "float64"


def significant_bits(number: float) -> int:
    """How many bits lie between the highest and the lowest set one, both included; 0 for 0 and what is not finite."""
    whole = abs(int(math.frexp(number)[0] * 2.0**53)) if math.isfinite(number) else 0
    return whole.bit_length() - (whole & -whole).bit_length() + 1 if whole else 0


def lowest_bit(rows: Array) -> Array:
    """Per row, the exponent of the largest power of two that divides every entry (PIVOT for a row of zeros)."""
    mantissa, exponent = np.frexp(rows)
    whole = (mantissa * 2.0**53).astype(np.int64)
    # whole & -whole is the lowest set bit, a power of two, whose exponent frexp reads off: 2**k = 0.5 * 2**(k+1).
    position = np.frexp((whole & -whole).astype(np.float64))[1].astype(np.int64) - 1
    bit = np.where(whole == 0, PIVOT, exponent.astype(np.int64) - 53 + position)
    result: Array = bit.min(axis=-1, initial=PIVOT)
    return result


def sums_are_exact(bit: Array, size: Array, arithmetic: Arithmetic) -> Array:
    """Where a sum of multiples of 2^bit, of total size at most `size`, has no rounding in any order.

    Every partial sum is then an integer multiple of 2^bit below 2^bit / u, which the dtype holds exactly, provided that
    2^bit is itself no subnormal (flush-to-zero) and that nothing as large as `size` overflows. The size is a computed
    one, which the relative 2^-20 allows for.
    """
    quantum = np.ldexp(1.0, np.clip(bit, -1000, 900).astype(np.int64))
    exact: Array = (
        (bit >= np.log2(arithmetic.smallest))
        & (size * (1.0 + 2.0**-20) < quantum / arithmetic.unit)
        & (size <= arithmetic.largest)
    )
    return exact

"""The sigmoid and its relatives, in forms that neither overflow nor lose their tails. Results have the dtype of z."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"

from typing import NamedTuple, Self

import numpy as np

from backproof.scratch.arrays import Array

LOWEST = {np.dtype(name): np.asarray(-np.finfo(name).max) for name in ("float64", "float32")}
"""The lowest finite number of each dtype."""


@np.errstate(over="ignore")
def sigmoid(z: Array) -> Array:
    """s(z) = 1 / (1 + e^-z), accurate relative to itself in the lower tail."""
    denominator = np.negative(z)
    np.exp(denominator, out=denominator)
    denominator += 1
    return np.reciprocal(denominator, out=denominator)


def log1p_exp(z: Array) -> Array:
    """log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), accurate relative to itself in the lower tail."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


class Exponentials(NamedTuple):
    """What softmax and log_softmax are made of, row by row: z less its largest entry, so that nothing overflows."""

    shifted: Array  # z_o - max_k z_k, (N, O)
    powers: Array  # e to these, (N, O)
    total: Array  # sum_k of those, (N, 1)

    @classmethod
    @np.errstate(over="ignore")
    def of(cls, z: Array) -> Self:
        """Those of z (N, O)."""
        shifted: Array = z - z.max(axis=1, keepdims=True)
        powers = np.exp(shifted)
        return cls(shifted, powers, powers.sum(axis=1, keepdims=True))

    def softmax(self) -> Array:
        """e^(z_o) / sum_k e^(z_k), (N, O)."""
        return self.powers / self.total

    def log_softmax(self) -> Array:
        """z_o - log sum_k e^(z_k), (N, O); the lowest finite number where the shift overflows."""
        logarithms = self.shifted - np.log(self.total)
        return np.maximum(logarithms, LOWEST[logarithms.dtype], out=logarithms)


def softmax(z: Array) -> Array:
    """e^(z_o) / sum_k e^(z_k) along each row."""
    return Exponentials.of(z).softmax()


def log_softmax(z: Array) -> Array:
    """z_o - log sum_k e^(z_k) along each row."""
    return Exponentials.of(z).log_softmax()

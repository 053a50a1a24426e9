"""The sigmoid and its relatives, in forms that neither overflow nor lose their tails. Results have the dtype of z."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"

import numpy as np

from backproof.scratch.arrays import Array

LOWEST = {np.dtype(name): -np.finfo(name).max for name in ("float64", "float32")}
"""The lowest finite number of each dtype."""


def sigmoid(z: Array) -> Array:
    """s(z) = 1 / (1 + e^-z), accurate relative to itself in the lower tail."""
    with np.errstate(over="ignore"):
        denominator = np.exp(-z)
    denominator += 1
    return np.reciprocal(denominator, out=denominator)


def log1p_exp(z: Array) -> Array:
    """log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), accurate relative to itself in the lower tail."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


@np.errstate(over="ignore")
def softmax(z: Array) -> Array:
    """e^(z_o) / sum_k e^(z_k) along each row; the largest z is taken off first, so that nothing overflows."""
    exponentials: Array = np.exp(z - z.max(axis=1, keepdims=True))
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


@np.errstate(over="ignore")
def log_softmax(z: Array) -> Array:
    """z_o - log sum_k e^(z_k) along each row, by the same shift; the lowest finite number where that overflows."""
    shifted: Array = z - z.max(axis=1, keepdims=True)
    np.maximum(shifted, LOWEST[z.dtype], out=shifted)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted

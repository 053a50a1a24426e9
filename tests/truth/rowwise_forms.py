"""The ways people write softmax, log_softmax and their Jacobian products in NumPy, row by row.

SOFTMAX and LOG_SOFTMAX take z (N, K). The products take s = dC/da, p = softmax(z) and a, what the layer put out. A form
whose name begins with "unshifted" overflows for large z.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Product = Callable[[Array, Array, Array], Array]


def summed(terms: Array) -> Array:
    """The sum of each row, (N, 1), as a loop computes it."""
    return np.cumsum(terms, axis=1, dtype=terms.dtype)[:, -1:]


def shifted(z: Array) -> Array:
    """exp(z - max z)."""
    return np.exp(z - z.max(axis=1, keepdims=True))


def lse(z: Array) -> Array:
    """log sum exp by the largest, (N, 1)."""
    return z.max(axis=1, keepdims=True) + np.log(summed(shifted(z)))


def jacobians(p: Array) -> Array:
    """diag(p) - p p^T, (N, K, K)."""
    return p[:, :, None] * (np.eye(p.shape[1], dtype=p.dtype) - p[:, None, :])


SOFTMAX: dict[str, Callable[[Array], Array]] = {
    "e/sum": lambda z: shifted(z) / shifted(z).sum(axis=1, keepdims=True),
    "e/sum in a loop": lambda z: shifted(z) / summed(shifted(z)),
    "e (1/sum)": lambda z: shifted(z) * (1 / summed(shifted(z))),
    "exp(z - lse)": lambda z: np.exp(z - lse(z)),
    "exp((z - m) - log sum)": lambda z: np.exp((z - z.max(axis=1, keepdims=True)) - np.log(summed(shifted(z)))),
    "unshifted e/sum": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    "unshifted e/sum in a loop, backwards": lambda z: np.exp(z) / summed(np.exp(z[:, ::-1])),
}

LOG_SOFTMAX: dict[str, Callable[[Array], Array]] = {
    "(z - m) - log sum": lambda z: (z - z.max(axis=1, keepdims=True)) - np.log(summed(shifted(z))),
    "z - lse": lambda z: z - lse(z),
    "(z - log sum) - m": lambda z: (z - np.log(summed(shifted(z)))) - z.max(axis=1, keepdims=True),
    "unshifted log(e/sum)": lambda z: np.log(np.exp(z) / summed(np.exp(z))),
    "unshifted z - log sum": lambda z: z - np.log(summed(np.exp(z))),
}

# dC/dz of softmax (softmin: with the other sign), and of log_softmax.
SOFTMAX_PRODUCTS: dict[str, Product] = {
    "p (s - sum p s)": lambda s, p, a: p * (s - (p * s).sum(axis=1, keepdims=True)),
    "p s - p sum p s": lambda s, p, a: p * s - p * summed(p * s),
    "J s": lambda s, p, a: np.einsum("nij,nj->ni", jacobians(p), s),
    "J s in loops": lambda s, p, a: np.cumsum(jacobians(p) * s[:, None, :], axis=2)[:, :, -1],
}
LOG_SOFTMAX_PRODUCTS: dict[str, Product] = {
    "s - p sum s": lambda s, p, a: s - p * s.sum(axis=1, keepdims=True),
    "s - exp(a) sum s": lambda s, p, a: s - np.exp(a) * summed(s),
    "(I - 1 p) s": lambda s, p, a: np.einsum("nij,nj->ni", np.eye(p.shape[1], dtype=p.dtype) - p[:, :, None], s),
}

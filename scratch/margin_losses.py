"""Losses that ask for a distance from the decision boundary, and their smooth relatives. s is the sigmoid.

At a tie, where a margin is met exactly, the derivative is the one PyTorch 2.13 takes.
"""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D102 -- every record has the methods of Loss, described there, and its own formulas on top

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from backproof.scratch.arrays import Array
from backproof.scratch.classification_losses import LOGITS
from backproof.scratch.exponentials import log1p_exp, sigmoid
from backproof.scratch.objective import SAMPLES, Loss
from backproof.scratch.options import require_option


@dataclass(frozen=True)
class HingeEmbedding(Loss):
    """a if y = 1, max(0, margin - a) if y = -1, with the derivatives 1 and -[a <= margin]: -1 at the tie."""

    targets = "sign"
    margin: float = 1.0

    def value(self, a: Array, y: Array) -> Array:
        return np.where(y == 1, a, np.maximum(self.margin - a, 0))

    def gradient(self, a: Array, y: Array) -> Array:
        return np.where(y == 1, 1, -(a <= self.margin).astype(a.dtype))


@dataclass(frozen=True)
class SoftMargin(Loss):
    """log(1 + e^(-y a)), with the derivative -y s(-y a)."""

    targets = "sign"

    def value(self, a: Array, y: Array) -> Array:
        return log1p_exp(-y * a)

    def gradient(self, a: Array, y: Array) -> Array:
        return -y * sigmoid(-y * a)


@dataclass(frozen=True, eq=False)
class MultilabelSoftMargin(Loss):
    """sum_o w_o (y_o log(1 + e^-a_o) + (1 - y_o) log(1 + e^a_o)) / O per sample, (N,).

    The derivative is w_o (s(a_o) - y_o) / O, in the form (1 - y_o) s(a_o) - y_o s(-a_o) that keeps the tails. The O
    divides under every reduction; `mean` divides by N besides.
    """

    targets = "binary"
    expects = LOGITS
    per_sample = True
    mean_divides_by = SAMPLES
    arrays = MappingProxyType({"weight": "O"})
    weight: Array | None = None

    def value(self, a: Array, y: Array) -> Array:
        losses = y * log1p_exp(-a) + (1 - y) * log1p_exp(a)
        return np.asarray(self._weighted(losses).sum(axis=1) / a.shape[1])

    def gradient(self, a: Array, y: Array) -> Array:
        return self._weighted((1 - y) * sigmoid(a) - y * sigmoid(-a)) / a.shape[1]

    def _weighted(self, entries: Array) -> Array:
        return entries if self.weight is None else entries * self.weight


@dataclass(frozen=True, eq=False)
class MultiMargin(Loss):
    """w_y sum_(o != y) max(0, m_o)^p / O per sample, (N,), with m_o = margin - a_y + a_o.

    The derivative is t_o = w_y p max(0, m_o)^(p-1) [m_o > 0] / O for o != y, and -sum_o t_o for o = y. The O divides
    under every reduction; `mean` divides by N besides.
    """

    targets = "class"
    per_sample = True
    mean_divides_by = SAMPLES
    arrays = MappingProxyType({"weight": "O"})
    p: int = 1
    margin: float = 1.0
    weight: Array | None = None

    def __post_init__(self) -> None:
        require_option(self.p in (1, 2), "multi_margin", "p", self.p, "1 or 2")

    def value(self, a: Array, y: Array) -> Array:
        missing = self._missing(a, y)
        powers = missing if self.p == 1 else np.square(missing)
        return np.asarray(powers.sum(axis=1) * self._weight(y) / a.shape[1])

    def gradient(self, a: Array, y: Array) -> Array:
        missing = self._missing(a, y)
        slopes = (missing > 0).astype(a.dtype) if self.p == 1 else 2 * missing
        slopes *= np.asarray(self._weight(y) / a.dtype.type(a.shape[1]))[..., None]
        slopes[np.arange(len(y)), y] = -slopes.sum(axis=1)
        return slopes

    def _missing(self, a: Array, y: Array) -> Array:
        """max(0, m_o), (N, O), and 0 for o = y."""
        rows = np.arange(len(y))
        missing = np.maximum(self.margin - a[rows, y][:, None] + a, 0)
        missing[rows, y] = 0
        return missing

    def _weight(self, y: Array) -> Array | int:
        return 1 if self.weight is None else self.weight[y]


@dataclass(frozen=True)
class MultilabelMargin(Loss):
    """sum_(t in y) sum_(o not in y) max(0, 1 - a_t + a_o) / O per sample, (N,); y lists classes, and -1 ends the list.

    The derivative counts the pairs with 1 - a_t + a_o > 0: +1/O for o, -1/O for t. The O divides under every reduction;
    `mean` divides by N besides.
    """

    targets = "classes"
    per_sample = True
    mean_divides_by = SAMPLES

    def value(self, a: Array, y: Array) -> Array:
        return np.asarray(np.maximum(self._missing(a, y), 0).sum(axis=(1, 2)) / a.shape[1])

    def gradient(self, a: Array, y: Array) -> Array:
        violated = (self._missing(a, y) > 0).astype(a.dtype)
        gradient = violated.sum(axis=1)
        listed = self._listed(y)
        samples = np.broadcast_to(np.arange(len(y))[:, None], y.shape)
        np.subtract.at(gradient, (samples[listed], y[listed]), violated.sum(axis=2)[listed])
        return gradient / a.shape[1]

    def _missing(self, a: Array, y: Array) -> Array:
        """1 - a_t + a_o, (N, position of t in the list, o); 0 for positions past the list's end and for listed o."""
        listed = self._listed(y)
        samples = np.broadcast_to(np.arange(len(y))[:, None], y.shape)
        others = np.ones(a.shape, dtype=bool)
        others[samples[listed], y[listed]] = False
        of_targets = np.take_along_axis(a, np.where(listed, y, 0), axis=1)
        missing = 1 - of_targets[:, :, None] + a[:, None, :]
        return np.where(listed[:, :, None] & others[:, None, :], missing, 0)

    @staticmethod
    def _listed(y: Array) -> Array:
        """Which positions stand before the first -1, (N, O)."""
        return np.logical_and.accumulate(y >= 0, axis=1)

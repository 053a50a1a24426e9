"""Losses on probabilities, log-probabilities and logits of classes; targets are class indices, labels or distributions.

[..] is 1 where it holds, else 0; w are class weights, 1 unless given; s is the sigmoid. Losses on logits never take the
logarithm of a rounded probability.
"""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D102 -- every record has the methods of Loss, described there, and its own formulas on top

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from backproof.scratch.activation import LOG_PROBABILITIES, PROBABILITIES
from backproof.scratch.arrays import Array
from backproof.scratch.exponentials import Exponentials, log1p_exp, sigmoid
from backproof.scratch.objective import CLASS_WEIGHTS, SAMPLES, Loss
from backproof.scratch.options import require_option

LOGITS = "logits"


SMALLEST = {np.dtype(name): np.finfo(name).tiny for name in ("float64", "float32")}
"""The smallest normal number of each dtype."""


def nonzero(p: Array) -> Array:
    """p as a divisor: where it has underflowed, PyTorch's stand-in 1e-12, so that a slope of 0 behind it gives 0."""
    return np.where(p < SMALLEST[p.dtype], 1e-12, p)


@dataclass(frozen=True)
class Bce(Loss):
    """-(y log a + (1 - y) log(1 - a)) on probabilities a, with the derivative (a - y) / (a (1 - a)).

    At a = 0 or 1 exactly, where these are infinite, PyTorch's stand-ins: -100 for the logarithm, 1e-12 for a (1 - a).
    """

    targets = "unit"
    expects = PROBABILITIES

    def value(self, a: Array, y: Array) -> Array:
        log_a = np.log(a, out=np.full_like(a, -100), where=a > 0)
        log_rest = np.log1p(-a, out=np.full_like(a, -100), where=a < 1)
        return -(y * log_a + (1 - y) * log_rest)

    def gradient(self, a: Array, y: Array) -> Array:
        return (a - y) / nonzero(a * (1 - a))


@dataclass(frozen=True, eq=False)
class BceWithLogits(Loss):
    """w y log(1 + e^-a) + (1 - y) log(1 + e^a) with w = pos_weight (O,), and the derivative (1 - y) s(a) - w y s(-a).

    This is bce behind a sigmoid; for w = 1 the derivative is s(a) - y.
    """

    targets = "unit"
    expects = LOGITS
    arrays = MappingProxyType({"pos_weight": "O"})
    pos_weight: Array | None = None

    def value(self, a: Array, y: Array) -> Array:
        return self._positive(y) * log1p_exp(-a) + (1 - y) * log1p_exp(a)

    def gradient(self, a: Array, y: Array) -> Array:
        return (1 - y) * sigmoid(a) - self._positive(y) * sigmoid(-a)

    def _positive(self, y: Array) -> Array:
        return y if self.pos_weight is None else y * self.pos_weight


class ClassIndexLoss(Loss):
    """A loss on class indices y (N,) with class weights (O,), where the target `ignore_index` does not count.

    `mean` divides by the sum of the weights of the targets that count. If none does, it is 0/0 = NaN and its gradient
    0, as in PyTorch.
    """

    targets = "class"
    per_sample = True
    mean_divides_by = CLASS_WEIGHTS
    arrays = MappingProxyType({"weight": "O"})
    weight: Array | None
    ignore_index: int

    def _require_class_index(self, owner: str) -> None:
        """A class index is an int64, and so is what is ignored."""
        fits = -(2**63) <= self.ignore_index < 2**63
        require_option(fits, owner, "ignore_index", self.ignore_index, "from -2**63 to 2**63 - 1")

    def any_counts(self, y: Array) -> bool:
        return bool((y != self.ignore_index).any())

    def mean_divisor(self, a: Array, y: Array) -> float:
        counted = y != self.ignore_index
        return float(np.count_nonzero(counted) if self.weight is None else self.weight[y[counted]].sum())

    def one_hot(self, a: Array, y: Array) -> Array:
        """w_o [o = y], (N, O); a row of zeros where y is ignored."""
        outputs = a.shape[1]
        chosen = y[:, None] == np.arange(outputs)
        if 0 <= self.ignore_index < outputs:
            chosen[:, self.ignore_index] = False
        return chosen.astype(a.dtype) if self.weight is None else chosen * self.weight


@dataclass(frozen=True, eq=False)
class CrossEntropy(ClassIndexLoss):
    """-sum_o q_o log p_o with p = softmax(a), and the derivative p_o (sum_k q_k) - q_o; p - q where q sums to 1.

    y of class indices (N,):  q_o = (1 - label_smoothing) w_y [o = y] + label_smoothing w_o / O, and 0 where y is
    ignored.
    y of distributions (N, O):  q_o = w_o ((1 - label_smoothing) y_o + label_smoothing / O); `mean` divides by N.
    """

    expects = LOGITS
    weight: Array | None = None
    ignore_index: int = -100
    label_smoothing: float = 0.0
    _known: ClassVar[tuple[Array, Array, Array, Exponentials] | None] = None  # a, y and their parts, see `at`

    def __post_init__(self) -> None:
        self._require_class_index("cross_entropy")
        smoothing = self.label_smoothing
        require_option(0 <= smoothing <= 1, "cross_entropy", "label_smoothing", smoothing, "from 0 to 1")

    def target_kind(self, y: Array) -> str:
        return "class" if y.ndim == 1 else "distribution"

    def any_counts(self, y: Array) -> bool:
        return super().any_counts(y) if y.ndim == 1 else len(y) > 0

    def mean_divisor(self, a: Array, y: Array) -> float:
        return super().mean_divisor(a, y) if y.ndim == 1 else float(len(y))

    def value(self, a: Array, y: Array) -> Array:
        q, exponentials = self._parts(a, y)
        return -(q * exponentials.log_softmax()).sum(axis=1)

    def gradient(self, a: Array, y: Array) -> Array:
        q, exponentials = self._parts(a, y)
        return exponentials.softmax() * q.sum(axis=1, keepdims=True) - q

    def at(self, a: Array, y: Array) -> "CrossEntropy":
        here = object.__new__(CrossEntropy)  # its options are known to be right
        vars(here).update(vars(self), _known=(a, y, *self._parts(a, y)))
        return here

    def _parts(self, a: Array, y: Array) -> tuple[Array, Exponentials]:
        """Q and what p is made of: what value and gradient share."""
        known = self._known
        if known is not None and known[0] is a and known[1] is y:
            return known[2], known[3]
        return self._masses(a, y), Exponentials.of(a)

    def _masses(self, a: Array, y: Array) -> Array:
        """q (N, O)."""
        kept, spread = 1 - self.label_smoothing, self.label_smoothing / a.shape[1]
        weight = 1 if self.weight is None else self.weight
        if y.ndim == 2:
            return y if kept == 1 and self.weight is None else (kept * y + spread) * weight
        one_hot = self.one_hot(a, y)
        if kept == 1:
            return one_hot
        counted = (y != self.ignore_index).astype(a.dtype)[:, None]
        return kept * one_hot + counted * (spread * weight)


@dataclass(frozen=True, eq=False)
class Nll(ClassIndexLoss):
    """-w_y a_y for log-probabilities a, with the derivative -w_y [o = y]; 0 where y is ignored."""

    expects = LOG_PROBABILITIES
    weight: Array | None = None
    ignore_index: int = -100

    def __post_init__(self) -> None:
        self._require_class_index("nll")

    def value(self, a: Array, y: Array) -> Array:
        return -(self.one_hot(a, y) * a).sum(axis=1)

    def gradient(self, a: Array, y: Array) -> Array:
        return -self.one_hot(a, y)


@dataclass(frozen=True)
class CategoricalCrossEntropy(Loss):
    """-sum_o y_o log a_o per sample, (N,), on probabilities a, with the derivative -y_o / a_o; y_o = 0 adds 0.

    Behind softmax this gives delta = a - y, as cross_entropy does on logits; the quotient loses that where a_o
    underflows.
    """

    targets = "distribution"
    expects = PROBABILITIES
    per_sample = True
    mean_divides_by = SAMPLES

    @np.errstate(divide="ignore")
    def value(self, a: Array, y: Array) -> Array:
        logarithms = np.log(a, out=np.zeros_like(a), where=y > 0)
        return -(y * logarithms).sum(axis=1)

    def gradient(self, a: Array, y: Array) -> Array:
        return -y / nonzero(a)


@dataclass(frozen=True)
class KlDiv(Loss):
    """y (log y - a) for log-probabilities a, 0 where y = 0, with the derivative -y.

    log_target: y holds the logarithms themselves, e^y (y - a), with the derivative -e^y.
    """

    targets = "distribution"
    expects = LOG_PROBABILITIES
    log_target: bool = False

    def target_kind(self, y: Array) -> str:
        return "log_distribution" if self.log_target else "distribution"

    def value(self, a: Array, y: Array) -> Array:
        if self.log_target:
            return np.exp(y) * (y - a)
        return y * np.log(y, out=np.zeros_like(y), where=y > 0) - y * a

    def gradient(self, a: Array, y: Array) -> Array:
        return -np.exp(y) if self.log_target else -y

"""Losses that measure how far each output is from its target, and the textbook sums over a sample.

The values are (N, O) unless a loss says otherwise; d = a - y. Where a loss has a kink, its derivative is the one that
PyTorch 2.13 takes.
"""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D102 -- every record has the methods of Loss, described there, and its own formulas on top

import math
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from backproof.scratch.activation import ANY, NONNEGATIVE
from backproof.scratch.arrays import Array
from backproof.scratch.objective import SAMPLES, Loss
from backproof.scratch.options import require_option


@dataclass(frozen=True)
class Mse(Loss):
    """d^2, with the derivative 2 d."""

    def value(self, a: Array, y: Array) -> Array:
        return np.square(a - y)

    def gradient(self, a: Array, y: Array) -> Array:
        return 2 * (a - y)


@dataclass(frozen=True)
class L1(Loss):
    """|d|, with the derivative sign(d), 0 at 0."""

    def value(self, a: Array, y: Array) -> Array:
        return np.abs(a - y)

    def gradient(self, a: Array, y: Array) -> Array:
        return np.sign(a - y)


@dataclass(frozen=True)
class Huber(Loss):
    """d^2 / 2 if |d| <= delta, else delta (|d| - delta / 2); the derivative is d clipped to [-delta, delta]."""

    delta: float = 1.0

    def __post_init__(self) -> None:
        require_option(self.delta > 0, "huber", "delta", self.delta, "greater than 0")

    def value(self, a: Array, y: Array) -> Array:
        distance = np.abs(a - y)
        inner = np.minimum(distance, self.delta)
        return inner * (distance - 0.5 * inner)

    def gradient(self, a: Array, y: Array) -> Array:
        return np.clip(a - y, -self.delta, self.delta)


@dataclass(frozen=True)
class SmoothL1(Loss):
    """d^2 / (2 beta) if |d| < beta, else |d| - beta / 2: huber over beta."""

    beta: float = 1.0

    def __post_init__(self) -> None:
        require_option(self.beta > 0, "smooth_l1", "beta", self.beta, "greater than 0")

    def value(self, a: Array, y: Array) -> Array:
        distance = np.abs(a - y)
        inner = np.minimum(distance, self.beta)
        return 0.5 * inner * (inner / self.beta) + (distance - inner)

    def gradient(self, a: Array, y: Array) -> Array:
        return np.clip(a - y, -self.beta, self.beta) / self.beta


@dataclass(frozen=True)
class PoissonNll(Loss):
    """e^a - y a, with the derivative e^a - y: -log of Poisson's probability of y for a = log(rate), without log y!.

    log_input=False: a - y log(a + eps) for a = rate, with the derivative 1 - y / (a + eps).
    full: adds Stirling's approximation of log y! where y > 1, y log y - y + log(2 pi y) / 2.
    """

    targets = "count"
    log_input: bool = True
    full: bool = False
    eps: float = 1e-8

    def __post_init__(self) -> None:
        require_option(self.eps > 0, "poisson_nll", "eps", self.eps, "greater than 0")

    def expected_output(self) -> str:
        return ANY if self.log_input else NONNEGATIVE

    def value(self, a: Array, y: Array) -> Array:
        losses: Array = np.exp(a) - y * a if self.log_input else a - y * np.log(a + self.eps)
        if self.full:
            count = np.maximum(y, 1)
            losses = losses + np.where(y > 1, count * np.log(count) - count + 0.5 * np.log(2 * math.pi * count), 0)
        return losses

    def gradient(self, a: Array, y: Array) -> Array:
        return np.exp(a) - y if self.log_input else 1 - y / (a + self.eps)


@dataclass(frozen=True, eq=False)
class GaussianNll(Loss):
    """(log v + d^2 / v) / 2 with the given variance v = max(var, eps), and the derivative d / v.

    full: adds log(2 pi) / 2. `var` is (N, O), or (N, 1) for one variance per sample.
    """

    arrays = MappingProxyType({"var": "N, O"})
    var: Array
    full: bool = False
    eps: float = 1e-6

    def __post_init__(self) -> None:
        require_option(
            bool((self.var >= 0).all()), "gaussian_nll", "var", self.var.min(initial=0), "at least 0 everywhere"
        )
        require_option(self.eps > 0, "gaussian_nll", "eps", self.eps, "greater than 0")

    def value(self, a: Array, y: Array) -> Array:
        variance = np.maximum(self.var, self.eps)
        losses: Array = 0.5 * (np.log(variance) + np.square(a - y) / variance)
        return losses + 0.5 * math.log(2 * math.pi) if self.full else losses

    def gradient(self, a: Array, y: Array) -> Array:
        return (a - y) / np.maximum(self.var, self.eps)


@dataclass(frozen=True)
class HalfSquaredError(Loss):
    """1/2 sum_o d_o^2 per sample, (N,), with the derivative d: the 1/2 cancels the 2.  Nielsen 2015, ch. 1."""

    per_sample = True
    mean_divides_by = SAMPLES

    def value(self, a: Array, y: Array) -> Array:
        return np.asarray(0.5 * np.square(a - y).sum(axis=1))

    def gradient(self, a: Array, y: Array) -> Array:
        return a - y


@dataclass(frozen=True)
class Linear(Loss):
    """sum_o y_o a_o per sample, (N,), with the derivative y: whatever upstream gradient one wishes."""

    per_sample = True
    mean_divides_by = SAMPLES

    def value(self, a: Array, y: Array) -> Array:
        return np.asarray((y * a).sum(axis=1))

    def gradient(self, a: Array, y: Array) -> Array:
        return y

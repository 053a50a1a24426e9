"""Activations made of straight pieces. At a kink the derivative is the one that PyTorch 2.13 takes."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D102 -- every record has the methods of Activation, described there, and its own formulas on top

from dataclasses import dataclass

import numpy as np

from backproof.scratch.activation import NONNEGATIVE, PROBABILITIES, Activation
from backproof.scratch.arrays import Array
from backproof.scratch.options import require_option


@dataclass(frozen=True)
class Identity(Activation):
    """phi(z) = z."""

    def phi(self, z: Array) -> Array:
        return z

    def derivative(self, z: Array, a: Array) -> Array:
        return np.ones(z.shape, z.dtype)


@dataclass(frozen=True)
class Threshold(Activation):
    """phi(z) = z if z > threshold else value. The derivative is 0 at the threshold."""

    flat = True
    threshold: float
    value: float

    def phi(self, z: Array) -> Array:
        return np.where(z > self.threshold, z, self.value)

    def derivative(self, z: Array, a: Array) -> Array:
        return (z > self.threshold).astype(z.dtype)


@dataclass(frozen=True)
class Relu(Activation):
    """phi(z) = max(z, 0). The derivative is 0 at 0."""

    flat = True
    output = NONNEGATIVE

    def phi(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def derivative(self, z: Array, a: Array) -> Array:
        return (z > 0).astype(z.dtype)


@dataclass(frozen=True)
class Relu6(Activation):
    """phi(z) = min(max(z, 0), 6). The derivative is 0 at both ends."""

    flat = True
    output = NONNEGATIVE

    def phi(self, z: Array) -> Array:
        return np.clip(z, 0, 6)

    def derivative(self, z: Array, a: Array) -> Array:
        return ((z > 0) & (z < 6)).astype(z.dtype)


@dataclass(frozen=True)
class LeakyRelu(Activation):
    """phi(z) = z if z > 0 else negative_slope z. The derivative is negative_slope at 0."""

    negative_slope: float = 0.01

    @np.errstate(over="ignore")
    def phi(self, z: Array) -> Array:
        return np.where(z > 0, z, self.negative_slope * z)

    def derivative(self, z: Array, a: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(self.negative_slope))


@dataclass(frozen=True)
class Hardtanh(Activation):
    """phi(z) = min(max(z, min_val), max_val). The derivative is 0 at both ends."""

    flat = True
    min_val: float = -1.0
    max_val: float = 1.0

    def __post_init__(self) -> None:
        require_option(
            self.min_val < self.max_val, "hardtanh", "max_val", self.max_val, f"greater than min_val={self.min_val}"
        )

    def phi(self, z: Array) -> Array:
        return np.clip(z, self.min_val, self.max_val)

    def derivative(self, z: Array, a: Array) -> Array:
        return ((z > self.min_val) & (z < self.max_val)).astype(z.dtype)


@dataclass(frozen=True)
class Hardsigmoid(Activation):
    """phi(z) = min(max(z + 3, 0), 6) / 6. The derivative is 1/6 strictly inside (-3, 3)."""

    flat = True
    output = PROBABILITIES

    def phi(self, z: Array) -> Array:
        return np.clip(z + 3, 0, 6) / 6

    def derivative(self, z: Array, a: Array) -> Array:
        return ((z > -3) & (z < 3)) / z.dtype.type(6)


@dataclass(frozen=True)
class Hardswish(Activation):
    """phi(z) = z hardsigmoid(z). The derivative is 0 at -3 and 1 at 3."""

    flat = True

    def phi(self, z: Array) -> Array:
        return z * (np.clip(z + 3, 0, 6) / 6)

    def derivative(self, z: Array, a: Array) -> Array:
        return np.where(z <= -3, 0, np.where(z < 3, z / 3 + 0.5, 1))


@dataclass(frozen=True)
class Softshrink(Activation):
    """phi(z) = z - min(max(z, -lambd), lambd). The derivative is 0 at both kinks."""

    flat = True
    lambd: float = 0.5

    def __post_init__(self) -> None:
        require_option(self.lambd >= 0, "softshrink", "lambd", self.lambd, "at least 0")

    def phi(self, z: Array) -> Array:
        return z - np.clip(z, -self.lambd, self.lambd)

    def derivative(self, z: Array, a: Array) -> Array:
        return (np.abs(z) > self.lambd).astype(z.dtype)


@dataclass(frozen=True)
class Hardshrink(Activation):
    """phi(z) = z if |z| > lambd else 0. The derivative is 0 at both jumps."""

    flat = True
    lambd: float = 0.5

    def __post_init__(self) -> None:
        require_option(self.lambd >= 0, "hardshrink", "lambd", self.lambd, "at least 0")

    def phi(self, z: Array) -> Array:
        return z * (np.abs(z) > self.lambd)

    def derivative(self, z: Array, a: Array) -> Array:
        return (np.abs(z) > self.lambd).astype(z.dtype)

"""Activations made of exponentials, row-wise ones last; s is the sigmoid.

Nothing here warns: where an exponential overflows, the quotient around it has the right limit.
"""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D102 -- every record has the methods of Activation, described there, and its own formulas on top

import math
from dataclasses import dataclass

import numpy as np

from backproof.scratch import normal_distribution as normal
from backproof.scratch.activation import LOG_PROBABILITIES, NONNEGATIVE, PROBABILITIES, Activation
from backproof.scratch.arrays import Array
from backproof.scratch.exponentials import log1p_exp, log_softmax, sigmoid, softmax
from backproof.scratch.options import require_option

# Klambauer et al. 2017, equation 14: the fixed point that keeps mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@dataclass(frozen=True)
class Sigmoid(Activation):
    """phi(z) = s(z) = 1 / (1 + e^-z), with phi' = a (1 - a)."""

    output = PROBABILITIES

    def phi(self, z: Array) -> Array:
        return sigmoid(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return a * (1 - a)


@dataclass(frozen=True)
class Logsigmoid(Activation):
    """phi(z) = log s(z) = -log(1 + e^-z), with phi' = 1 - s(z) = 1 - e^a."""

    output = LOG_PROBABILITIES

    def phi(self, z: Array) -> Array:
        return -log1p_exp(-z)

    def derivative(self, z: Array, a: Array) -> Array:
        return -np.expm1(a)


@dataclass(frozen=True)
class Tanh(Activation):
    """phi(z) = tanh(z), with phi' = 1 - a^2."""

    def phi(self, z: Array) -> Array:
        return np.tanh(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return 1 - a * a


@dataclass(frozen=True)
class Tanhshrink(Activation):
    """phi(z) = z - tanh(z), with phi' = tanh(z)^2."""

    def phi(self, z: Array) -> Array:
        return z - np.tanh(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return np.square(np.tanh(z))


@dataclass(frozen=True)
class Softsign(Activation):
    """phi(z) = z / (1 + |z|), with phi' = 1 / (1 + |z|)^2."""

    def phi(self, z: Array) -> Array:
        return z / (1 + np.abs(z))

    def derivative(self, z: Array, a: Array) -> Array:
        return np.square(1 / (1 + np.abs(z)))


@dataclass(frozen=True)
class Softplus(Activation):
    """phi(z) = log(1 + e^(beta z)) / beta, with phi' = s(beta z); above beta z = threshold phi(z) = z, with phi' = 1.

    The switch to the line is part of torch's definition, not an approximation of this one.
    """

    output = NONNEGATIVE
    beta: float = 1.0
    threshold: float = 20.0

    def __post_init__(self) -> None:
        require_option(self.beta > 0, "softplus", "beta", self.beta, "greater than 0")
        # Above a negative threshold, where phi(z) = z, the output would be negative.
        require_option(self.threshold >= 0, "softplus", "threshold", self.threshold, "at least 0")

    @np.errstate(over="ignore")
    def phi(self, z: Array) -> Array:
        scaled = self.beta * z
        return np.where(scaled > self.threshold, z, log1p_exp(scaled) / self.beta)

    @np.errstate(over="ignore")
    def derivative(self, z: Array, a: Array) -> Array:
        scaled = self.beta * z
        return np.where(scaled > self.threshold, 1, sigmoid(scaled))


@dataclass(frozen=True)
class Elu(Activation):
    """phi(z) = z if z > 0 else alpha (e^z - 1). The derivative is alpha at 0."""

    alpha: float = 1.0

    def phi(self, z: Array) -> Array:
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def derivative(self, z: Array, a: Array) -> Array:
        return np.where(z > 0, 1, self.alpha * np.exp(np.minimum(z, 0)))


@dataclass(frozen=True)
class Selu(Activation):
    """phi(z) = scale (z if z > 0 else alpha (e^z - 1)). The derivative is scale * alpha at 0."""

    @np.errstate(over="ignore")
    def phi(self, z: Array) -> Array:
        return np.where(z > 0, SELU_SCALE * z, SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(z, 0)))

    def derivative(self, z: Array, a: Array) -> Array:
        return np.where(z > 0, SELU_SCALE, SELU_SCALE * SELU_ALPHA * np.exp(np.minimum(z, 0)))


@dataclass(frozen=True)
class Celu(Activation):
    """phi(z) = z if z > 0 else alpha (e^(z/alpha) - 1). Its slope is continuous: 1 at 0."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        require_option(self.alpha > 0, "celu", "alpha", self.alpha, "greater than 0")

    @np.errstate(over="ignore")
    def phi(self, z: Array) -> Array:
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0) / self.alpha))

    @np.errstate(over="ignore")
    def derivative(self, z: Array, a: Array) -> Array:
        return np.exp(np.minimum(z, 0) / self.alpha)


@dataclass(frozen=True)
class Silu(Activation):
    """phi(z) = z s(z), with phi' = s (1 + z (1 - s))."""

    def phi(self, z: Array) -> Array:
        return z * sigmoid(z)

    def derivative(self, z: Array, a: Array) -> Array:
        s = sigmoid(z)
        return s * (1 + z * (1 - s))


@dataclass(frozen=True)
class Mish(Activation):
    """phi(z) = z t with t = tanh(log(1 + e^z)), and phi' = t + z (1 - t^2) s(z)."""

    def phi(self, z: Array) -> Array:
        return z * np.tanh(log1p_exp(z))

    def derivative(self, z: Array, a: Array) -> Array:
        t = np.tanh(log1p_exp(z))
        return t + z * (1 - t * t) * sigmoid(z)


@dataclass(frozen=True)
class Gelu(Activation):
    """phi(z) = z Phi(z) with the normal distribution Phi, and phi' = Phi(z) + z Phi'(z).

    approximate="tanh": phi(z) = z (1 + t) / 2 with t = tanh(u), u = sqrt(2/pi) (z + 0.044715 z^3), and
    phi' = (1 + t) / 2 + z (1 - t^2) u' / 2.  Hendrycks and Gimpel 2016.
    """

    approximate: str = "none"

    def __post_init__(self) -> None:
        require_option(
            self.approximate in ("none", "tanh"), "gelu", "approximate", self.approximate, "'none' or 'tanh'"
        )

    def phi(self, z: Array) -> Array:
        if self.approximate == "none":
            return z * normal.cumulative(z)
        return z * (0.5 * (1 + self._tanh(np.clip(z, -40, 40))))

    def derivative(self, z: Array, a: Array) -> Array:
        if self.approximate == "none":
            return normal.cumulative(z) + z * normal.density(z)
        # From |z| = 10 on t is -1 or 1 in either dtype; held at 40, z^3 stays finite and (1 - t^2) u' is exactly 0.
        z = np.clip(z, -40, 40)
        t = self._tanh(z)
        return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * (math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z))

    @staticmethod
    def _tanh(z: Array) -> Array:
        return np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z))


@dataclass(frozen=True)
class Softmax(Activation):
    """a_o = e^(z_o) / sum_k e^(z_k), with J_ok = a_o ([o = k] - a_k), which is symmetric."""

    rowwise = True
    output = PROBABILITIES

    def phi(self, z: Array) -> Array:
        return softmax(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return a * (1 - a)

    def vector_jacobian(self, upstream: Array, z: Array, a: Array) -> Array:
        return a * (upstream - (upstream * a).sum(axis=1, keepdims=True))

    def jacobian_vector(self, z: Array, a: Array, dz: Array) -> Array:
        return a * (dz - (dz * a).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Softmin(Activation):
    """a = softmax(-z), with J_ok = -a_o ([o = k] - a_k), which is symmetric."""

    rowwise = True
    output = PROBABILITIES

    def phi(self, z: Array) -> Array:
        return softmax(-z)

    def derivative(self, z: Array, a: Array) -> Array:
        return a * (a - 1)

    def vector_jacobian(self, upstream: Array, z: Array, a: Array) -> Array:
        return a * ((upstream * a).sum(axis=1, keepdims=True) - upstream)

    def jacobian_vector(self, z: Array, a: Array, dz: Array) -> Array:
        return a * ((dz * a).sum(axis=1, keepdims=True) - dz)


@dataclass(frozen=True)
class LogSoftmax(Activation):
    """a_o = z_o - log sum_k e^(z_k), with J_ok = [o = k] - e^(a_k), which is not symmetric."""

    rowwise = True
    output = LOG_PROBABILITIES

    def phi(self, z: Array) -> Array:
        return log_softmax(z)

    def derivative(self, z: Array, a: Array) -> Array:
        return 1 - np.exp(a)

    def vector_jacobian(self, upstream: Array, z: Array, a: Array) -> Array:
        return upstream - np.exp(a) * upstream.sum(axis=1, keepdims=True)

    def jacobian_vector(self, z: Array, a: Array, dz: Array) -> Array:
        return dz - (np.exp(a) * dz).sum(axis=1, keepdims=True)

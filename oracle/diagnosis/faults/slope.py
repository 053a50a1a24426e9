"""BP1 got wrong, the slope: it is a factor of BP2 as well, to which a fault is limited by its position."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Callable

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.diagnosis.faults.options import other_gelu, with_defaults
from backproof.scratch import Backprop, Layer
from backproof.scratch.arrays import Array
from backproof.scratch.exponentials import sigmoid
from backproof.scratch.piecewise_activations import Hardswish
from backproof.scratch.smooth_activations import Gelu, Mish, Silu

SLOPE = Chapter("BP1", wanted="delta = g * phi'(z), g = dC/da")


@SLOPE.fault(
    "derivative_missing",
    used="delta = g",
    why="the loss depends on a, and a on z through phi: its slope phi'(z) is a factor of the chain",
    hint="delta = a - y where the loss is not the one that cancels the slope (cross-entropy behind softmax or sigmoid)",
)
class Missing(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return upstream.copy()


@SLOPE.fault(
    "derivative_at_upstream",
    used="delta = phi' at g in place of a, g forgotten: g * (1 - g) for sigmoid",
    wanted="delta = g * phi'(z): g * a * (1 - a) for sigmoid",
    why="the slope is taken where the layer was, at z, which gives a (1 - a); g only multiplies it",
    hint="delta = error * (1 - error), or delta = sigmoid_derivative(error)",
)
class AtUpstream(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return layer.activation.derivative(upstream, upstream)


@SLOPE.fault(
    "derivative_at_upstream_times_upstream",
    used="delta = g * phi' at g in place of a: g * g * (1 - g) for sigmoid",
    wanted="delta = g * phi'(z): g * a * (1 - a) for sigmoid",
    why="the slope is taken where the layer was, at z, which gives a (1 - a); g only multiplies it",
    hint="error * sigmoid_derivative(error)",
)
class AtUpstreamTimesUpstream(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return upstream * layer.activation.derivative(upstream, upstream)


@SLOPE.fault(
    "derivative_at_upstream_for_z",
    used="delta = g * phi'(g)",
    why="the slope is taken where the layer was, at z; g only multiplies it",
    hint="error * sigmoid_prime(error); for relu delta[error <= 0] = 0, which asks the error and not the neuron",
)
class AtUpstreamForZ(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return upstream * layer.activation.derivative(upstream, layer.activation.phi(upstream))


@SLOPE.fault(
    "derivative_at_a",
    used="delta = g * phi'(a)",
    why="phi' takes z; a has been through phi already, so phi' there is the slope somewhere else",
    hint="sigmoid_prime(a) with sigmoid_prime(z) = sigmoid(z) * (1 - sigmoid(z))",
)
class AtA(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return layer.activation.derivative(a, layer.activation.phi(a))


@SLOPE.fault(
    "derivative_at_z_for_a",
    used="delta = g * phi' in the form that takes a, given z: g * z * (1 - z) for sigmoid",
    wanted="delta = g * phi'(z): g * a * (1 - a) for sigmoid",
    why="a (1 - a) is the slope only with a = sigma(z) in it, as 1 - a^2 is with a = tanh(z)",
    hint="sigmoid_derivative(z) with sigmoid_derivative(a) = a * (1 - a)",
)
class AtZForA(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return layer.activation.derivative(z, z)


@SLOPE.fault(
    "derivative_at_inputs",
    used="delta^l = g * phi' at a^{l-1}",
    wanted="delta^l = g * phi'(z^l)",
    why="the slope is that of this layer, at its own z; a^{l-1} is what went in before the weights",
    hint="a[l - 1] where a[l] is meant: it only fits where neighbouring layers are equally wide",
)
class AtInputs(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return layer.activation.derivative(layer.inputs, layer.inputs)


@SLOPE.fault(
    "derivative_is_activation",
    used="delta = g * a",
    why="the chain rule multiplies by the slope of phi, not by its value",
    hint="error * sigmoid(z) where sigmoid_prime(z) is meant",
)
class IsActivation(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return a


@SLOPE.fault(
    "derivative_twice",
    used="delta = g * phi'(z) * phi'(z)",
    why="the slope is a factor once; with cross-entropy behind softmax or sigmoid, a - y has it in it already",
    hint="(a - y) * a * (1 - a) with cross-entropy, or delta multiplied in two places",
)
class Twice(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return super().times_derivative(upstream, layer) * layer.activation.derivative(layer.z, layer.a)


@SLOPE.fault(
    "derivative_negated",
    used="delta = -g * phi'(z)",
    why="sigmoid, tanh and relu rise: their slope is not negative; the minus belongs to the step",
    hint="a * (a - 1) where a * (1 - a) is meant",
)
class Negated(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return -super().times_derivative(upstream, layer)


@SLOPE.fault(
    "derivative_divided",
    used="delta = g / phi'(z)",
    wanted="delta = g * phi'(z)",
    why="dC/dz = dC/da * da/dz: the slope multiplies; dividing would go from z to a",
    hint="error / sigmoid_prime(z)",
)
class Divided(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return upstream / layer.activation.derivative(layer.z, layer.a)


@SLOPE.fault(
    "derivative_is_one_minus_a",
    used="delta = g * (1 - a)",
    wanted="delta = g * phi'(z): a * (1 - a) for sigmoid, 1 - a^2 for tanh",
    why="sigmoid's slope is a (1 - a) and tanh's 1 - a^2: a factor a, or a square, is missing",
    hint="error * (1 - a)",
)
class IsOneMinusA(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return 1 - a


@SLOPE.fault(
    "derivative_of_negative",
    used="delta = g * phi'(-z)",
    why="the slope is 1 where relu lets through, z > 0, and the other one where it does not: not the other way round",
    hint="z < 0 where z > 0 is meant, or np.where(z > 0, slope, 1) for leaky_relu",
)
class OfNegative(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return layer.activation.derivative(-z, layer.activation.phi(-z))


@SLOPE.fault(
    "derivative_with_default_parameters",
    used="delta = g * phi'(z) with the default slope, alpha, beta, ...",
    wanted="delta = g * phi'(z) with the layer's own parameters",
    why="leaky_relu with the slope 0.2 has the derivative 0.2 on the left: the parameters belong to the slope as well",
    hint="0.01 in the derivative of leaky_relu, or alpha left out in that of elu",
)
class WithDefaults(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return np.asarray(with_defaults(layer.activation).derivative(z, a))


@SLOPE.fault(
    "derivative_of_other_gelu",
    used="delta = g * phi'(z) of gelu's other form: with tanh for the exact one, exact for the one with tanh",
    wanted="delta = g * phi'(z) of the form that made a",
    why="the two forms of gelu differ by little, and their slopes too: the slope has to be that of the form used",
    hint="the derivative with 0.044715 for a forward pass with erf, or the other way round",
)
class OfOtherGelu(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return other_gelu(layer.activation).derivative(z, a)


@SLOPE.fault(
    "derivative_without_product_rule",
    used="delta = g * phi(z) / z, the gate alone",
    wanted="delta = g * phi'(z), with phi(z) = z gate(z): phi' = gate + z gate'",
    why="silu, gelu, mish and hardswish are products of z and a gate: the slope of a product has two terms",
    hint="error * sigmoid(z) for silu",
)
class WithoutProductRule(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        if not isinstance(layer.activation, Silu | Gelu | Mish | Hardswish):
            return super().activation_derivative(z, a, layer)
        return np.divide(a, z, out=np.full_like(z, 0.5), where=z != 0)


@SLOPE.fault(
    "derivative_and_sign_of_upstream",
    used="delta = g * phi'(z) where g > 0, else 0",
    why="relu stops what does not come through it forward, z <= 0; a negative error comes back as any other",
    hint="delta[error < 0] = 0, or np.maximum(error, 0) * (z > 0), as in guided backpropagation",
)
class AndSignOfUpstream(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return super().times_derivative(np.maximum(upstream, 0), layer)


def _of_another(name: str, formula: str, hint: str, slope: Callable[[Array, Array], Array]) -> None:
    """The slope of one function, whichever the layer's is."""

    @SLOPE.fault(
        f"derivative_of_{name}",
        used=f"delta = g * {formula}, whatever phi is",
        wanted="delta = g * phi'(z), of the layer's own phi",
        why="every function has its own slope: take that of the phi that made a",
        hint=hint,
        family="derivative_of_another_activation",
    )
    class OfAnother(Backprop):
        def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
            return slope(z, a)


_of_another(
    "sigmoid_from_a",
    "a (1 - a)",
    "a * (1 - a) in every layer, also where tanh or relu made a",
    lambda z, a: a * (1 - a),
)
_of_another(
    "sigmoid_at_z",
    "s(z) (1 - s(z))",
    "sigmoid_prime(z) in every layer, also where tanh or relu made a",
    lambda z, a: sigmoid(z) * (1 - sigmoid(z)),
)
_of_another("tanh_from_a", "(1 - a^2)", "1 - a ** 2 in every layer, also where sigmoid made a", lambda z, a: 1 - a * a)
_of_another(
    "tanh_at_z",
    "(1 - tanh(z)^2)",
    "1 - np.tanh(z) ** 2 in every layer, also where sigmoid made a",
    lambda z, a: 1 - np.tanh(z) ** 2,
)
_of_another(
    "relu", "[z > 0]", "(z > 0) in every layer, or for leaky_relu and elu as well", lambda z, a: (z > 0).astype(z.dtype)
)
_of_another(
    "leaky_relu",
    "(1 if z > 0 else 0.01)",
    "np.where(z > 0, 1, 0.01) for relu or elu as well",
    lambda z, a: np.where(z > 0, z.dtype.type(1), z.dtype.type(0.01)),
)
_of_another("softplus", "s(z)", "sigmoid(z), which is the slope of softplus", lambda z, a: sigmoid(z))

"""BP1 got wrong: the slope of the activation, and what the loss sends back.

The slope is a factor of BP2 as well: a fault of it is limited to hidden layers by its position.
"""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Layer
from backproof.scratch.arrays import Array

BP1 = Chapter("BP1", wanted="delta = g * phi'(z), g = dC/da")


@BP1.fault(
    "derivative_missing",
    used="delta = g",
    why="the loss depends on a, and a on z through phi: its slope phi'(z) is a factor of the chain",
    hint="delta = a - y where the loss is not the one that cancels the slope (cross-entropy behind softmax or sigmoid)",
)
class Missing(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return upstream.copy()


@BP1.fault(
    "derivative_at_upstream",
    used="delta = phi' at g in place of a, g forgotten: g * (1 - g) for sigmoid",
    wanted="delta = g * phi'(z): g * a * (1 - a) for sigmoid",
    why="the slope is taken where the layer was, at z, which gives a (1 - a); g only multiplies it",
    hint="delta = error * (1 - error), or delta = sigmoid_derivative(error)",
)
class AtUpstream(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return layer.activation.derivative(upstream, upstream)


@BP1.fault(
    "derivative_at_upstream_times_upstream",
    used="delta = g * phi' at g in place of a: g * g * (1 - g) for sigmoid",
    wanted="delta = g * phi'(z): g * a * (1 - a) for sigmoid",
    why="the slope is taken where the layer was, at z, which gives a (1 - a); g only multiplies it",
    hint="error * sigmoid_derivative(error)",
)
class AtUpstreamTimesUpstream(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return upstream * layer.activation.derivative(upstream, upstream)


@BP1.fault(
    "derivative_at_upstream_for_z",
    used="delta = g * phi'(g)",
    why="the slope is taken where the layer was, at z; g only multiplies it",
    hint="error * sigmoid_prime(error); for relu delta[error <= 0] = 0, which asks the error and not the neuron",
)
class AtUpstreamForZ(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return upstream * layer.activation.derivative(upstream, layer.activation.phi(upstream))


@BP1.fault(
    "derivative_at_a",
    used="delta = g * phi'(a)",
    why="phi' takes z; a has been through phi already, so phi' there is the slope somewhere else",
    hint="sigmoid_prime(a) with sigmoid_prime(z) = sigmoid(z) * (1 - sigmoid(z))",
)
class AtA(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return layer.activation.derivative(a, layer.activation.phi(a))


@BP1.fault(
    "derivative_at_z_for_a",
    used="delta = g * phi' in the form that takes a, given z: g * z * (1 - z) for sigmoid",
    wanted="delta = g * phi'(z): g * a * (1 - a) for sigmoid",
    why="a (1 - a) is the slope only with a = sigma(z) in it, as 1 - a^2 is with a = tanh(z)",
    hint="sigmoid_derivative(z) with sigmoid_derivative(a) = a * (1 - a)",
)
class AtZForA(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return layer.activation.derivative(z, z)


@BP1.fault(
    "derivative_at_inputs",
    used="delta^l = g * phi' at a^{l-1}",
    wanted="delta^l = g * phi'(z^l)",
    why="the slope is that of this layer, at its own z; a^{l-1} is what went in before the weights",
    hint="a[l - 1] where a[l] is meant: it only fits where neighbouring layers are equally wide",
)
class AtInputs(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return layer.activation.derivative(layer.inputs, layer.inputs)


@BP1.fault(
    "derivative_is_activation",
    used="delta = g * a",
    why="the chain rule multiplies by the slope of phi, not by its value",
    hint="error * sigmoid(z) where sigmoid_prime(z) is meant",
)
class IsActivation(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return a


@BP1.fault(
    "derivative_twice",
    used="delta = g * phi'(z) * phi'(z)",
    why="the slope is a factor once; with cross-entropy behind softmax or sigmoid, a - y has it in it already",
    hint="(a - y) * a * (1 - a) with cross-entropy, or delta multiplied in two places",
)
class Twice(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return super().times_derivative(upstream, layer) * layer.activation.derivative(layer.z, layer.a)

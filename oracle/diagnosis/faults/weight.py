"""BP4 got wrong: the gradient by the weights."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Layer
from backproof.scratch.arrays import Array

BP4 = Chapter("BP4", wanted="dC/dW^l = sum over n of delta^l_n a^{l-1}_n^T, (O, I)")


@BP4.fault(
    "weight_from_preactivation",
    used="dC/dW^l = sum over n of delta^l_n z^{l-1}_n^T",
    why="the weights multiply what the layer below put out, a^{l-1} = phi(z^{l-1}), so delta is multiplied by that",
    hint="delta.T @ z[l - 1] where a[l - 1] is meant",
)
class FromPreactivation(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.T.dot(layer.inputs if layer.below is None else layer.below.z)


@BP4.fault(
    "weight_from_own_activation",
    used="dC/dW^l = sum over n of delta^l_n a^l_n^T",
    why="the weights multiply the layer's input, a^{l-1}: its own output a^l comes after them",
    hint="delta.T @ a[l] where a[l - 1] is meant: it only fits where the layer is as wide as the one below",
)
class FromOwnActivation(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.T.dot(layer.a)


@BP4.fault(
    "weight_from_network_inputs",
    used="dC/dW^l = sum over n of delta^l_n x_n^T",
    why="only the first layer's weights multiply x; those of layer l multiply a^{l-1}",
    hint="delta.T @ x in every layer: it only fits where the layers are as wide as x",
)
class FromNetworkInputs(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        first = layer
        while first.below is not None:
            first = first.below
        return delta.T.dot(first.inputs)


@BP4.fault(
    "weight_from_two_layers_below",
    used="dC/dW^l = sum over n of delta^l_n a^{l-2}_n^T",
    why="the weights multiply what the layer just below put out; with x as a[0], layer l's input is a[l - 1]",
    hint="a[l - 2], or a list of activations that starts with x counted as one that does not",
)
class FromTwoLayersBelow(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.T.dot(layer.inputs if layer.below is None else layer.below.inputs)


@BP4.fault(
    "weight_from_slope_below",
    used="dC/dW^l = sum over n of delta^l_n phi'(z^{l-1}_n)^T",
    why="dz^l/dW^l = a^{l-1}; the slope of the layer below belongs in its own delta, by BP2",
    hint="delta.T @ sigmoid_prime(z[l - 1])",
)
class FromSlopeBelow(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        below = layer.below
        return delta.T.dot(layer.inputs if below is None else below.activation.derivative(below.z, below.a))


@BP4.fault(
    "weight_without_inputs",
    used="dC/dw_oi = sum over n of delta_no, the same for every i",
    why="a weight acts through its input: what comes in as 0 cannot be blamed, what comes in large is blamed more",
    hint="the bias' gradient used for the weights, or np.outer(delta, np.ones(I))",
)
class WithoutInputs(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.T.dot(np.ones_like(layer.inputs))


@BP4.fault(
    "weight_without_delta",
    used="dC/dw_oi = sum over n of a^{l-1}_ni, the same for every o",
    why="dz/dW = a is only the last factor of the chain: dC/dW = dC/dz * dz/dW = delta a^T",
    hint="dW = a[l - 1], repeated for each neuron",
)
class WithoutDelta(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.ones_like(delta).T.dot(layer.inputs)


@BP4.fault(
    "weight_from_weights",
    used="dC/dw_oi = sum over n of delta_no w_oi",
    why="z = W a is a product: its slope by W is a, and its slope by a is W, which belongs in BP2",
    hint="delta.sum(axis=0)[:, None] * W where delta.T @ a is meant",
)
class FromWeights(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.sum(axis=0)[:, None] * layer.weight


@BP4.fault(
    "weight_summed_over_neurons",
    used="dC/dw_oi = sum over n and k of delta_nk a^{l-1}_ni, the same for every o",
    why="the weights of a neuron act through its own z, so only its own delta counts, not the layer's sum",
    hint="delta.sum(axis=1) before the product with a",
)
class SummedOverNeurons(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        total = np.repeat(delta.sum(axis=1, keepdims=True), delta.shape[1], axis=1)
        return total.T.dot(layer.inputs)


@BP4.fault(
    "weight_times_derivative",
    used="dC/dW^l = sum over n of (delta^l_n * phi'(z^l_n)) a^{l-1}_n^T",
    why="delta is dC/dz, which holds phi' already",
    hint="(delta * sigmoid_prime(z)).T @ a[l - 1] where delta has been multiplied before",
)
class TimesDerivative(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return (delta * layer.activation.derivative(layer.z, layer.a)).T.dot(layer.inputs)


@BP4.fault(
    "weight_zero",
    used="dC/dW = 0",
    why="every weight that the output depends on has a gradient: a layer without one never learns",
    hint="a gradient that stays np.zeros_like(W), or a loop that stops one layer early",
)
class Zero(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.zeros_like(layer.weight)


@BP4.fault(
    "weight_negated",
    used="dC/dW = -sum over n of delta_n a_n^T",
    why="the gradient points uphill; the minus belongs to the step W - eta dC/dW, or to y - a where that is used",
    hint="-delta.T @ a, or dW -= in a loop",
)
class Negated(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return -super().weight_gradient(delta, layer)


@BP4.fault(
    "weight_doubled",
    used="dC/dW = 2 sum over n of delta_n a_n^T",
    why="whatever factor the loss brings is in delta already: BP4 adds none",
    hint="2 * delta.T @ a, or the product added twice to dW",
)
class Doubled(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return 2 * super().weight_gradient(delta, layer)


@BP4.fault(
    "weight_halved",
    used="dC/dW = 1/2 sum over n of delta_n a_n^T",
    why="whatever factor the loss brings is in delta already: BP4 adds none",
    hint="delta.T @ a / 2",
)
class Halved(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().weight_gradient(delta, layer) / 2


@BP4.fault(
    "weight_divided_by_outputs",
    used="dC/dW = sum over n of delta_n a_n^T / O",
    why="the neurons of a layer do not share their gradient: each weight has its own, however many neurons there are",
    hint="delta.T @ a / delta.shape[1]",
)
class DividedByOutputs(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().weight_gradient(delta, layer) / delta.shape[1]


@BP4.fault(
    "weight_divided_by_inputs",
    used="dC/dW = sum over n of delta_n a_n^T / I",
    why="z sums the inputs, it does not average them, so each weight's gradient is whole",
    hint="delta.T @ a / a.shape[1], or a.shape[1] taken for the batch size",
)
class DividedByInputs(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().weight_gradient(delta, layer) / layer.inputs.shape[1]

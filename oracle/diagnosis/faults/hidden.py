"""BP2 got wrong: what a layer gets back from the layer above."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Sequence

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Layer
from backproof.scratch.arrays import Array

BP2 = Chapter("BP2", wanted="delta^l = (delta^{l+1} W^{l+1}) * phi'(z^l)")


@BP2.fault(
    "upstream_averaged",
    used="dC/da^l = delta^{l+1} W^{l+1} / O^{l+1}",
    why="a neuron reaches the loss through every neuron above it, and the chain rule adds these ways up",
    hint="np.mean(W * delta, axis=0), or a division by the number of neurons above",
)
class Averaged(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return delta.dot(layer.weight) / delta.shape[1]


@BP2.fault(
    "upstream_from_untransposed_weights",
    used="dC/da^l = delta^{l+1} W^{l+1}^T",
    why="W leads from a^l up to z^{l+1}, and the way back needs the other direction: square weights hide the mistake",
    hint="delta @ W.T beside a forward pass a @ W.T; in columns W @ delta beside W @ a",
)
class FromUntransposedWeights(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return delta.dot(layer.weight.T)


@BP2.fault(
    "upstream_from_weights_below",
    used="dC/da^l = delta^{l+1} W^l",
    why="the error comes back through the weights that lead upwards from layer l, which are W^{l+1}",
    hint="delta @ W[l] where W[l + 1] is meant: it only fits where neighbouring layers are equally wide",
)
class FromWeightsBelow(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return delta.dot(layer.weight if layer.below is None else layer.below.weight)


@BP2.fault(
    "upstream_is_sum_of_deltas",
    used="dC/da^l_i = sum over o of delta^{l+1}_o, the same for every i",
    why="each neuron is blamed by the weight with which it acts: the deltas are summed times w_oi, not by themselves",
    hint="delta.sum(axis=1) handed to the layer below, without W",
)
class SumOfDeltas(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return delta.dot(np.ones_like(layer.weight))


@BP2.fault(
    "upstream_is_delta",
    used="dC/da^l = delta^{l+1}",
    why="between two layers stand the weights: dC/da^l = delta^{l+1} W^{l+1}",
    hint="delta = delta * sigmoid_prime(z[l]), without W: it only fits where neighbouring layers are equally wide",
)
class Delta(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return delta.copy()


@BP2.fault(
    "upstream_from_weight_gradient",
    used="dC/da^l_i = sum over o of dC/dw^{l+1}_oi",
    why="the weights' gradient is delta times a; what goes back to a is delta times W",
    hint="dW.sum(axis=0) as the error of the layer below",
)
class FromWeightGradient(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return np.tile(delta.T.dot(layer.inputs).sum(axis=0), (len(delta), 1))


@BP2.fault(
    "upstream_of_last_neuron",
    used="dC/da^l = delta^{l+1}_O w^{l+1}_O, of the last neuron above alone",
    why="a neuron reaches the loss through every neuron above it, and the chain rule adds these ways up",
    hint="error[i] = W[o, i] * delta[o] in a loop over o, with = where += is meant",
)
class OfLastNeuron(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return delta[:, -1:].dot(layer.weight[-1:])


@BP2.fault(
    "upstream_of_first_neuron",
    used="dC/da^l = delta^{l+1}_1 w^{l+1}_1, of the first neuron above alone",
    why="a neuron reaches the loss through every neuron above it, and the chain rule adds these ways up",
    hint="delta[0] * W[0], or a return inside the loop over the neurons above",
)
class OfFirstNeuron(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return delta[:, :1].dot(layer.weight[:1])


@BP2.fault(
    "upstream_negated",
    used="dC/da^l = -delta^{l+1} W^{l+1}",
    why="the sign of the error is settled at the output; going back one layer does not turn it",
    hint="-(delta @ W), or a minus meant for the step",
)
class NegatedUpstream(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return -super().upstream(delta, layer)


@BP2.fault(
    "upstream_with_normalised_weights",
    used="dC/da^l_i = sum over o of delta^{l+1}_o w_oi / (sum over k of w_ok)",
    why="the chain rule multiplies by the weight itself; an error shared out in proportion is a picture, not the slope",
    hint="W / W.sum(axis=1, keepdims=True)",
)
class WithNormalisedWeights(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        return delta.dot(layer.weight / layer.weight.sum(axis=1, keepdims=True))


@BP2.fault(
    "upstream_from_error",
    used="e^l = e^{l+1} W^{l+1} with delta^l = e^l * phi'(z^l)",
    why="what goes back through the weights is delta, slope included: phi'(z^{l+1}) is a factor of the chain too",
    hint="hidden_error = output_error @ W where output_delta @ W is meant",
)
class FromError(Backprop):
    def deltas(self, layers: Sequence[Layer], loss_gradient: Array) -> list[Array]:
        error, deltas = loss_gradient, []
        for layer in reversed(layers):
            deltas.append(self.times_derivative(error, layer))
            error = self.upstream(error, layer)
        return deltas[::-1]


@BP2.fault(
    "hidden_delta_without_upstream",
    used="delta^l = phi'(z^l)",
    why="the slope says how far z moves a; how far a moves C comes from the layer above",
    hint="delta = sigmoid_prime(z[l]), with what came back forgotten",
)
class WithoutUpstream(Backprop):
    def hidden_delta(self, upstream: Array, layer: Layer, above: Layer) -> Array:
        return layer.activation.derivative(layer.z, layer.a)


@BP2.fault(
    "hidden_delta_zero",
    used="delta^l = 0",
    why="the loss depends on the hidden layers through the output, so they have deltas: without, they never learn",
    hint="a loop over the layers that ends after the output, or a copy that cuts the layers apart",
)
class ZeroDelta(Backprop):
    def hidden_delta(self, upstream: Array, layer: Layer, above: Layer) -> Array:
        return np.zeros_like(upstream)


@BP2.fault(
    "hidden_derivative_of_layer_above",
    used="delta^l = (delta^{l+1} W^{l+1}) * phi'(z^{l+1})",
    why="the slope is that of the layer whose delta it is; z^{l+1} has had its turn in delta^{l+1}",
    hint="sigmoid_prime(z[l + 1]) where z[l] is meant: it only fits where neighbouring layers are equally wide",
)
class DerivativeOfLayerAbove(Backprop):
    def hidden_delta(self, upstream: Array, layer: Layer, above: Layer) -> Array:
        return upstream * above.activation.derivative(above.z, above.a)


def _with_updated_weights(slug: str, learning_rate: float) -> None:
    """W^{l+1} after a step of this learning rate takes the place of W^{l+1}."""

    @BP2.fault(
        f"upstream_with_updated_weights_{slug}",
        used=f"dC/da^l = delta^{{l+1}} (W^{{l+1}} - {learning_rate:g} dC/dW^{{l+1}})",
        why="a gradient belongs to one point: all of it comes from the weights that made the output, then they step",
        hint=f"W -= {learning_rate:g} * dW inside the loop backwards, above the line with delta @ W",
        family="upstream_with_updated_weights",
    )
    class WithUpdatedWeights(Backprop):
        def upstream(self, delta: Array, layer: Layer) -> Array:
            return delta.dot(layer.weight - learning_rate * self.weight_gradient(delta, layer))


for _slug, _learning_rate in (("0_01", 0.01), ("0_1", 0.1), ("0_5", 0.5), ("1", 1.0)):
    _with_updated_weights(_slug, _learning_rate)

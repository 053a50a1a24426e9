"""Backpropagation by hand: the forward pass and the four equations, one short method each.

Index legend: `N` batch, `I` inputs and `O` outputs of a layer, `l = 1..L` layers, `z = a W^T + b`, `a = phi(z)`,
`delta = dC/dz`. Arrays hold one sample a row: x (N, I), z, a and delta (N, O), W (O, I), b (O,).

    BP0  a^l = phi(a^{l-1} W^l^T + b^l)
    BP1  delta^L = dC/da^L * phi'(z^L)
    BP2  delta^l = (delta^{l+1} W^{l+1}) * phi'(z^l)
    BP3  dC/db^l = sum over n of delta^l_n
    BP4  dC/dW^l = sum over n of delta^l_n a^{l-1}_n^T = delta^l^T a^{l-1}

Every step is a method. It is handed what its formula needs, and what a wrong one would: a subclass that overrides one
step gets exactly one equation wrong.  Nielsen 2015, chapter 2; Rumelhart, Hinton and Williams 1986.
"""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backproof.scratch.activation import Activation
from backproof.scratch.arrays import Array
from backproof.scratch.objective import Objective
from backproof.scratch.penalties import Penalty


class Layer(NamedTuple):
    """Layer l as the forward pass left it: all that its equations, right or mistaken, are made of."""

    weight: Array  # W^l, (O, I)
    bias: Array | None  # b^l, (O,)
    activation: Activation  # phi
    inputs: Array  # a^{l-1}, (N, I)
    z: Array  # (N, O)
    a: Array  # a^l, (N, O)
    below: "Layer | None"  # layer l - 1; None below the first


@dataclass(frozen=True, eq=False, slots=True)
class LossAndGradients:
    """C and its derivatives. Index l - 1 of each tuple belongs to layer l; all arrays are fresh.

    loss: C, 0-d, or the unreduced losses under the reduction none. weights: dC/dW (O, I). biases: dC/db (O,), None
    for a layer without. inputs: dC/dx (N, I), None if it was not asked for. deltas: dC/dz (N, O). C includes the
    penalty.
    """

    loss: Array
    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    inputs: Array | None
    deltas: tuple[Array, ...]


class Backprop:
    """BP0 to BP4. Each delta is computed once and used for db, dW and the delta below: the cost is linear in depth."""

    # --- BP0

    def forward(
        self, x: Array, weights: Sequence[Array], biases: Sequence[Array | None], activations: Sequence[Activation]
    ) -> list[Layer]:
        """Layers 1 to L, from x (N, I) on."""
        layers: list[Layer] = []
        inputs, below = x, None
        for weight, bias, activation in zip(weights, biases, activations, strict=True):
            z = self.preactivation(inputs, weight, bias)
            a = self.activation(z, activation)
            below = Layer(weight, bias, activation, inputs, z, a, below)
            layers.append(below)
            inputs = a
        return layers

    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        """z = a^{l-1} W^T + b, (N, O)."""
        z: Array = inputs.dot(weight.T)
        if bias is not None:
            z += bias
        return z

    def activation(self, z: Array, activation: Activation) -> Array:
        """a = phi(z), (N, O)."""
        return activation.phi(z)

    # --- The cost, and what it sends back

    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        """C without its penalty, 0-d; the unreduced losses under the reduction none."""
        return objective.value(a, y)

    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        """dC/da^L = dl/da * dC/dl, (N, O): the slope of each loss, times its weight under the reduction."""
        return objective.loss.gradient(a, y) * objective.weights(a, y)

    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        """What the penalty on one weight or bias adds to C, 0-d."""
        return penalty.value(parameter, batch_size)

    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        """What that adds to the gradient by it, in its shape."""
        return penalty.gradient(parameter, batch_size)

    # --- BP1 and BP2

    def deltas(self, layers: Sequence[Layer], loss_gradient: Array) -> list[Array]:
        """delta^1 to delta^L, (N, O) each, computed from the last to the first."""
        above = layers[-1]
        deltas = [self.output_delta(loss_gradient, above)]
        for layer in reversed(layers[:-1]):
            deltas.append(self.hidden_delta(self.upstream(deltas[-1], above), layer, above))
            above = layer
        return deltas[::-1]

    def output_delta(self, loss_gradient: Array, layer: Layer) -> Array:
        """BP1: delta^L = dC/da^L * phi'(z^L), (N, O)."""
        return self.times_derivative(loss_gradient, layer)

    def hidden_delta(self, upstream: Array, layer: Layer, above: Layer) -> Array:
        """BP2: delta^l = (delta^{l+1} W^{l+1}) * phi'(z^l), (N, O)."""
        return self.times_derivative(upstream, layer)

    def upstream(self, delta: Array, layer: Layer) -> Array:
        """dC/da^{l-1} = delta^l W^l, (N, I): what layer l sends back to the one below it."""
        return delta.dot(layer.weight)

    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        """dC/dz = dC/da * phi'(z), (N, O); for a row-wise phi the product of dC/da with its Jacobian."""
        if layer.activation.rowwise:
            return layer.activation.vector_jacobian(upstream, layer.z, layer.a)
        delta = upstream * self.activation_derivative(layer.z, layer.a, layer)
        if layer.activation.flat and not math.isfinite(np.vdot(delta, delta)):
            flat = self.activation_derivative(layer.z, layer.a, layer) == 0
            delta[flat] = 0  # where the slope is 0 even an upstream that overflowed ends, as in PyTorch
        return delta

    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        """phi'(z), (N, O), at z; a = phi(z) is at hand since phi' is often cheaper from it, as in a (1 - a)."""
        return layer.activation.derivative(z, a)

    # --- BP3 and BP4

    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        """BP3: dC/db = sum over n of delta_n, (O,): over the batch, never over the neurons."""
        return delta.sum(axis=0)

    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        """BP4: dC/dW = delta^T a^{l-1}, (O, I), which sums the samples' outer products."""
        return delta.T.dot(layer.inputs)

    # --- All of it

    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, penalty: Penalty | None, *, by_inputs: bool
    ) -> LossAndGradients:
        """C and all its derivatives, from the layers that `forward` returned; those by x if by_inputs."""
        output = layers[-1].a
        loss = self.loss_value(output, y, objective)
        deltas = self.deltas(layers, self.loss_gradient(output, y, objective))
        weights: list[Array] = []
        biases: list[Array | None] = []
        for delta, layer in zip(deltas, layers, strict=True):
            weights.append(self.weight_gradient(delta, layer))
            biases.append(None if layer.bias is None else self.bias_gradient(delta, layer))
        inputs = self.upstream(deltas[0], layers[0]) if by_inputs else None
        if penalty is not None:
            for index, layer in enumerate(layers):
                loss = loss + self.penalty_value(layer.weight, penalty, len(y))
                weights[index] = weights[index] + self.penalty_gradient(layer.weight, penalty, len(y))
                bias = biases[index]
                if bias is not None and layer.bias is not None:
                    loss = loss + self.penalty_value(layer.bias, penalty, len(y))
                    biases[index] = bias + self.penalty_gradient(layer.bias, penalty, len(y))
            loss = np.asarray(loss)
        return LossAndGradients(loss, tuple(weights), tuple(biases), inputs, tuple(deltas))

"""Shapes and order got wrong: the numbers are right, and stand where they do not belong."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from dataclasses import replace
from typing import Any, cast

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Layer, LossAndGradients
from backproof.scratch.arrays import Array
from backproof.scratch.objective import Objective

SHAPE = Chapter("shape", wanted="dW^l (O, I) as W^l, db^l (O,) as b^l, in the order of the layers")


@SHAPE.fault(
    "bias_not_summed",
    used="db = delta, (N, O)",
    wanted="db = sum over n of delta_n, (O,)",
    why="all samples share one bias, so its gradient has its shape: their deltas are summed",
    hint="db = delta, with the sum over axis 0 missing; b - eta * db then broadcasts b to (N, O)",
)
class BiasNotSummed(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.copy()


@SHAPE.fault(
    "bias_scalar",
    used="db = sum over n and o of delta_no, one number",
    wanted="db = sum over n of delta_n, (O,)",
    why="each neuron has a bias of its own: without an axis, all of them are summed into one",
    hint="np.sum(delta), which broadcasts into every bias",
)
class BiasScalar(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.asarray(delta.sum())


@SHAPE.fault(
    "bias_row",
    used="db of shape (1, O)",
    wanted="db of shape (O,)",
    why="a gradient has the shape of what it is the gradient of",
    hint="delta.sum(axis=0, keepdims=True): if your biases are rows, say bias='row'",
)
class BiasRow(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().bias_gradient(delta, layer)[None, :]


@SHAPE.fault(
    "bias_column",
    used="db of shape (O, 1)",
    wanted="db of shape (O,)",
    why="a gradient has the shape of what it is the gradient of",
    hint="np.sum(delta, axis=1, keepdims=True): if your biases are columns, say bias='column'",
)
class BiasColumn(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().bias_gradient(delta, layer)[:, None]


@SHAPE.fault(
    "weight_transposed",
    used="dW = a^T delta, (I, O)",
    wanted="dW = delta^T a, (O, I)",
    why="a gradient has the shape of what it is the gradient of: square weights hide that the two are exchanged",
    hint="a.T @ delta: if your weights are (I, O), say weights='in_out'",
)
class WeightTransposed(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().weight_gradient(delta, layer).T


@SHAPE.fault(
    "weight_of_each_sample",
    used="dW = delta_n a_n^T for each n, (N, O, I)",
    wanted="dW = sum over n of delta_n a_n^T, (O, I)",
    why="all samples share the weights, so their gradients are summed",
    hint="np.einsum('no,ni->noi', delta, a), or delta[:, :, None] * a[:, None, :], not summed over axis 0",
)
class WeightOfEachSample(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta[:, :, None] * layer.inputs[:, None, :]


@SHAPE.fault(
    "weight_elementwise",
    used="dW = sum over n of delta_n * a_n, (O,)",
    wanted="dW = sum over n of delta_n a_n^T, (O, I)",
    why="every input meets every neuron: it takes the outer product, which has an entry for each pair",
    hint="(delta * a).sum(axis=0), which only fits where the layer is as wide as its input, or has one",
)
class WeightElementwise(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return (delta * layer.inputs).sum(axis=0)


@SHAPE.fault(
    "weights_and_biases_exchanged",
    used="loss, db, dW",
    wanted="loss, dW, db",
    why="what is returned is told apart by its place",
    hint="return loss, db, dW",
)
class WeightsAndBiasesExchanged(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        return replace(right, weights=cast("tuple[Array, ...]", right.biases), biases=right.weights)


@SHAPE.fault(
    "layers_reversed",
    used="dW^L, ..., dW^1 and db^L, ..., db^1",
    wanted="dW^1, ..., dW^L and db^1, ..., db^L",
    why="the way back meets the last layer first, and the lists begin with the first",
    hint="dW.append(...) in the loop backwards, without [::-1] at its end",
)
class LayersReversed(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        return replace(right, weights=right.weights[::-1], biases=right.biases[::-1])


@SHAPE.fault(
    "loss_not_reduced",
    used="the losses l(a, y)",
    wanted="C, their reduction, one number",
    why="C is one number: the sum or the mean of the losses, as the reduction says",
    hint="(a - y) ** 2 returned without .sum() or .mean()",
)
class LossNotReduced(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        return objective.loss.value(a, y)

"""BP3 got wrong: the gradient by the bias."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from dataclasses import replace
from typing import Any

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Layer, LossAndGradients
from backproof.scratch.arrays import Array

BP3 = Chapter("BP3", wanted="dC/db = sum over n of delta_n, (O,)")


@BP3.fault(
    "bias_summed_over_neurons",
    used="dC/db = sum over o of delta_no, (N,)",
    why="each neuron has a bias of its own, so its gradient sums its own delta over the samples, not over the neurons",
    hint="delta.sum(axis=1) where samples are rows; np.sum(delta, axis=0) where they are columns",
)
class SummedOverNeurons(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.sum(axis=1)


@BP3.fault(
    "bias_summed_over_everything",
    used="dC/db_o = sum over n and k of delta_nk, the same for every o",
    why="each neuron has a bias of its own: the sum over the neurons mixes what belongs to different biases",
    hint="delta.sum() or np.sum(delta), without an axis",
)
class SummedOverEverything(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.full(delta.shape[1], delta.sum())


@BP3.fault(
    "bias_averaged_over_everything",
    used="dC/db_o = mean over n and k of delta_nk, the same for every o",
    why="each neuron has a bias of its own, and C sums over the samples: neither is averaged",
    hint="delta.mean() or np.mean(delta), without an axis",
)
class AveragedOverEverything(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.full(delta.shape[1], delta.mean())


@BP3.fault(
    "bias_zero",
    used="dC/db = 0",
    why="z = W a + b changes by as much as b does, so dC/db = dC/dz = delta: b is a constant for W, not for C",
    hint="np.zeros_like(b), or a bias that is in the forward pass and nowhere in the backward pass",
)
class Zero(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.zeros(delta.shape[1], delta.dtype)


@BP3.fault(
    "bias_of_ones",
    used="dC/db = 1",
    why="dz/db = 1 is only the last factor of the chain: dC/db = dC/dz * dz/db = delta * 1",
    hint="np.ones_like(b)",
)
class Ones(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.ones(delta.shape[1], delta.dtype)


@BP3.fault(
    "bias_negated",
    used="dC/db = -sum over n of delta_n",
    why="b is added in z = W a + b, so C changes with b as with z; the minus belongs to the step b - eta dC/db",
    hint="-delta.sum(axis=0), or db -= delta in a loop",
)
class Negated(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return -super().bias_gradient(delta, layer)


@BP3.fault(
    "bias_doubled",
    used="dC/db = 2 sum over n of delta_n",
    why="whatever factor the loss brings is in delta already: BP3 adds none",
    hint="2 * delta.sum(axis=0), or delta added twice to db",
)
class Doubled(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return 2 * super().bias_gradient(delta, layer)


@BP3.fault(
    "bias_halved",
    used="dC/db = 1/2 sum over n of delta_n",
    why="whatever factor the loss brings is in delta already: BP3 adds none",
    hint="delta.sum(axis=0) / 2",
)
class Halved(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().bias_gradient(delta, layer) / 2


@BP3.fault(
    "bias_divided_by_outputs",
    used="dC/db = sum over n of delta_n / O",
    why="the biases of a layer do not share their gradient: each has its own delta, however many neurons there are",
    hint="delta.sum(axis=0) / delta.shape[1], or delta.sum(axis=0) / len(b)",
)
class DividedByOutputs(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().bias_gradient(delta, layer) / delta.shape[1]


@BP3.fault(
    "bias_times_activation",
    used="dC/db = sum over n of delta_n * a^l_n",
    why="the input of a bias is always 1, so nothing multiplies delta; the weights' input is the layer below's a",
    hint="(delta * a[l]).sum(axis=0), copied from the line of the weights",
)
class TimesActivation(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return (delta * layer.a).sum(axis=0)


@BP3.fault(
    "bias_times_bias",
    used="dC/db = b * sum over n of delta_n",
    why="z = W a + b changes by as much as b does, however large b is: nothing multiplies delta",
    hint="b * delta.sum(axis=0)",
)
class TimesBias(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        right = super().bias_gradient(delta, layer)
        return right if layer.bias is None else layer.bias * right


@BP3.fault(
    "bias_times_derivative",
    used="dC/db = sum over n of delta_n * phi'(z_n)",
    why="delta is dC/dz, which holds phi' already",
    hint="(delta * sigmoid_prime(z)).sum(axis=0) where delta has been multiplied before",
)
class TimesDerivative(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return (delta * layer.activation.derivative(layer.z, layer.a)).sum(axis=0)


@BP3.fault(
    "bias_from_weight_gradient",
    used="dC/db_o = sum over i of dC/dw_oi",
    why="the weights' gradient is delta times the inputs, and a bias has the input 1: it needs delta itself",
    hint="dW.sum(axis=1)",
)
class FromWeightGradient(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.T.dot(layer.inputs).sum(axis=1)


@BP3.fault(
    "bias_averaged_from_weight_gradient",
    used="dC/db_o = mean over i of dC/dw_oi",
    why="the weights' gradient is delta times the inputs, and a bias has the input 1: it needs delta itself",
    hint="dW.mean(axis=1)",
)
class AveragedFromWeightGradient(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.T.dot(layer.inputs).mean(axis=1)


@BP3.fault(
    "bias_of_next_layer",
    used="dC/db^l = sum over n of delta^{l+1}_n",
    wanted="dC/db^l = sum over n of delta^l_n",
    why="b^l is added in z^l, so it takes the delta of the same layer; counting layers from 0 and from 1 mixes them up",
    hint="db[l] = delta[l + 1].sum(axis=0): it only fits where the next layer is as wide",
)
class OfNextLayer(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        above = (*right.deltas[1:], right.deltas[-1])
        biases = [None if bias is None else delta.sum(axis=0) for bias, delta in zip(right.biases, above, strict=True)]
        return replace(right, biases=tuple(biases))

"""State kept from call to call: the first answer is right, or all of them are wrong in the same way."""
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Layer, LossAndGradients
from backproof.scratch.activation import Activation
from backproof.scratch.arrays import Array

STATE = Chapter("state", wanted="each call starts anew")


def total(one: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
    """The sums of two lists of arrays, layer by layer; None stays None."""
    return tuple(None if array is None else array + added for array, added in zip(one, other, strict=True))


def alike(one: LossAndGradients, other: LossAndGradients) -> bool:
    """Whether two answers are for networks of the same shape."""
    return shapes(one.weights, one.biases) == shapes(other.weights, other.biases)


def shapes(weights: Sequence[Array], biases: Sequence[Array | None]) -> list[tuple[tuple[int, ...], bool]]:
    """Of every layer, the shape of its weight and whether it has a bias."""
    return [(weight.shape, bias is None) for weight, bias in zip(weights, biases, strict=True)]


@STATE.fault(
    "gradients_accumulated",
    used="dW, db = those of all calls so far",
    why="a gradient belongs to one batch: what an earlier call has left must be set to 0 first",
    hint="self.dW += ... without self.dW = 0 at the beginning, or optimizer.zero_grad() forgotten",
)
class Accumulated(Backprop):
    gradients_so_far: LossAndGradients | None = None

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        found, so_far = super().loss_and_gradients(*cost, **options), self.gradients_so_far
        if so_far is not None and alike(so_far, found):
            weights, biases = total(found.weights, so_far.weights), total(found.biases, so_far.biases)
            found = replace(found, weights=weights, biases=biases)
        self.gradients_so_far = found
        return found


@STATE.fault(
    "biases_accumulated",
    used="db = those of all calls so far",
    why="a gradient belongs to one batch: what an earlier call has left must be set to 0 first, for biases too",
    hint="self.db += ... beside self.dW = ...",
)
class BiasesAccumulated(Backprop):
    biases_so_far: LossAndGradients | None = None

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        found, so_far = super().loss_and_gradients(*cost, **options), self.biases_so_far
        if so_far is not None and alike(so_far, found):
            found = replace(found, biases=total(found.biases, so_far.biases))
        self.biases_so_far = found
        return found


@STATE.fault(
    "loss_accumulated",
    used="C = the sum of the losses of all calls so far",
    why="the loss that belongs to the gradient is that of this batch",
    hint="self.loss += ... without self.loss = 0 at the beginning",
)
class LossAccumulated(Backprop):
    loss_so_far: Array | None = None

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        found, so_far = super().loss_and_gradients(*cost, **options), self.loss_so_far
        if so_far is not None and so_far.shape == found.loss.shape:
            found = replace(found, loss=np.asarray(found.loss + so_far))
        self.loss_so_far = found.loss
        return found


@STATE.fault(
    "gradients_of_first_call",
    used="dW, db = those of the first call",
    why="another batch has another gradient: nothing may be kept from the first",
    hint="if self.dW is None: ..., or a cache that does not ask for x and y",
)
class OfFirstCall(Backprop):
    gradients_kept: LossAndGradients | None = None

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        found, kept = super().loss_and_gradients(*cost, **options), self.gradients_kept
        if kept is not None and alike(kept, found):
            return replace(found, weights=kept.weights, biases=kept.biases)
        self.gradients_kept = found
        return found


@STATE.fault(
    "gradients_of_previous_call",
    used="dW, db = those of the call before",
    why="the gradient has to be computed before it is returned or used for a step",
    hint="return self.dW above the line that computes it",
)
class OfPreviousCall(Backprop):
    gradients_before: LossAndGradients | None = None

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        found, before = super().loss_and_gradients(*cost, **options), self.gradients_before
        self.gradients_before = found
        if before is not None and alike(before, found):
            return replace(found, weights=before.weights, biases=before.biases)
        return found


@STATE.fault(
    "activations_of_previous_call",
    used="dC/dW^l = sum over n of delta^l_n a^{l-1}_n^T with a of the call before",
    wanted="dC/dW^l = sum over n of delta^l_n a^{l-1}_n^T with a of this call",
    why="the backward pass belongs to the forward pass of the same batch",
    hint="self.a is appended to and read from its beginning, or forward(x) is not called anew",
)
class ActivationsOfPreviousCall(Backprop):
    layers_before: Sequence[Layer] = ()

    def loss_and_gradients(self, layers: Sequence[Layer], *cost: Any, **options: Any) -> LossAndGradients:
        found, before = super().loss_and_gradients(layers, *cost, **options), self.layers_before
        self.layers_before = layers
        if [layer.inputs.shape for layer in before] == [layer.inputs.shape for layer in layers]:
            weights = [delta.T.dot(layer.inputs) for delta, layer in zip(found.deltas, before, strict=True)]
            return replace(found, weights=tuple(weights))
        return found


@STATE.fault(
    "network_of_first_call",
    used="a^l = phi(a^{l-1} W^l^T + b^l) with W and b of the first call",
    wanted="a^l = phi(a^{l-1} W^l^T + b^l) with the W and b that are given",
    why="each call brings a network of its own, so its weights have to be taken over each time",
    hint="net = MyNetwork(network.weights) at the top of the file, or if net is None: net = ...",
)
class NetworkOfFirstCall(Backprop):
    parameters_kept: tuple[Sequence[Array], Sequence[Array | None]] | None = None

    def forward(
        self, x: Array, weights: Sequence[Array], biases: Sequence[Array | None], activations: Sequence[Activation]
    ) -> list[Layer]:
        if self.parameters_kept is None or shapes(*self.parameters_kept) != shapes(weights, biases):
            self.parameters_kept = weights, biases
        return super().forward(x, *self.parameters_kept, activations)

"""`backproof.scratch`, and the floor: the matrix products that nobody can do without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from backproof.cases import Case
from backproof.scratch import LossAndGradients, Network
from benchmarks.contenders.contender import Contender, Found
from benchmarks.problems import Array, Problem


def network_of(case: Case) -> Network:
    """The network of a case, as scratch builds it: once, before the first step."""
    return Network(
        case.weights,
        case.biases,
        [formula.name for formula in case.spec.activations],
        loss=case.spec.loss.name,
        reduction=case.spec.reduction,
    )


def _gradients(problem: Problem) -> Callable[[], LossAndGradients]:
    return partial(network_of(problem.case).gradients, problem.x, problem.y, by_inputs=False)


def _per_sample(problem: Problem) -> Callable[[], LossAndGradients]:
    return partial(network_of(problem.case).per_sample_gradients, problem.x, problem.y)


def _differential(problem: Problem) -> Callable[[], Array]:
    along = problem.direction
    return partial(
        network_of(problem.case).differential, problem.x, problem.y, along.weights, along.biases, along.inputs
    )


def _read(found: LossAndGradients, problem: Problem) -> Found:
    return Found(found.loss, found.weights, [bias for bias in found.biases if bias is not None])


class Products:
    """a^{l-1} W^T, delta^l W and delta^T a^{l-1} of every layer, into arrays that are there already.

    dC/dx is not asked for, so the first layer sends nothing back: 3 L - 1 products for L layers. The activations and
    deltas are those of the problem, so that the weights' gradients come out right.
    """

    def __init__(self, problem: Problem) -> None:
        network = network_of(problem.case)
        backprop = network.backprop
        layers = backprop.forward(problem.x, network.weights, network.biases, network.activations)
        self.weights = [layer.weight for layer in layers]
        self.inputs = [layer.inputs for layer in layers]
        self.deltas = network.deltas(problem.x, problem.y)
        self.z = [np.empty_like(layer.z) for layer in layers]
        self.upstream = [np.empty_like(layer.inputs) for layer in layers]
        self.gradients = [np.empty_like(layer.weight) for layer in layers]

    def __call__(self) -> list[Array]:
        """The gradients of the weights."""
        for weight, inputs, z in zip(self.weights, self.inputs, self.z, strict=True):
            np.dot(inputs, weight.T, out=z)
        for delta, weight, upstream in zip(self.deltas[1:], self.weights[1:], self.upstream[1:], strict=True):
            np.dot(delta, weight, out=upstream)
        for delta, inputs, gradient in zip(self.deltas, self.inputs, self.gradients, strict=True):
            np.dot(delta.T, inputs, out=gradient)
        return self.gradients


SCRATCH: Final = Contender(
    name="scratch",
    task="gradients",
    prepare=_gradients,
    read=_read,
    package="numpy",
    calls="Network.gradients(x, y, by_inputs=False)",
    needed=True,
)
FLOOR: Final = Contender(
    name="matrix products alone",
    task="gradients",
    prepare=Products,
    read=lambda gradients, problem: Found(weights=gradients),
    package="numpy",
    calls="3 L - 1 times numpy.dot(..., out=...): the floor",
    needed=True,
)
PER_SAMPLE: Final = Contender(
    name="scratch",
    task="per sample",
    prepare=_per_sample,
    read=_read,
    package="numpy",
    calls="Network.per_sample_gradients(x, y), dC/dx and the deltas included",
    needed=True,
    losses=("cross_entropy",),
)
DIFFERENTIAL: Final = Contender(
    name="scratch",
    task="jvp",
    prepare=_differential,
    read=lambda change, problem: Found(loss=change),
    package="numpy",
    calls="Network.differential(x, y, dW, db, dx)",
    needed=True,
    losses=("cross_entropy",),
)

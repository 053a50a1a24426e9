"""Correct implementations of backpropagation that round as differently as they may, for a case and a Backprop.

The handwritten network multiplies matrices by BLAS. Here every sum is a loop, from the front or from the back, in the
case's own dtype; or a loop in which every subnormal number is flushed to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.candidates.builtin import network_of
from backproof.cases import Case
from backproof.cases.gradients import Gradients
from backproof.scratch import Backprop
from backproof.scratch.backprop import Layer
from backproof.truth import exact
from backproof.truth.rounding import bound

Array = NDArray[Any]


def gradients_of(case: Case, backprop: Callable[[], Backprop] = Backprop) -> Gradients:
    """Its loss and gradients, silently."""
    with np.errstate(all="ignore"):
        found = network_of(case, backprop).gradients(case.x, case.y)
    return Gradients(found.loss, found.weights, found.biases, found.inputs, found.deltas)


class Forwards(Backprop):
    """Every sum is a loop from the first term to the last, biases first; the loss is one loop over all its entries."""

    def added(self, terms: Array) -> Array:
        """The sum over the last axis."""
        return np.cumsum(terms, axis=-1, dtype=terms.dtype)[..., -1]

    def rounded(self, numbers: Array) -> Array:
        """What the arithmetic makes of a result."""
        return numbers

    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        terms = self.rounded(self.rounded(inputs)[:, None, :] * weight)
        if bias is not None:
            terms = np.concatenate([np.broadcast_to(bias[:, None], (*terms.shape[:2], 1)), terms], axis=2)
        return self.added(terms)

    def activation(self, z: Array, activation: Any) -> Array:
        return self.rounded(super().activation(z, activation))

    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return self.rounded(super().activation_derivative(z, a, layer))

    def loss_value(self, a: Array, y: Array, objective: Any) -> Array:
        losses = self.rounded(objective.loss.value(self.rounded(a), y))
        if objective.reduction == "none":
            return losses
        return np.asarray(self.rounded(self.added(losses.ravel()) / a.dtype.type(objective.divisor(a, y))))

    def loss_gradient(self, a: Array, y: Array, objective: Any) -> Array:
        return self.rounded(self.rounded(objective.loss.gradient(a, y)) * objective.weights(a, y))

    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return self.rounded(super().times_derivative(upstream, layer))

    def upstream(self, delta: Array, layer: Layer) -> Array:
        return self.added(self.rounded(delta[:, None, :] * layer.weight.T))

    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return self.added(delta.T)

    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return self.added(self.rounded(delta.T[:, None, :] * layer.inputs.T))


class Backwards(Forwards):
    """The same loops from the last term to the first."""

    def added(self, terms: Array) -> Array:
        return super().added(terms[..., ::-1])


class FlushedToZero(Forwards):
    """The same loops where no subnormal number survives."""

    def rounded(self, numbers: Array) -> Array:
        return np.where(np.abs(numbers) < np.finfo(numbers.dtype).smallest_normal, 0.0, numbers).astype(numbers.dtype)

    def added(self, terms: Array) -> Array:
        total = np.zeros(terms.shape[:-1], terms.dtype)
        for position in range(terms.shape[-1]):
            total = self.rounded(total + terms[..., position])
        return total


ROUNDINGS: dict[str, Callable[[], Backprop]] = {
    "scratch": Backprop,
    "loops forwards": Forwards,
    "loops backwards": Backwards,
    "flushed to zero": FlushedToZero,
}


def strays(found: Gradients, middle: Gradients, radius: Gradients, allowed: Gradients) -> Iterator[str]:
    """Every quantity that is farther from the truth than allowed, with its worst entry, in words.

    An infinite allowance admits everything; middle and radius enclose the truth.
    """
    arrays = zip(found.quantities(), middle.quantities(), radius.quantities(), allowed.quantities(), strict=True)
    for (quantity, layer, own), (*_, true), (*_, width), (*_, limit) in arrays:
        assert own.shape == true.shape == limit.shape, f"{quantity} {layer}: {own.shape} {true.shape} {limit.shape}"
        with np.errstate(all="ignore"):
            distance = np.abs(own.astype(np.float64) - true)
            beyond = ~((distance <= limit + width) | (own == true) | (limit == np.inf))
        if beyond.any():
            at = tuple(int(index) for index in np.unravel_index(int(beyond.argmax()), beyond.shape))
            numbers = [array[at].item() for array in (own, true, limit)]
            yield "{} {} at {}: {!r} for {!r} +- {!r}".format(quantity, layer, at, *numbers)


def leaving(case: Case, found: Gradients, allowed: Gradients | None = None) -> list[str]:
    """The quantities that leave the bound around the true values."""
    allowed = bound(case, against="truth") if allowed is None else allowed
    truth = exact.enclose(case, allowed)
    return list(strays(found, truth.middle, truth.radius, allowed))

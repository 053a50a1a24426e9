"""The training step got wrong: seen in (W - W') / eta alone, the gradient that a step has used."""
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.diagnosis.faults.state import alike, total
from backproof.scratch import Backprop, Layer, LossAndGradients, Penalty
from backproof.scratch.arrays import Array
from backproof.scratch.objective import Objective
from backproof.scratch.regression_losses import GaussianNll

STEP = Chapter("step", wanted="W' = W - eta dC/dW, b' = b - eta dC/db, once for the batch")


def _times(factor: float, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Every array times a factor; None stays None."""
    return tuple(None if array is None else factor * array for array in arrays)


def _scaled(found: LossAndGradients, factor: float) -> LossAndGradients:
    """dW and db times a factor."""
    return replace(found, weights=_times(factor, found.weights), biases=_times(factor, found.biases))


@STEP.fault(
    "bias_not_stepped",
    used="b' = b",
    why="the bias is learned like any weight: its gradient is computed, and then has to be used",
    hint="W -= eta * dW without b -= eta * db",
    only_steps=True,
)
class BiasNotStepped(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        return replace(right, biases=_times(0, right.biases))


@STEP.fault(
    "bias_not_stepped_in_first_layer",
    used="b^1' = b^1",
    why="the bias of every layer is learned: a loop that begins one layer too late leaves the first out",
    hint="for l in range(1, L): b[l] -= eta * db[l]",
    only_steps=True,
)
class FirstBiasNotStepped(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        return replace(right, biases=_times(0, right.biases[:1]) + right.biases[1:])


@STEP.fault(
    "first_layer_not_stepped",
    used="W^1' = W^1, b^1' = b^1",
    why="every layer is learned: a loop that begins one layer too late leaves the first out",
    hint="for l in range(1, L): W[l] -= eta * dW[l]",
    only_steps=True,
)
class FirstLayerNotStepped(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        weights, biases = right.weights, right.biases
        return replace(right, weights=_times(0, weights[:1]) + weights[1:], biases=_times(0, biases[:1]) + biases[1:])


@STEP.fault(
    "output_layer_not_stepped",
    used="W^L' = W^L, b^L' = b^L",
    why="every layer is learned: a loop that ends one layer too early leaves the output out",
    hint="for l in range(L - 1): W[l] -= eta * dW[l]",
    only_steps=True,
)
class OutputLayerNotStepped(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        weights, biases = right.weights, right.biases
        return replace(
            right, weights=weights[:-1] + _times(0, weights[-1:]), biases=biases[:-1] + _times(0, biases[-1:])
        )


@STEP.fault(
    "step_upwards",
    used="W' = W + eta dC/dW",
    why="the gradient points to where C grows, so the step goes the other way",
    hint="W += eta * dW where the error is a - y and not y - a",
    only_steps=True,
)
class Upwards(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        return _scaled(super().loss_and_gradients(*cost, **options), -1)


@STEP.fault(
    "learning_rate_twice",
    used="W' = W - eta^2 dC/dW",
    why="the step is eta times the gradient: a learning rate of 0.1 that counts twice is one of 0.01",
    hint="dW = eta * ... in the backward pass and W -= eta * dW after it",
    only_steps=True,
)
class LearningRateTwice(Backprop):
    learning_rate: float = 1.0

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        return _scaled(super().loss_and_gradients(*cost, **options), self.learning_rate)


@STEP.fault(
    "learning_rate_missing",
    used="W' = W - dC/dW",
    why="the gradient says how steep it is, and not how far to go: that is the learning rate",
    hint="W -= dW",
    only_steps=True,
)
class LearningRateMissing(Backprop):
    learning_rate: float = 1.0

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        return _scaled(super().loss_and_gradients(*cost, **options), 1 / self.learning_rate)


@STEP.fault(
    "learning_rate_missing_for_biases",
    used="b' = b - dC/db",
    why="the bias takes steps of the same learning rate as the weights",
    hint="W -= eta * dW beside b -= db",
    only_steps=True,
)
class LearningRateMissingForBiases(Backprop):
    learning_rate: float = 1.0

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        return replace(right, biases=_times(1 / self.learning_rate, right.biases))


@STEP.fault(
    "learning_rate_over_batch",
    used="W' = W - eta / N dC/dW",
    why="whether C is divided by N is the reduction's to say: the step divides no more",
    hint="W -= eta / len(x) * dW",
    only_steps=True,
)
class LearningRateOverBatch(Backprop):
    def loss_and_gradients(self, layers: Sequence[Layer], *cost: Any, **options: Any) -> LossAndGradients:
        return _scaled(super().loss_and_gradients(layers, *cost, **options), 1 / len(layers[0].inputs))


@STEP.fault(
    "step_normalised",
    used="W' = W - eta dC/dW / |dC/dW|, over all layers",
    why="the length of the gradient counts: near a minimum it shrinks, and the steps with it",
    hint="dW / np.linalg.norm(dW)",
    only_steps=True,
)
class Normalised(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        arrays = [*right.weights, *(bias for bias in right.biases if bias is not None)]
        return _scaled(right, 1 / np.sqrt(sum(np.square(array).sum() for array in arrays)))


def _momentum(slug: str, momentum: float) -> None:
    @STEP.fault(
        f"momentum_{slug}",
        used=f"v = {momentum:g} v + dC/dW, kept from call to call; W' = W - eta v",
        why="plain SGD has no memory: what earlier steps have left makes this one another",
        hint=f"self.v = {momentum:g} * self.v + dW",
        only_steps=True,
        family="momentum",
    )
    class Momentum(Backprop):
        velocity: LossAndGradients | None = None

        def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
            found, velocity = super().loss_and_gradients(*cost, **options), self.velocity
            if velocity is not None and alike(velocity, found):
                kept = _scaled(velocity, momentum)
                weights, biases = total(found.weights, kept.weights), total(found.biases, kept.biases)
                found = replace(found, weights=weights, biases=biases)
            self.velocity = found
            return found


_momentum("0_9", 0.9)
_momentum("0_5", 0.5)


@STEP.fault(
    "step_of_moving_average",
    used="v = 0.9 v + 0.1 dC/dW, with v = 0 at first; W' = W - eta v",
    why="a mean that begins with 0 is too small at first: plain SGD takes the gradient itself",
    hint="self.v = beta * self.v + (1 - beta) * dW",
    only_steps=True,
)
class MovingAverage(Backprop):
    average: LossAndGradients | None = None

    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        found, average = _scaled(super().loss_and_gradients(*cost, **options), 0.1), self.average
        if average is not None and alike(average, found):
            kept = _scaled(average, 0.9)
            weights, biases = total(found.weights, kept.weights), total(found.biases, kept.biases)
            found = replace(found, weights=weights, biases=biases)
        self.average = found
        return found


def _decay(slug: str, decay: float, words: str, why: str, hint: str) -> None:
    @STEP.fault(
        f"decay_{slug}",
        used=f"W' = W - eta (dC/dW {words} {abs(decay):g} W)",
        why=why,
        hint=hint,
        only_steps=True,
        family="decay",
    )
    class Decay(Backprop):
        def loss_and_gradients(self, layers: Sequence[Layer], *cost: Any, **options: Any) -> LossAndGradients:
            right = super().loss_and_gradients(layers, *cost, **options)
            weights = [weight + decay * layer.weight for weight, layer in zip(right.weights, layers, strict=True)]
            return replace(right, weights=tuple(weights))


for _slug, _amount in (("0_1", 0.1), ("0_01", 0.01), ("0_0001", 1e-4)):
    _decay(
        f"added_{_slug}",
        _amount,
        "+",
        "weight decay is the gradient of a penalty: where the cost has none, the step has none",
        f"weight_decay={_amount:g} left in, or W *= 1 - eta * {_amount:g}",
    )
    _decay(
        f"of_wrong_sign_{_slug}",
        -_amount,
        "-",
        "weight decay makes weights smaller: with the other sign they grow by themselves",
        f"W += eta * {_amount:g} * W, or W *= 1 + eta * {_amount:g}",
    )


@STEP.fault(
    "decay_not_times_learning_rate",
    used="W' = W - eta dC/dW - (l1 sign(W) + l2 W)",
    wanted="W' = W - eta (dC/dW + l1 sign(W) + l2 W)",
    why="the penalty is part of C, so its slope is stepped along as the rest is: times the learning rate",
    hint="W -= eta * dW + l2 * W",
    only_steps=True,
)
class DecayNotTimesLearningRate(Backprop):
    learning_rate: float = 1.0

    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return np.asarray(super().penalty_gradient(parameter, penalty, batch_size) / self.learning_rate)


def _stepped(arrays: Sequence[Any], gradients: Sequence[Any], learning_rate: float) -> list[Any]:
    """Parameters after a step; None stays None."""
    return [
        None if array is None else array - learning_rate * gradient
        for array, gradient in zip(arrays, gradients, strict=True)
    ]


def _of_sample(objective: Objective, n: int) -> Objective:
    """The cost of sample n as a batch of its own."""
    loss, upstream = objective.loss, objective.upstream
    if isinstance(loss, GaussianNll):
        loss = replace(loss, var=loss.var[n : n + 1])
    return Objective(loss, objective.reduction, None if upstream is None else upstream[n : n + 1])


@STEP.fault(
    "step_after_each_sample",
    used="W = W - eta dC_n/dW for n = 1, ..., N, each at the W that the one before left",
    why="the batch's gradient belongs to one point: N steps, each from another point, end somewhere else",
    hint="W -= eta * dW inside the loop over the samples",
    only_steps=True,
)
class AfterEachSample(Backprop):
    learning_rate: float = 1.0

    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, penalty: Penalty | None, *, by_inputs: bool
    ) -> LossAndGradients:
        right = super().loss_and_gradients(layers, y, objective, penalty, by_inputs=by_inputs)
        weights: Sequence[Any] = [layer.weight for layer in layers]
        biases: Sequence[Any] = [layer.bias for layer in layers]
        dweights, dbiases = _times(0, weights), _times(0, biases)
        for n in range(len(y)):
            x = layers[0].inputs[n : n + 1]
            sample = self.forward(x, weights, biases, [layer.activation for layer in layers])
            cost = _of_sample(objective, n)
            found = super().loss_and_gradients(sample, y[n : n + 1], cost, penalty, by_inputs=False)
            weights = _stepped(weights, found.weights, self.learning_rate)
            biases = _stepped(biases, found.biases, self.learning_rate)
            dweights, dbiases = total(dweights, found.weights), total(dbiases, found.biases)
        return replace(right, weights=dweights, biases=dbiases)


@STEP.fault(
    "two_epochs",
    used="W' = W - eta dC/dW, then the same again from W'",
    why="one call is one step: a second one starts from other weights, with another gradient",
    hint="for epoch in range(epochs): inside the function that is called for one step",
    only_steps=True,
)
class TwoEpochs(Backprop):
    learning_rate: float = 1.0

    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, penalty: Penalty | None, *, by_inputs: bool
    ) -> LossAndGradients:
        first = super().loss_and_gradients(layers, y, objective, penalty, by_inputs=by_inputs)
        weights = _stepped([layer.weight for layer in layers], first.weights, self.learning_rate)
        biases = _stepped([layer.bias for layer in layers], first.biases, self.learning_rate)
        again = self.forward(layers[0].inputs, weights, biases, [layer.activation for layer in layers])
        second = super().loss_and_gradients(again, y, objective, penalty, by_inputs=False)
        dweights, dbiases = total(first.weights, second.weights), total(first.biases, second.biases)
        return replace(first, weights=dweights, biases=dbiases)


@STEP.fault(
    "biases_after_weights",
    used="b' = b - eta dC/db at W'",
    wanted="b' = b - eta dC/db at W",
    why="the gradient belongs to one point: weights and biases step together, and neither sees the other's step",
    hint="W -= eta * dW, then a new forward and backward pass for db",
    only_steps=True,
)
class BiasesAfterWeights(Backprop):
    learning_rate: float = 1.0

    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, penalty: Penalty | None, *, by_inputs: bool
    ) -> LossAndGradients:
        first = super().loss_and_gradients(layers, y, objective, penalty, by_inputs=by_inputs)
        weights = _stepped([layer.weight for layer in layers], first.weights, self.learning_rate)
        biases = [layer.bias for layer in layers]
        again = self.forward(layers[0].inputs, weights, biases, [layer.activation for layer in layers])
        second = super().loss_and_gradients(again, y, objective, penalty, by_inputs=False)
        return replace(first, biases=second.biases)


@STEP.fault(
    "upstream_with_updated_weights",
    used="dC/da^l = delta^{l+1} (W^{l+1} - eta dC/dW^{l+1})",
    wanted="dC/da^l = delta^{l+1} W^{l+1}",
    why="a gradient belongs to one point: all of it comes from the weights that made the output, then they step",
    hint="W[l] -= eta * dW in the loop backwards, above the line with delta @ W[l]",
    only_steps=True,
    family="upstream_with_updated_weights",
)
class UpstreamWithUpdatedWeights(Backprop):
    learning_rate: float = 1.0

    def upstream(self, delta: Array, layer: Layer) -> Array:
        updated: Array = layer.weight - self.learning_rate * self.weight_gradient(delta, layer)
        return np.asarray(delta.dot(updated))

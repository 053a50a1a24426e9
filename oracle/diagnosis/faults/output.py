"""BP1 got wrong, the loss: what it sends back to the output, and the softmax that it goes through."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.diagnosis.faults.options import as_rows, loss_instead, probabilities, with_defaults
from backproof.scratch import Backprop, Layer, LossAndGradients
from backproof.scratch.arrays import Array
from backproof.scratch.classification_losses import LOGITS, Bce, BceWithLogits
from backproof.scratch.exponentials import sigmoid
from backproof.scratch.objective import Objective
from backproof.scratch.piecewise_activations import Identity
from backproof.scratch.smooth_activations import LogSoftmax, Softmax, Softmin

BP1 = Chapter("BP1", wanted="g = dC/da = dl/da * dC/dl")
_SOFTMAX = "delta_k = sum over o of g_o da_o/dz_k, all outputs o"


@BP1.fault(
    "loss_gradient_of_squared_error",
    used="g = (a - y) * dC/dl",
    why="a - y is the slope of 1/2 (a - y)^2; it is delta itself only for cross-entropy behind softmax or sigmoid",
    hint="error = a - y whatever network.loss says, or cross-entropy with the sigmoid's slope left in",
)
class OfSquaredError(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        return (a - as_rows(y, a.shape[1])).astype(a.dtype) * objective.weights(a, y)


@BP1.fault(
    "output_delta_is_error",
    used="delta^L = (a - y) * dC/dl, whatever the loss and phi are",
    wanted="delta^L = g * phi'(z^L), g = dC/da",
    why="cross-entropy behind softmax or sigmoid leaves a - y, since its slope cancels theirs: other pairs do not",
    hint="delta = a - y at the output, taken over from a network with another loss",
)
class DeltaIsError(Backprop):
    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, *penalty: Any, **options: Any
    ) -> LossAndGradients:
        def error(a: Array, y: Array) -> Array:
            return (a - as_rows(y, a.shape[1])).astype(a.dtype)

        linear = [*layers[:-1], layers[-1]._replace(activation=Identity())]
        return super().loss_and_gradients(linear, y, loss_instead(objective, gradient=error), *penalty, **options)


@BP1.fault(
    "loss_gradient_is_loss",
    used="g = l(a, y) * dC/dl",
    why="what is sent back is how C changes with a, not how large it is",
    hint="the loss itself handed to backward(), or error = (a - y) ** 2",
)
class IsLoss(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        losses = objective.loss.value(a, y)
        rows = losses[:, None] if losses.ndim == 1 else losses
        return np.broadcast_to(rows, a.shape) * objective.weights(a, y)


@BP1.fault(
    "loss_gradient_of_ones",
    used="g = 1",
    why="that is the gradient of the sum of the outputs; the loss has one of its own",
    hint="backward(np.ones_like(a)), or a delta that begins with sigmoid_prime(z) alone",
)
class OfOnes(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        return np.ones_like(a)


@BP1.fault(
    "loss_gradient_absolute",
    used="g = |dC/da|",
    why="the sign says in which direction the output is wrong: without it nothing can be corrected downwards",
    hint="np.abs(a - y) as the error",
)
class Absolute(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        return np.abs(super().loss_gradient(a, y, objective))


@BP1.fault(
    "loss_gradient_sign",
    used="g = sign(dC/da) * dC/dl",
    why="only for l1 is the slope nothing but the sign; squared errors and logarithms have slopes of every size",
    hint="np.sign(a - y)",
)
class Sign(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        return np.sign(objective.loss.gradient(a, y)) * objective.weights(a, y)


@BP1.fault(
    "loss_gradient_without_targets",
    used="g = dC/da at y = 0",
    why="the error is the difference from the target: without y the network is driven to 0",
    hint="a where a - y is meant",
)
class WithoutTargets(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        return super().loss_gradient(a, np.zeros_like(y), objective)


@BP1.fault(
    "loss_gradient_exchanged",
    used="g = dl/da at (y, a)",
    wanted="g = dl/da at (a, y)",
    why="outputs and targets are not interchangeable: the derivative is the one by the outputs",
    hint="loss_derivative(y, a) called as loss_derivative(a, y); for squared errors that turns the sign",
)
class Exchanged(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        if y.shape != a.shape or y.dtype != a.dtype:
            return super().loss_gradient(a, y, objective)
        return objective.loss.gradient(y, a) * objective.weights(a, y)


@BP1.fault(
    "loss_gradient_averaged_over_outputs",
    used="g_o = mean over k of dC/da_k, the same for every o",
    why="each output has an error of its own: the mean of them moves all outputs alike",
    hint="error.mean(axis=1, keepdims=True)",
)
class AveragedOverOutputs(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        right = super().loss_gradient(a, y, objective)
        return np.broadcast_to(right.mean(axis=1, keepdims=True), a.shape)


@BP1.fault(
    "loss_gradient_with_default_options",
    used="g = dC/da with the default delta, margin, weight, ...",
    wanted="g = dC/da with the loss's own options",
    why="huber with delta 0.5 has its bend at 0.5: the options belong to the slope as well",
    hint="network.loss_options is read for the loss and not for its derivative",
)
class WithDefaults(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        return super().loss_gradient(a, y, replace(objective, loss=with_defaults(objective.loss)))


@BP1.fault(
    "loss_gradient_without_second_term",
    used="g = -y / a",
    wanted="g = -y / a + (1 - y) / (1 - a)",
    why="a single output stands for two classes: where y is 0, it is 1 - a that has to grow",
    hint="-y / a, the slope for one-hot targets, used for a single probability",
)
class WithoutSecondTerm(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        if isinstance(objective.loss, Bce):
            return -y / np.maximum(a, np.finfo(a.dtype).tiny) * objective.weights(a, y)
        if isinstance(objective.loss, BceWithLogits):
            return -y * sigmoid(-a) * objective.weights(a, y)
        return super().loss_gradient(a, y, objective)


@BP1.fault(
    "loss_gradient_of_probabilities",
    used="g = dl/da at softmax(a), or at sigmoid(a)",
    why="a loss on logits applies the softmax or the sigmoid itself: applied before, it is applied twice",
    hint="softmax(p) - y with p = softmax(z), where p - y is meant",
)
class OfProbabilities(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        return super().loss_gradient(probabilities(a, objective.loss), y, objective)


@BP1.fault(
    "loss_gradient_times_slope_of_probabilities",
    used="g = (p - y) * p * (1 - p), p = softmax(a) or sigmoid(a)",
    wanted="g = p - y, p = softmax(a) or sigmoid(a)",
    why="the logarithm's 1 / p has cancelled the slope p (1 - p): p - y is all that is left",
    hint="(p - y) * p * (1 - p), or * sigmoid_prime(z), with cross-entropy",
)
class TimesSlopeOfProbabilities(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        right = super().loss_gradient(a, y, objective)
        if objective.loss.expected_output() != LOGITS:
            return right
        p = probabilities(a, objective.loss)
        return right * p * (1 - p)


@BP1.fault(
    "loss_gradient_of_predicted_class",
    used="g = (one-hot of argmax a) - y, times dC/dl",
    why="the most likely class is a decision, and a step has no slope: the error is that of the probabilities",
    hint="np.eye(O)[a.argmax(axis=1)] - y, or predictions == labels, where a - y is meant",
)
class OfPredictedClass(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        predicted = (np.arange(a.shape[1]) == a.argmax(axis=1)[:, None]).astype(a.dtype)
        return (predicted - as_rows(y, a.shape[1])).astype(a.dtype) * objective.weights(a, y)


@BP1.fault(
    "softmax_jacobian_diagonal",
    used="delta_k = g_k a_k (1 - a_k), the diagonal alone",
    wanted=_SOFTMAX,
    why="each output of a softmax depends on every z, since they share a denominator: all of the Jacobian counts",
    hint="error * a * (1 - a) behind softmax, which is sigmoid's rule",
)
class JacobianDiagonal(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        if not layer.activation.rowwise:
            return super().times_derivative(upstream, layer)
        return upstream * layer.activation.derivative(layer.z, layer.a)


@BP1.fault(
    "softmax_jacobian_without_diagonal",
    used="delta_k = sum over o of g_o (-a_o a_k)",
    wanted=_SOFTMAX,
    why="da_o/dz_k = a_o ([o = k] - a_k): where o = k there is a_o as well",
    hint="-a * (error * a).sum(axis=1, keepdims=True)",
)
class JacobianWithoutDiagonal(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        a = layer.a
        if isinstance(layer.activation, Softmax):
            return -a * (upstream * a).sum(axis=1, keepdims=True)
        if isinstance(layer.activation, Softmin):
            return a * (upstream * a).sum(axis=1, keepdims=True)
        if isinstance(layer.activation, LogSoftmax):
            return -np.exp(a) * upstream.sum(axis=1, keepdims=True)
        return super().times_derivative(upstream, layer)


@BP1.fault(
    "softmax_jacobian_transposed",
    used="delta_k = sum over o of g_o da_k/dz_o",
    wanted=_SOFTMAX,
    why="backward, the Jacobian is multiplied from the outputs' side; log_softmax's is not symmetric: there it shows",
    hint="J @ g where J.T @ g is meant: error - (np.exp(a) * error).sum(axis=1, keepdims=True)",
)
class JacobianTransposed(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        if not layer.activation.rowwise:
            return super().times_derivative(upstream, layer)
        return layer.activation.jacobian_vector(layer.z, layer.a, upstream)

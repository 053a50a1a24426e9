"""The arithmetic got wrong: overflow, 0 times infinity, lost precision, clipping, whole numbers."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Layer, LossAndGradients, Penalty
from backproof.scratch.activation import Activation
from backproof.scratch.arrays import Array
from backproof.scratch.classification_losses import Bce, CategoricalCrossEntropy, CrossEntropy
from backproof.scratch.objective import Objective
from backproof.scratch.smooth_activations import Elu, LogSoftmax, Sigmoid, Softmax, Softplus, Tanh

NUMERICS = Chapter("numerics", wanted="the same formula in a form that neither overflows nor loses digits")


def _naive(
    name: str, kind: type[Activation], phi: Callable[[Array], Array], *, formula: str, why: str, hint: str
) -> None:
    """The textbook's formula as it stands, for one activation."""

    @NUMERICS.fault(f"{name}_naive", used=f"a = {formula}", why=why, hint=hint, family="activation_naive")
    class Naive(Backprop):
        def activation(self, z: Array, activation: Activation) -> Array:
            return phi(z) if isinstance(activation, kind) else super().activation(z, activation)


_naive(
    "softmax",
    Softmax,
    lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    formula="e^z_o / sum over k of e^z_k",
    why="e^z overflows from z = 710 on, and inf / inf is nan: the largest z is taken off first",
    hint="np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), without z - z.max(axis=1, keepdims=True)",
)
_naive(
    "log_softmax",
    LogSoftmax,
    lambda z: np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)),
    formula="log(e^z_o / sum over k of e^z_k)",
    why="where softmax underflows its logarithm is -inf: z - log(sum of e^z) never takes it",
    hint="np.log(softmax(z))",
)
_naive(
    "sigmoid",
    Sigmoid,
    lambda z: np.exp(z) / (1 + np.exp(z)),
    formula="e^z / (1 + e^z)",
    why="e^z overflows from z = 710 on, and inf / inf is nan: 1 / (1 + e^-z) has the right limits",
    hint="np.exp(z) / (1 + np.exp(z))",
)
_naive(
    "tanh",
    Tanh,
    lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    formula="(e^z - e^-z) / (e^z + e^-z)",
    why="e^z overflows from z = 710 on, and inf / inf is nan: np.tanh does not",
    hint="(np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))",
)


@NUMERICS.fault(
    "softplus_naive",
    used="a = log(1 + e^(beta z)) / beta",
    why="e^z overflows from z = 710 on, and 1 + e^z loses e^z below z = -37: np.logaddexp(0, z) does neither",
    hint="np.log(1 + np.exp(z))",
    family="activation_naive",
)
class SoftplusNaive(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        if not isinstance(activation, Softplus):
            return super().activation(z, activation)
        return np.log(1 + np.exp(activation.beta * z)) / z.dtype.type(activation.beta)


@NUMERICS.fault(
    "elu_naive",
    used="a = [z > 0] z + [z <= 0] alpha (e^z - 1)",
    why="0 times inf is nan: where e^z overflows, the part that is not wanted must not be computed",
    hint="(z > 0) * z + (z <= 0) * alpha * (np.exp(z) - 1)",
    family="activation_naive",
)
class EluNaive(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        if not isinstance(activation, Elu):
            return super().activation(z, activation)
        return (z > 0) * z + (z <= 0) * z.dtype.type(activation.alpha) * (np.exp(z) - 1)


@NUMERICS.fault(
    "cross_entropy_naive",
    used="l = -log softmax(a)_y, softmax first",
    why="where softmax underflows its logarithm is -inf: a - log(sum of e^a) never takes it",
    hint="-np.log(softmax(z)[np.arange(N), y])",
)
class CrossEntropyNaive(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        if not isinstance(objective.loss, CrossEntropy):
            return super().loss_value(a, y, objective)
        # log p as logits: the loss's own log_softmax leaves the logarithms of numbers that sum to 1 as they are.
        logarithms = np.log(np.exp(a) / np.exp(a).sum(axis=1, keepdims=True))
        return super().loss_value(logarithms, y, objective)


@NUMERICS.fault(
    "loss_log_of_zero",
    used="l = -(y log a + (1 - y) log(1 - a)), also where a is 0 or 1",
    why="0 times log 0 is nan: where y is 0, its term is not to be computed",
    hint="np.log(a) without a guard; the loss is nan as soon as an output saturates",
)
class LogOfZero(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        if isinstance(objective.loss, Bce):
            losses = -(y * np.log(a) + (1 - y) * np.log(1 - a))
        elif isinstance(objective.loss, CategoricalCrossEntropy):
            losses = -(y * np.log(a)).sum(axis=1)
        else:
            return super().loss_value(a, y, objective)
        return losses if objective.reduction == "none" else np.asarray(losses.sum() / objective.divisor(a, y))


@NUMERICS.fault(
    "loss_gradient_zero_over_zero",
    used="g = (a - y) / (a (1 - a)), also where a is 0 or 1",
    why="where the output saturates this is 0/0: on logits the quotient cancels to a - y, which is safe",
    hint="(a - y) / (a * (1 - a)) without a guard; gradients are nan as soon as an output saturates",
)
class ZeroOverZero(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        if isinstance(objective.loss, Bce):
            return (a - y) / (a * (1 - a)) * objective.weights(a, y)
        if isinstance(objective.loss, CategoricalCrossEntropy):
            return -y / a * objective.weights(a, y)
        return super().loss_gradient(a, y, objective)


@NUMERICS.fault(
    "loss_with_epsilon",
    used="C at a + 1e-8",
    wanted="C at a",
    why="a small number added before the logarithm changes every loss, not only those that would be infinite",
    hint="np.log(a + 1e-8)",
)
class LossWithEpsilon(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        if isinstance(objective.loss, Bce | CategoricalCrossEntropy):
            return super().loss_value(a + a.dtype.type(1e-8), y, objective)
        return super().loss_value(a, y, objective)


@NUMERICS.fault(
    "loss_gradient_with_epsilon",
    used="g = dC/da at a + 1e-8",
    wanted="g = dC/da at a",
    why="a small number added to a divisor changes every gradient, not only those that would be infinite",
    hint="-y / (a + 1e-8)",
)
class GradientWithEpsilon(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        if isinstance(objective.loss, Bce | CategoricalCrossEntropy):
            return super().loss_gradient(a + a.dtype.type(1e-8), y, objective)
        return super().loss_gradient(a, y, objective)


@NUMERICS.fault(
    "delta_clipped",
    used="delta = g * phi'(z), cut to [-1, 1]",
    wanted="delta = g * phi'(z)",
    why="a clipped delta is no derivative any more: clipping is for the step, after the gradient",
    hint="np.clip(delta, -1, 1)",
)
class DeltaClipped(Backprop):
    def times_derivative(self, upstream: Array, layer: Layer) -> Array:
        return np.clip(super().times_derivative(upstream, layer), -1, 1)


@NUMERICS.fault(
    "gradient_clipped",
    used="dW, db cut to [-1, 1]",
    wanted="dW, db as they are",
    why="a clipped gradient is no derivative any more: clipping is for the step, and another rule than SGD's",
    hint="np.clip(dW, -1, 1)",
)
class GradientClipped(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        return _each(super().loss_and_gradients(*cost, **options), lambda array: np.clip(array, -1, 1))


@NUMERICS.fault(
    "gradient_clipped_by_norm",
    used="dW, db divided by their common norm where it is above 1",
    wanted="dW, db as they are",
    why="a scaled gradient is no derivative any more: clipping is for the step, and another rule than SGD's",
    hint="clip_grad_norm_(parameters, 1), or grad / max(1, norm)",
)
class GradientClippedByNorm(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        right = super().loss_and_gradients(*cost, **options)
        arrays = [*right.weights, *(bias for bias in right.biases if bias is not None)]
        norm = np.sqrt(sum(np.square(array).sum() for array in arrays))
        return _each(right, lambda array: array / np.maximum(norm, 1))


@NUMERICS.fault(
    "float32_inside",
    used="all of it in float32",
    wanted="all of it in float64, as the data are",
    why="float32 carries 7 digits: cast back to float64, a result has no more than it was computed with",
    hint="astype(np.float32), torch.tensor([...]) without a dtype, or np.float32 arrays for weights or activations",
    dtype="float32",
)
class Float32Inside(Backprop):
    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, penalty: Penalty | None, *, by_inputs: bool
    ) -> LossAndGradients:
        narrow = self.forward(
            _cast(layers[0].inputs, np.float32),
            [_cast(layer.weight, np.float32) for layer in layers],
            [None if layer.bias is None else _cast(layer.bias, np.float32) for layer in layers],
            [layer.activation for layer in layers],
        )
        y, cost = _cast(y, np.float32), _in_float32(objective)
        found = super().loss_and_gradients(narrow, y, cost, penalty, by_inputs=by_inputs)
        wide = layers[0].weight.dtype.type
        return LossAndGradients(
            _cast(found.loss, wide),
            tuple(_cast(weight, wide) for weight in found.weights),
            tuple(None if bias is None else _cast(bias, wide) for bias in found.biases),
            None if found.inputs is None else _cast(found.inputs, wide),
            tuple(_cast(delta, wide) for delta in found.deltas),
        )


@NUMERICS.fault(
    "gradients_stored_as_integers",
    used="dW, db cut to whole numbers",
    wanted="dW, db as they are",
    why="an array of integers keeps no fractions: NumPy cuts them off without a word",
    hint="np.zeros_like(W) for a W of integers, or np.array([0, 0]) filled with gradients",
)
class GradientsAsIntegers(Backprop):
    def loss_and_gradients(self, *cost: Any, **options: Any) -> LossAndGradients:
        return _each(super().loss_and_gradients(*cost, **options), np.trunc)


@NUMERICS.fault(
    "activations_stored_as_integers",
    used="a = phi(z), cut to whole numbers",
    wanted="a = phi(z)",
    why="an array of integers keeps no fractions: NumPy cuts them off without a word",
    hint="np.zeros_like(x) for an x of integers, filled with activations",
)
class ActivationsAsIntegers(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        return np.trunc(super().activation(z, activation))


@NUMERICS.fault(
    "inputs_stored_as_integers",
    used="x cut to whole numbers",
    wanted="x as it is",
    why="an array of integers keeps no fractions: NumPy cuts them off without a word",
    hint="x.astype(int), or dtype=np.uint8 for data that are not whole",
)
class InputsAsIntegers(Backprop):
    def forward(
        self, x: Array, weights: Sequence[Array], biases: Sequence[Array | None], activations: Sequence[Activation]
    ) -> list[Layer]:
        return super().forward(np.trunc(x), weights, biases, activations)


def _each(found: LossAndGradients, change: Callable[[Array], Array]) -> LossAndGradients:
    """The same with every dW and db changed."""
    return replace(
        found,
        weights=tuple(change(weight) for weight in found.weights),
        biases=tuple(None if bias is None else change(bias) for bias in found.biases),
    )


def _cast(array: Array, dtype: type[np.floating[Any]]) -> Array:
    """Floating-point numbers in another dtype; class indices as they are."""
    return array.astype(dtype) if array.dtype.kind == "f" else array


def _in_float32(objective: Objective) -> Objective:
    """The cost with its own arrays in float32."""
    loss: Any = objective.loss
    arrays = {name: getattr(loss, name) for name in loss.arrays}
    cast = {name: _cast(array, np.float32) for name, array in arrays.items() if array is not None}
    upstream = None if objective.upstream is None else _cast(objective.upstream, np.float32)
    return Objective(replace(loss, **cast), objective.reduction, upstream)

"""The batch got wrong: all is right for one sample, and wrong for several."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.diagnosis.faults.options import loss_instead
from backproof.scratch import Backprop, Layer, LossAndGradients
from backproof.scratch.activation import Activation
from backproof.scratch.arrays import Array
from backproof.scratch.objective import Objective
from backproof.scratch.smooth_activations import LogSoftmax, Softmax, Softmin

BATCH = Chapter("batch", wanted="the gradient of a batch is the sum of its samples' gradients")
_BIAS = "dC/db = sum over n of delta_n"
_WEIGHT = "dC/dW = sum over n of delta_n a_n^T"


@BATCH.fault(
    "bias_averaged",
    used="dC/db = mean over n of delta_n",
    wanted=_BIAS,
    why="C's divisor is in delta already; the bias sums over the batch just as the weights do in delta^T a",
    hint="delta.mean(axis=0) beside delta.T @ a",
)
class BiasAveraged(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.mean(axis=0)


@BATCH.fault(
    "bias_of_first_sample",
    used="dC/db = delta of the first sample",
    wanted=_BIAS,
    why="every sample uses the bias, so every sample has a say in its gradient",
    hint="delta[0]",
)
class BiasOfFirstSample(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta[0].copy()


@BATCH.fault(
    "bias_of_last_sample",
    used="dC/db = delta of the last sample",
    wanted=_BIAS,
    why="every sample uses the bias, so every sample has a say in its gradient",
    hint="db = delta in a loop over the samples, where += is meant; or delta[-1]",
)
class BiasOfLastSample(Backprop):
    def bias_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta[-1].copy()


@BATCH.fault(
    "weight_averaged",
    used="dC/dW = mean over n of delta_n a_n^T",
    wanted=_WEIGHT,
    why="C's divisor is in delta already: divided again, the weights take smaller steps than the biases",
    hint="delta.T @ a / N beside delta.sum(axis=0)",
)
class WeightAveraged(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return super().weight_gradient(delta, layer) / len(delta)


@BATCH.fault(
    "weight_of_first_sample",
    used="dC/dW = delta_1 a_1^T, of the first sample",
    wanted=_WEIGHT,
    why="every sample uses the weights, so every sample has a say in their gradient",
    hint="np.outer(delta[0], a[0])",
)
class WeightOfFirstSample(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta[:1].T.dot(layer.inputs[:1])


@BATCH.fault(
    "weight_of_last_sample",
    used="dC/dW = delta_N a_N^T, of the last sample",
    wanted=_WEIGHT,
    why="every sample uses the weights, so every sample has a say in their gradient",
    hint="dW = np.outer(delta, a) in a loop over the samples, where += is meant",
)
class WeightOfLastSample(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta[-1:].T.dot(layer.inputs[-1:])


@BATCH.fault(
    "weight_from_next_sample",
    used="dC/dW = sum over n of delta_n a_{n+1}^T",
    wanted=_WEIGHT,
    why="the error of a sample belongs with the inputs that made it",
    hint="inputs shuffled or fetched anew between the forward and the backward pass",
)
class WeightFromNextSample(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return delta.T.dot(np.roll(layer.inputs, -1, axis=0))


@BATCH.fault(
    "weight_of_summed_samples",
    used="dC/dW = (sum over n of delta_n) (sum over n of a_n)^T",
    wanted=_WEIGHT,
    why="the sum of products is not the product of sums: that multiplies one sample's error with another's inputs",
    hint="np.outer(delta.sum(axis=0), a.sum(axis=0))",
)
class WeightOfSummedSamples(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.outer(delta.sum(axis=0), layer.inputs.sum(axis=0))


@BATCH.fault(
    "weight_from_mean_inputs",
    used="dC/dW = (sum over n of delta_n) (mean over n of a_n)^T",
    wanted=_WEIGHT,
    why="the sum of products is not the product of sums: that multiplies one sample's error with another's inputs",
    hint="np.outer(db, a.mean(axis=0))",
)
class WeightFromMeanInputs(Backprop):
    def weight_gradient(self, delta: Array, layer: Layer) -> Array:
        return np.outer(delta.sum(axis=0), layer.inputs.mean(axis=0))


@BATCH.fault(
    "loss_gradient_averaged_over_batch",
    used="g_n = mean over m of dC/da_m, the same for every sample",
    wanted="g_n = dC/da_n",
    why="the errors are averaged after they have met their own slopes and inputs, not before",
    hint="np.mean(a - y, axis=0) carried backwards",
)
class AveragedBeforehand(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        right = super().loss_gradient(a, y, objective)
        return np.broadcast_to(right.mean(axis=0), right.shape)


@BATCH.fault(
    "loss_gradient_summed_over_batch",
    used="g_n = sum over m of dC/da_m, the same for every sample",
    wanted="g_n = dC/da_n",
    why="the errors are summed after they have met their own slopes and inputs, not before",
    hint="np.sum(a - y, axis=0) carried backwards",
)
class SummedBeforehand(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        right = super().loss_gradient(a, y, objective)
        return np.broadcast_to(right.sum(axis=0), right.shape)


@BATCH.fault(
    "gradient_of_first_sample",
    used="g_n = 0 for every sample but the first",
    wanted="g_n = dC/da_n",
    why="C is made of all samples' losses, and so is its gradient",
    hint="x[0] and y[0] in the backward pass, or a return inside the loop over the samples",
)
class OfFirstSample(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        only = super().loss_gradient(a, y, objective).copy()
        only[1:] = 0
        return only


@BATCH.fault(
    "gradient_of_last_sample",
    used="g_n = 0 for every sample but the last",
    wanted="g_n = dC/da_n",
    why="C is made of all samples' losses, and so is its gradient",
    hint="dW, db = backward(x_n, y_n) in a loop, where dW += and db += are meant",
)
class OfLastSample(Backprop):
    def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
        only = super().loss_gradient(a, y, objective).copy()
        only[:-1] = 0
        return only


@BATCH.fault(
    "loss_of_last_sample",
    used="C = what the last sample adds to it",
    wanted="C = reduction of l(a, y)",
    why="C is made of all samples' losses",
    hint="loss = ... in a loop over the samples, where += is meant",
)
class LossOfLastSample(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        if objective.reduction == "none":
            return super().loss_value(a, y, objective)
        return np.asarray(objective.contributions(a, y)[-1])


@BATCH.fault(
    "upstream_averaged_over_batch",
    used="dC/da^l_n = mean over m of delta^{l+1}_m W^{l+1}, the same for every sample",
    wanted="dC/da^l_n = delta^{l+1}_n W^{l+1}",
    why="every sample has an error of its own all the way back; only BP3 and BP4 sum over them",
    hint="delta averaged over the batch before delta @ W",
)
class UpstreamAveraged(Backprop):
    def upstream(self, delta: Array, layer: Layer) -> Array:
        right = super().upstream(delta, layer)
        return np.broadcast_to(right.mean(axis=0), right.shape)


@BATCH.fault(
    "derivative_of_first_sample",
    used="delta_n = g_n * phi'(z_1), of the first sample",
    wanted="delta_n = g_n * phi'(z_n)",
    why="every sample has a z of its own, so its own slope",
    hint="z[0], or the z that is left from the first sample",
)
class DerivativeOfFirstSample(Backprop):
    def activation_derivative(self, z: Array, a: Array, layer: Layer) -> Array:
        return np.broadcast_to(super().activation_derivative(z[:1], a[:1], layer), z.shape)


@BATCH.fault(
    "softmax_normalised_over_everything",
    used="a_no = e^z_no / sum over m and k of e^z_mk",
    wanted="a_no = e^z_no / sum over k of e^z_nk",
    why="the probabilities of one sample's classes sum to 1, whatever the other samples are",
    hint="np.exp(z) / np.sum(np.exp(z)), without axis=1 and keepdims=True",
)
class NormalisedOverEverything(Backprop):
    def activation(self, z: Array, activation: Activation) -> Array:
        if not isinstance(activation, Softmax | Softmin | LogSoftmax):
            return super().activation(z, activation)
        return activation.phi(z.reshape(1, -1)).reshape(z.shape)


@BATCH.fault(
    "targets_of_next_sample",
    used="l(a_n, y_{n+1})",
    wanted="l(a_n, y_n)",
    why="shuffling has to move inputs and targets together",
    hint="np.random.shuffle(x) without y, or y sliced one further than x",
)
class TargetsOfNextSample(Backprop):
    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, *penalty: Any, **options: Any
    ) -> LossAndGradients:
        return super().loss_and_gradients(layers, np.roll(y, -1, axis=0), objective, *penalty, **options)


@BATCH.fault(
    "targets_broadcast",
    used="l(a_n, y_m) over every pair n, m",
    wanted="l(a_n, y_n)",
    why="(N, 1) less (N,) is (N, N) in NumPy: every output meets every target, and only shapes would tell",
    hint="y of shape (N,) against outputs of shape (N, 1): reshape one of them",
)
class TargetsBroadcast(Backprop):
    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, *penalty: Any, **options: Any
    ) -> LossAndGradients:
        loss = objective.loss

        def value(a: Array, y: Array) -> Array:
            return loss.value(*np.broadcast_arrays(a, y.T))

        def gradient(a: Array, y: Array) -> Array:
            return loss.gradient(*np.broadcast_arrays(a, y.T)).sum(axis=1, keepdims=True)

        def mean_divisor(a: Array, y: Array) -> float:
            return loss.mean_divisor(*np.broadcast_arrays(a, y.T))

        if y.ndim == 2 and y.shape[1] == 1:
            objective = loss_instead(objective, value=value, gradient=gradient, mean_divisor=mean_divisor)
        return super().loss_and_gradients(layers, y, objective, *penalty, **options)

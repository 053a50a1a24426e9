"""The penalty got wrong: l1 sum |w| + l2 / 2 sum w^2, in the cost or in its gradient."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from dataclasses import replace

import numpy as np

from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Penalty
from backproof.scratch.arrays import Array

PENALTY = Chapter("penalty", wanted="dC/dw has l1 sign(w) + l2 w besides, divided as the penalty says")
_VALUE = "C has l1 sum |w| + l2 / 2 sum w^2 besides, divided as the penalty says"


@PENALTY.fault(
    "penalty_missing_in_gradient",
    used="dC/dw without l1 sign(w) + l2 w",
    why="what C contains has to be in its gradient too: the penalty pulls every weight towards 0",
    hint="the penalty is added to the loss that is printed, and nowhere to dW",
)
class MissingInGradient(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return np.zeros_like(parameter)


@PENALTY.fault(
    "penalty_missing_in_loss",
    used="C without the penalty",
    wanted=_VALUE,
    why="the gradient holds the penalty's slope, so the cost it belongs to holds the penalty",
    hint="dW += l2 * W, and the loss without it",
)
class MissingInLoss(Backprop):
    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return np.zeros((), parameter.dtype)


@PENALTY.fault(
    "penalty_negated",
    used="dC/dw with -(l1 sign(w) + l2 w)",
    why="the penalty makes large weights dear, so its slope points away from 0 and the step goes towards it",
    hint="dW -= l2 * W",
)
class NegatedInGradient(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return -super().penalty_gradient(parameter, penalty, batch_size)


@PENALTY.fault(
    "penalty_negated_in_loss",
    used="C with -(l1 sum |w| + l2 / 2 sum w^2)",
    wanted=_VALUE,
    why="the penalty makes large weights dear: it is added to the cost",
    hint="loss -= ...",
)
class NegatedInLoss(Backprop):
    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return -super().penalty_value(parameter, penalty, batch_size)


@PENALTY.fault(
    "penalty_on_biases",
    used="dC/db with l1 sign(b) + l2 b",
    wanted="the penalty on the weights alone",
    why="this penalty is on the weights: a bias makes no function steeper, so it is usually left free",
    hint="db += l2 * b beside dW += l2 * W",
)
class OnBiases(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return super().penalty_gradient(parameter, replace(penalty, on_biases=True), batch_size)


@PENALTY.fault(
    "penalty_not_on_biases",
    used="dC/db without l1 sign(b) + l2 b",
    wanted="the penalty on weights and biases",
    why="this penalty is on the biases too, as torch's weight_decay is",
    hint="dW += l2 * W without db += l2 * b",
)
class NotOnBiases(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return super().penalty_gradient(parameter, replace(penalty, on_biases=False), batch_size)


@PENALTY.fault(
    "penalty_on_biases_in_loss",
    used="C with l1 sum |b| + l2 / 2 sum b^2 as well",
    wanted="the penalty on the weights alone",
    why="this penalty is on the weights, and the gradient has it so",
    hint="a sum over all parameters where one over the weights is meant",
)
class OnBiasesInLoss(Backprop):
    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return super().penalty_value(parameter, replace(penalty, on_biases=True), batch_size)


@PENALTY.fault(
    "penalty_doubled",
    used="dC/dw with 2 (l1 sign(w) + l2 w)",
    why="the penalty is 1/2 l2 w^2: its 1/2 cancels the 2 of the derivative",
    hint="dW += 2 * l2 * W",
)
class DoubledInGradient(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return 2 * super().penalty_gradient(parameter, penalty, batch_size)


@PENALTY.fault(
    "penalty_halved",
    used="dC/dw with (l1 sign(w) + l2 w) / 2",
    why="the derivative of 1/2 l2 w^2 is l2 w: the 1/2 is used up",
    hint="dW += l2 / 2 * W",
)
class HalvedInGradient(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return super().penalty_gradient(parameter, penalty, batch_size) / 2


@PENALTY.fault(
    "penalty_doubled_in_loss",
    used="C with 2 (l1 sum |w| + l2 / 2 sum w^2)",
    wanted=_VALUE,
    why="the penalty is 1/2 l2 w^2, so that its slope is l2 w",
    hint="loss += l2 * np.sum(W ** 2), without the 1/2",
)
class DoubledInLoss(Backprop):
    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return 2 * super().penalty_value(parameter, penalty, batch_size)


@PENALTY.fault(
    "penalty_halved_in_loss",
    used="C with (l1 sum |w| + l2 / 2 sum w^2) / 2",
    wanted=_VALUE,
    why="the 1/2 belongs to w^2, once, and not to |w|",
    hint="0.5 * (l1 * np.abs(W).sum() + l2 / 2 * (W ** 2).sum())",
)
class HalvedInLoss(Backprop):
    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return super().penalty_value(parameter, penalty, batch_size) / 2


@PENALTY.fault(
    "penalty_over_batch",
    used="dC/dw with (l1 sign(w) + l2 w) / N",
    why="the penalty says itself whether it is divided by N: it belongs to the network, not to a sample",
    hint="the penalty's slope added before everything is divided by N",
)
class OverBatch(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return super().penalty_gradient(parameter, penalty, batch_size) / batch_size


@PENALTY.fault(
    "penalty_times_batch",
    used="dC/dw with N (l1 sign(w) + l2 w)",
    why="the penalty is in C once, not once for each sample",
    hint="the penalty's slope added inside the loop over the samples, or its division by N forgotten",
)
class TimesBatch(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return batch_size * super().penalty_gradient(parameter, penalty, batch_size)


@PENALTY.fault(
    "penalty_times_batch_in_loss",
    used="C with N (l1 sum |w| + l2 / 2 sum w^2)",
    wanted=_VALUE,
    why="the penalty is in C once, not once for each sample",
    hint="the penalty added inside the loop over the samples, or its division by N forgotten",
)
class TimesBatchInLoss(Backprop):
    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return batch_size * super().penalty_value(parameter, penalty, batch_size)


@PENALTY.fault(
    "penalty_over_batch_in_loss",
    used="C with (l1 sum |w| + l2 / 2 sum w^2) / N",
    wanted=_VALUE,
    why="the penalty says itself whether it is divided by N: it belongs to the network, not to a sample",
    hint="the penalty added before everything is divided by N",
)
class OverBatchInLoss(Backprop):
    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return super().penalty_value(parameter, penalty, batch_size) / batch_size


@PENALTY.fault(
    "penalty_l1_without_sign",
    used="dC/dw with l1 + l2 w",
    why="|w| rises to both sides of 0: its slope is -1 for negative weights",
    hint="dW += l1",
)
class WithoutSign(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        slope = penalty.l1 + penalty.l2 * parameter
        return slope / penalty.divisor(batch_size) if penalty.charges(parameter) else np.zeros_like(parameter)


@PENALTY.fault(
    "penalty_l1_and_l2_exchanged",
    used="dC/dw with l2 sign(w) + l1 w",
    why="l1 is the factor of |w|, whose slope is a sign; l2 is that of w^2 / 2, whose slope is w",
    hint="l1 * W + l2 * np.sign(W)",
)
class Exchanged(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        return super().penalty_gradient(parameter, replace(penalty, l1=penalty.l2, l2=penalty.l1), batch_size)


@PENALTY.fault(
    "penalty_is_value",
    used="dC/dw with l1 |w| + l2 / 2 w^2, the penalty itself",
    why="to the gradient belongs the penalty's slope, not the penalty",
    hint="dW += l2 / 2 * W ** 2",
)
class IsValue(Backprop):
    def penalty_gradient(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        value = penalty.l1 * np.abs(parameter) + penalty.l2 / 2 * np.square(parameter)
        return value / penalty.divisor(batch_size) if penalty.charges(parameter) else np.zeros_like(parameter)


@PENALTY.fault(
    "penalty_of_norm",
    used="C with l1 sum |w| + l2 / 2 sqrt(sum w^2)",
    wanted=_VALUE,
    why="the squares are summed, and no root is taken: the root has another slope than l2 w",
    hint="l2 / 2 * np.linalg.norm(W)",
)
class OfNorm(Backprop):
    def penalty_value(self, parameter: Array, penalty: Penalty, batch_size: int) -> Array:
        if not penalty.charges(parameter):
            return np.zeros((), parameter.dtype)
        total = penalty.l1 * np.abs(parameter).sum() + penalty.l2 / 2 * np.sqrt(np.square(parameter).sum())
        return np.asarray(total / penalty.divisor(batch_size))

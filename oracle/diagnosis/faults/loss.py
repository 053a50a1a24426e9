"""The cost got wrong: its value where the gradient is right, or the targets that both start from."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D101, D102 -- the record above each class says what it gets wrong

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from backproof.diagnosis.faults.factors import FACTORS, Factor
from backproof.diagnosis.faults.fault import Chapter
from backproof.diagnosis.faults.options import probabilities, with_defaults
from backproof.scratch import Backprop, Layer, LossAndGradients
from backproof.scratch.arrays import Array
from backproof.scratch.classification_losses import Bce, BceWithLogits
from backproof.scratch.exponentials import log1p_exp
from backproof.scratch.objective import Objective

LOSS = Chapter("loss", wanted="C = reduction of l(a, y)")

RIGHT_GRADIENT: Final = "; the gradient has it right"
"""What is said of a factor that the loss has alone."""


def _scaled(factor: Factor) -> None:
    @LOSS.fault(
        f"loss_{factor.slug}",
        used=f"C = {factor.text} * reduction of l(a, y)",
        why=f"{factor.why}{RIGHT_GRADIENT}",
        hint=f"the returned loss times {factor.text}",
        family="loss_scaled",
    )
    class Scaled(Backprop):
        def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
            return np.asarray(factor.of(*a.shape) * super().loss_value(a, y, objective))


for _factor in FACTORS:
    _scaled(_factor)


@LOSS.fault(
    "loss_square_root",
    used="C = sqrt(reduction of l(a, y))",
    why="the root of a cost is another cost, with another gradient: the one returned is of the cost without it",
    hint="np.sqrt(np.mean((a - y) ** 2)), or np.linalg.norm(a - y) not squared",
)
class SquareRoot(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        return np.asarray(np.sqrt(super().loss_value(a, y, objective)))


@LOSS.fault(
    "loss_exchanged",
    used="C = reduction of l(y, a)",
    why="outputs and targets are not interchangeable: cross-entropy is -sum y log a, not -sum a log y",
    hint="loss(y, a) called as loss(a, y)",
)
class Exchanged(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        if y.shape != a.shape or y.dtype != a.dtype:
            return super().loss_value(a, y, objective)
        return super().loss_value(y, a, objective)


@LOSS.fault(
    "loss_without_second_term",
    used="l = -y log a",
    wanted="l = -(y log a + (1 - y) log(1 - a))",
    why="a single output stands for two classes: where y is 0, it is 1 - a that has to be large",
    hint="-np.sum(y * np.log(a)), the formula of one-hot targets, used for a single probability",
)
class WithoutSecondTerm(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        if isinstance(objective.loss, Bce):
            losses = -y * np.log(np.maximum(a, np.finfo(a.dtype).tiny))
        elif isinstance(objective.loss, BceWithLogits):
            losses = y * log1p_exp(-a)
        else:
            return super().loss_value(a, y, objective)
        return losses if objective.reduction == "none" else np.asarray(losses.sum() / objective.divisor(a, y))


@LOSS.fault(
    "loss_of_probabilities",
    used="C = reduction of l(softmax(a), y), or of l(sigmoid(a), y)",
    why="a loss on logits applies the softmax or the sigmoid itself: applied before, it is applied twice",
    hint="cross_entropy(softmax(z), y)",
)
class OfProbabilities(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        return super().loss_value(probabilities(a, objective.loss), y, objective)


@LOSS.fault(
    "loss_with_default_options",
    used="C = reduction of l(a, y) with the default delta, margin, weight, ...",
    why="huber with delta 0.5 is not huber with delta 1: the options belong to the loss",
    hint="network.loss_options is not read",
)
class WithDefaults(Backprop):
    def loss_value(self, a: Array, y: Array, objective: Objective) -> Array:
        return super().loss_value(a, y, replace(objective, loss=with_defaults(objective.loss)))


@LOSS.fault(
    "targets_hardened",
    used="y = one-hot of argmax y",
    wanted="y as it is given",
    why="a target may be a distribution over the classes: its largest entry is not all that it says",
    hint="y.argmax(axis=1) before the loss",
)
class Hardened(Backprop):
    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, *penalty: Any, **options: Any
    ) -> LossAndGradients:
        if objective.loss.target_kind(y) == "distribution":
            y = (np.arange(y.shape[1]) == y.argmax(axis=1)[:, None]).astype(y.dtype)
        return super().loss_and_gradients(layers, y, objective, *penalty, **options)


@LOSS.fault(
    "labels_off_by_one",
    used="class y - 1 for class y; the last class for class 0",
    wanted="class y, counted from 0",
    why="classes are counted from 0 in the outputs, so a label is the index of its output",
    hint="y - 1 for labels that begin at 0: the index -1 is the last class and raises nothing",
)
class OffByOne(Backprop):
    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, *penalty: Any, **options: Any
    ) -> LossAndGradients:
        kind, outputs = objective.loss.target_kind(y), layers[-1].a.shape[1]
        if kind == "class":
            y = np.where((y >= 0) & (y < outputs), (y - 1) % outputs, y)
        elif kind == "distribution":
            y = np.roll(y, -1, axis=1)
        return super().loss_and_gradients(layers, y, objective, *penalty, **options)


@LOSS.fault(
    "labels_zero_for_minus_one",
    used="y = 0 where y = -1 is meant",
    wanted="y = -1 or 1",
    why="a margin multiplies by y: with 0 the other class has no say at all",
    hint="labels 0 and 1 handed to a loss that wants -1 and 1, or (y > 0).astype(float)",
)
class ZeroForMinusOne(Backprop):
    def loss_and_gradients(
        self, layers: Sequence[Layer], y: Array, objective: Objective, *penalty: Any, **options: Any
    ) -> LossAndGradients:
        if objective.loss.targets == "sign":
            y = np.maximum(y, 0)
        return super().loss_and_gradients(layers, y, objective, *penalty, **options)

"""The scale got wrong: every gradient is the right one times a constant, and the loss is right or has it too."""
# To NumPy's own types a ufunc on an array of any dtype returns Any.
# mypy: disable-error-code="no-any-return"

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backproof.diagnosis.faults.factors import FACTORS, Factor
from backproof.diagnosis.faults.fault import Chapter
from backproof.scratch import Backprop, Layer, LossAndGradients
from backproof.scratch.arrays import Array
from backproof.scratch.objective import Objective

SCALE = Chapter("scale", wanted="g = dC/da")


def _scaled(factor: Factor) -> None:
    @SCALE.fault(
        f"gradient_{factor.slug}",
        used=f"g = {factor.text} * dC/da",
        why=factor.why,
        hint="y - a where a - y is meant" if factor.slug == "negated" else f"the first delta times {factor.text}",
        family="gradient_scaled",
    )
    class Scaled(Backprop):
        def loss_gradient(self, a: Array, y: Array, objective: Objective) -> Array:
            return factor.of(*a.shape) * super().loss_gradient(a, y, objective)


for _factor in FACTORS:
    _scaled(_factor)


def _reduced(reduction: str, formula: str) -> None:
    @SCALE.fault(
        f"reduction_always_{reduction}",
        used=f"C = {formula}, where another reduction was asked for",
        wanted="C = sum of l / D: 1 for sum, N for batchmean; by the loss N, N O or the class weights for mean",
        why="loss and gradient fit each other, but are those of another reduction: its divisor is in both of them",
        hint={
            "sum": "np.sum of the losses, network.reduction not read",
            "mean": "np.mean of the losses, network.reduction not read",
            "batchmean": "/ len(x), where the loss is averaged over N O numbers, or over the targets' class weights",
        }[reduction],
        family="reduction_always",
    )
    class Reduced(Backprop):
        def loss_and_gradients(
            self, layers: Sequence[Layer], y: Array, objective: Objective, *penalty: Any, **options: Any
        ) -> LossAndGradients:
            if objective.reduction != "none":
                objective = replace(objective, reduction=reduction)
            return super().loss_and_gradients(layers, y, objective, *penalty, **options)


_reduced("sum", "sum of l")
_reduced("mean", "mean of l")
_reduced("batchmean", "sum of l / N")

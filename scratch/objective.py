"""What a loss is, and how a reduction turns the losses of a batch into the cost C.

`a` is the network's output (N, O), `y` the targets. A loss states its unreduced values, (N, O) or (N,), and their derivative by a,
(N, O). The reduction weights them: with l_n the unreduced losses,

    C = sum_n l_n / divisor           sum: 1    batchmean: N    mean: the loss's own, see MEAN_DIVIDES_BY
    C = <upstream, l>                 none: the losses stay unreduced, and `upstream` is the dC/dl they are weighted with
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from backproof.scratch.activations import ANY
from backproof.scratch.arrays import Array

REDUCTIONS = ("none", "sum", "mean", "batchmean")

# What `mean` divides the sum of the losses by; torch's own choice, which differs by loss.
ENTRIES, SAMPLES, CLASS_WEIGHTS = "N * O", "N", "sum of the class weights of the targets that are not ignored"


class Loss:
    """One loss: unreduced values, their derivative by the outputs, and what `mean` divides by.

    targets: the kind of y it takes (requirements.TARGETS). expects: what the outputs must be. per_sample: values are (N,), else (N, O).
    arrays: which options are arrays, and their shape in letters (`O`, or `N, O`).
    """

    targets: ClassVar[str] = "real"
    expects: ClassVar[str] = ANY
    per_sample: ClassVar[bool] = False
    mean_divides_by: ClassVar[str] = ENTRIES
    arrays: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def value(self, a: Array, y: Array) -> Array:
        """The unreduced losses, (N,) if per_sample, else (N, O)."""
        raise NotImplementedError

    def gradient(self, a: Array, y: Array) -> Array:
        """The derivative of each unreduced loss by its outputs, (N, O)."""
        raise NotImplementedError

    def target_kind(self, y: Array) -> str:
        """The kind of target that y must be: `targets`, unless an option or y itself decides."""
        return self.targets

    def expected_output(self) -> str:
        """What the network's outputs must be: `expects`, unless an option decides."""
        return self.expects

    def counted(self, y: Array) -> Array | None:
        """Which samples count, (N,) booleans; None if all do."""
        return None

    def mean_divisor(self, a: Array, y: Array) -> float:
        """What `mean` divides the sum of the losses by."""
        return float(a.size if self.mean_divides_by == ENTRIES else len(a))


@dataclass(frozen=True, eq=False)
class Objective:
    """A loss with its reduction; upstream, dC/dl, stands for `none` alone."""

    loss: Loss
    reduction: str
    upstream: Array | None = None

    def divisor(self, a: Array, y: Array) -> float:
        """What the reduction divides the sum of the losses by; 1 for `none`, where nothing is divided."""
        if self.reduction == "mean":
            return self.loss.mean_divisor(a, y)
        return float(len(a)) if self.reduction == "batchmean" else 1.0

    def weights(self, a: Array, y: Array) -> Array | float:
        """dC/dl, the weight of each unreduced loss in C, to be multiplied with an (N, O) array.

        An ignored target has the weight 0 even where the divisor is 0 since all are: the mean is then 0/0 = NaN, and depends on nothing.
        """
        if self.upstream is not None:
            return self.upstream[:, None] if self.loss.per_sample else self.upstream
        divisor = self.divisor(a, y)
        weight = 1 / divisor if divisor else math.inf
        counted = self.loss.counted(y)
        return weight if counted is None else np.where(counted, a.dtype.type(weight), a.dtype.type(0))[:, None]

    def value(self, a: Array, y: Array) -> Array:
        """C, a 0-d array; for `none` the unreduced losses."""
        losses = self.loss.value(a, y)
        if self.reduction == "none":
            return losses
        return np.asarray(losses.sum() / a.dtype.type(self.divisor(a, y)))

    def contributions(self, a: Array, y: Array) -> Array:
        """What each sample adds to C, (N,)."""
        losses = self.loss.value(a, y)
        if self.upstream is not None:
            losses = losses * self.upstream
        else:
            losses = losses / a.dtype.type(self.divisor(a, y))
        return losses if self.loss.per_sample else np.asarray(losses.sum(axis=1))

    def differential(self, a: Array, y: Array, da: Array) -> Array:
        """The change of C when a changes by da; under the reduction none that of each unreduced loss."""
        changes = self.loss.gradient(a, y) * da
        if self.reduction != "none":
            return np.asarray((changes * self.weights(a, y)).sum())
        return np.asarray(changes.sum(axis=1)) if self.loss.per_sample else changes

"""What a loss is, and how a reduction turns the losses of a batch into the cost C.

a is the network's output (N, O), y the targets. A loss states its unreduced values l, (N, O) or (N,), and their
derivative by a, (N, O). The reduction weights them:

    sum         C = sum l
    batchmean   C = sum l / N
    mean        C = sum l / what the loss's mean_divides_by says: torch's own divisor, which differs by loss
    none        the losses stay as they are; derivatives are those of C = <upstream, l>
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np

from backproof.scratch.activation import ANY
from backproof.scratch.arrays import Array

REDUCTIONS = ("none", "sum", "mean", "batchmean")

# What `mean` divides the sum of the losses by.
ENTRIES, SAMPLES, CLASS_WEIGHTS = "N * O", "N", "sum of the class weights of the targets that are not ignored"


class Loss(ABC):
    """One loss: unreduced values, their derivative by the outputs, and what `mean` divides by.

    targets: the kind of y that it takes (requirements.TARGETS). expects: what the outputs must be. per_sample:
    whether the values are (N,), not (N, O). arrays: which options are arrays, with their shape in letters.
    """

    targets: ClassVar[str] = "real"
    expects: ClassVar[str] = ANY
    per_sample: ClassVar[bool] = False
    mean_divides_by: ClassVar[str] = ENTRIES
    arrays: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @abstractmethod
    def value(self, a: Array, y: Array) -> Array:
        """The unreduced losses, (N,) if per_sample, else (N, O)."""
        ...

    @abstractmethod
    def gradient(self, a: Array, y: Array) -> Array:
        """The derivative of each unreduced loss by its outputs, (N, O)."""
        ...

    def at(self, a: Array, y: Array) -> Self:
        """The same loss, to be asked about one batch: there it computes once what its value and gradient share."""
        return self

    def target_kind(self, y: Array) -> str:
        """The kind of target that y must be: `targets`, unless an option or y itself decides."""
        return self.targets

    def expected_output(self) -> str:
        """What the network's outputs must be: `expects`, unless an option decides."""
        return self.expects

    def any_counts(self, y: Array) -> bool:
        """Whether the cost depends on any sample: not on an empty batch, nor where every target is ignored."""
        return len(y) > 0

    def mean_divisor(self, a: Array, y: Array) -> float:
        """What `mean` divides the sum of the losses by."""
        return float(a.size if self.mean_divides_by == ENTRIES else len(a))


@dataclass(frozen=True, eq=False)
class Objective:
    """A loss with its reduction; upstream, dC/dl, stands for `none` alone."""

    loss: Loss
    reduction: str
    upstream: Array | None = None

    def at(self, a: Array, y: Array) -> "Objective":
        """The same objective, of the loss at one batch; a and y must stay as they are."""
        loss = self.loss.at(a, y)
        return self if loss is self.loss else Objective(loss, self.reduction, self.upstream)

    def divisor(self, a: Array, y: Array) -> float:
        """What the reduction divides the sum of the losses by; 1 for `none`, where nothing is divided."""
        if self.reduction == "mean":
            return self.loss.mean_divisor(a, y)
        return float(len(a)) if self.reduction == "batchmean" else 1.0

    def weights(self, a: Array, y: Array) -> Array | float:
        """dC/dl, the weight of each unreduced loss in C, to be multiplied with an (N, O) array.

        Where the divisor is 0, the mean is 0/0 = NaN, and so is the weight, unless C depends on no sample: then it is
        0, as in PyTorch.
        """
        if self.upstream is not None:
            return self.upstream[:, None] if self.loss.per_sample else self.upstream
        divisor = self.divisor(a, y)
        if divisor:
            return 1 / divisor
        return math.nan if self.loss.any_counts(y) else 0.0

    def value(self, a: Array, y: Array) -> Array:
        """C, a 0-d array; for `none` the unreduced losses."""
        losses = self.loss.value(a, y)
        if self.reduction == "none":
            return losses
        return np.asarray(losses.sum() / a.dtype.type(self.divisor(a, y)))

    def contributions(self, a: Array, y: Array) -> Array:
        """What each sample adds to C, (N,)."""
        losses = self.loss.value(a, y)
        losses = losses / a.dtype.type(self.divisor(a, y)) if self.upstream is None else losses * self.upstream
        return losses if self.loss.per_sample else np.asarray(losses.sum(axis=1))

    def differential(self, a: Array, y: Array, da: Array) -> Array:
        """The change of C when a changes by da; under the reduction none that of each unreduced loss."""
        changes = self.loss.gradient(a, y) * da
        if self.reduction != "none":
            return np.asarray((changes * self.weights(a, y)).sum())
        return np.asarray(changes.sum(axis=1)) if self.loss.per_sample else changes

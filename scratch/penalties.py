"""A penalty on large parameters, which is part of the cost."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from backproof.scratch.arrays import Array
from backproof.scratch.options import require_finite_number, require_flag, require_name, require_option


class PenaltyLike(Protocol):
    """Anything with the fields of a Penalty."""

    @property
    def l1(self) -> float:
        """The factor of sum |w|."""
        ...

    @property
    def l2(self) -> float:
        """The factor of sum w^2 / 2."""
        ...

    @property
    def on_biases(self) -> bool:
        """Whether biases are charged too."""
        ...

    @property
    def divided_by(self) -> Literal["nothing", "N"]:
        """Whether it is a share of each sample's cost."""
        ...


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """l1 sum |w| + l2/2 sum w^2 over the weights, and over the biases too if on_biases; divided by nothing or by N.

    The derivative by w is l1 sign(w) + l2 w, with sign(0) = 0: the 1/2 makes l2 what torch calls weight_decay.
    """

    l1: float
    l2: float
    on_biases: bool
    divided_by: Literal["nothing", "N"]

    def __post_init__(self) -> None:
        for name in ("l1", "l2"):
            factor = require_finite_number("penalty", name, getattr(self, name))
            require_option(factor >= 0, "penalty", name, factor, "at least 0")
            object.__setattr__(self, name, factor)
        object.__setattr__(self, "on_biases", require_flag("penalty", "on_biases", self.on_biases))
        require_name(self.divided_by, ("nothing", "N"), "penalty, divided_by")

    @classmethod
    def like(cls, other: PenaltyLike) -> "Penalty":
        """The Penalty with the fields of another object."""
        return cls(l1=other.l1, l2=other.l2, on_biases=other.on_biases, divided_by=other.divided_by)

    def divisor(self, batch_size: int) -> int:
        """N, or 1 if it is divided by nothing."""
        return batch_size if self.divided_by == "N" else 1

    def charges(self, parameter: Array) -> bool:
        """Whether the penalty is on this parameter: a weight is a matrix, a bias a vector."""
        return self.on_biases or parameter.ndim == 2

    def value(self, parameter: Array, batch_size: int) -> Array:
        """What one parameter adds to C, 0-d."""
        if not self.charges(parameter):
            return np.zeros((), parameter.dtype)
        total = self.l1 * np.abs(parameter).sum() + self.l2 / 2 * np.square(parameter).sum()
        return np.asarray(total / self.divisor(batch_size))

    def gradient(self, parameter: Array, batch_size: int) -> Array:
        """What that adds to dC/d(parameter), in its shape."""
        if not self.charges(parameter):
            return np.zeros_like(parameter)
        return (self.l1 * np.sign(parameter) + self.l2 * parameter) / self.divisor(batch_size)

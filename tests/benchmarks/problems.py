"""What is computed: networks from 3-4-2 to 2048-2048-2048, and everything a contender may want to know of one.

Hidden layers are sigmoids and the last one is the identity, below mse or below cross_entropy on class indices: the
regression and the classifier that every contender can state in its own words. Arrays are the project's random cases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.cases import Case, Direction, build_case, draw_direction
from backproof.cases.spec import NetworkSpec

Array = NDArray[Any]


@dataclass(frozen=True)
class Size:
    """Widths n0-...-nL, the batch size N, and how many rounds are measured.

    brief: the losses with which only scratch, PyTorch eager and the floor run, since a round takes long.
    """

    widths: str
    batch_size: int
    rounds: int
    brief: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """`784-30-10,n10`."""
        return f"{self.widths},n{self.batch_size}"


SIZES: Final = (
    Size("3-4-2", 4, rounds=30),
    Size("784-30-10", 10, rounds=30),
    Size("64-128-64-10", 64, rounds=30),
    Size("784-512-512-10", 128, rounds=20),
    Size("2048-2048-2048", 512, rounds=4, brief=("cross_entropy",)),
)
LOSSES: Final = ("mse", "cross_entropy")
DTYPES: Final = ("float64", "float32")
PER_SAMPLE_BYTES: Final = 2**28
"""Gradients of single samples are not measured where one answer takes more memory than this."""

_SHORT: Final = {"float64": "f64", "float32": "f32"}


@dataclass(frozen=True)
class Problem:
    """One network with its batch and its loss, in one dtype."""

    size: Size
    loss: str
    dtype: str
    seed: int = 0

    @property
    def id(self) -> str:
        """`784-30-10,n10,mse,float64`."""
        return f"{self.size.id},{self.loss},{self.dtype}"

    @property
    def brief(self) -> bool:
        """Whether only those run whose numbers the targets are about."""
        return self.loss in self.size.brief

    @cached_property
    def case(self) -> Case:
        """Its arrays: read-only, the same on every machine."""
        hidden = ["sigmoid"] * (self.size.widths.count("-") - 1)
        fields = (
            self.size.widths,
            "-".join([*hidden, "identity"]),
            self.loss,
            "mean",
            f"n{self.size.batch_size}",
            _SHORT[self.dtype],
            "normal",
            f"s{self.seed}",
        )
        return build_case(NetworkSpec.parse(",".join(fields)))

    @cached_property
    def direction(self) -> Direction:
        """Along what the change of C is taken."""
        return draw_direction(self.case)

    @cached_property
    def weights(self) -> list[Array]:
        """(O, I) each, copies that may be written to."""
        return [weight.copy() for weight in self.case.weights]

    @cached_property
    def biases(self) -> list[Array]:
        """(O,) each: every layer has one."""
        return [bias.copy() for bias in self.case.biases if bias is not None]

    @cached_property
    def x(self) -> Array:
        """(N, I)."""
        return self.case.x.copy()

    @cached_property
    def y(self) -> Array:
        """What is wanted: (N, O), or below cross_entropy class indices (N,)."""
        return self.case.y.copy()

    @property
    def outputs(self) -> int:
        """O of the last layer."""
        return self.case.spec.outputs

    @cached_property
    def one_hot(self) -> Array:
        """Class indices as rows of 0 and 1, (N, O), in the problem's dtype."""
        return np.eye(self.outputs, dtype=self.dtype)[self.y]

    @property
    def per_sample_bytes(self) -> int:
        """What the gradients of single samples take."""
        entries = sum((inputs + 1) * outputs for inputs, outputs in pairwise(map(int, self.size.widths.split("-"))))
        return entries * self.size.batch_size * np.dtype(self.dtype).itemsize

    @property
    def in_float64(self) -> Case:
        """The same numbers in float64: what scratch is asked for the numbers that the others are held to."""

        def wider(array: Array) -> Array:
            return array.astype(np.float64) if array.dtype.kind == "f" else array

        case = self.case
        return replace(
            case,
            spec=replace(case.spec, dtype="float64"),
            weights=tuple(map(wider, case.weights)),
            biases=tuple(None if bias is None else wider(bias) for bias in case.biases),
            x=wider(case.x),
            y=wider(case.y),
        )


def problems() -> list[Problem]:
    """Every size with every loss in every dtype."""
    return [Problem(size, loss, dtype) for size in SIZES for loss in LOSSES for dtype in DTYPES]

"""The record of one departure of PyTorch from the mathematics of its own forward pass, and how a case meets it.

Index legend: `N` batch, `O` outputs, `z` preactivations and `a` outputs of a layer, `y` targets. Every condition looks
at a `Rounded`: values from a forward pass in float64, and how far rounding in the judged arithmetic may move them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from backproof.cases.case import Case
from backproof.truth.arithmetic import Arithmetic, Array, Rounded
from backproof.truth.rounding import both_ways

Concern = Literal["value", "gradient", "both"]
Options = Mapping[str, Any]
Mask = Any
"""A boolean array; NumPy's comparisons of arrays of any dtype are typed as Any."""
AtLayer = Callable[[Rounded, Options, Arithmetic], Mask]
AtSlope = Callable[[Rounded, Rounded, Options, Arithmetic], Mask]
AtOutput = Callable[[Rounded, Array, Options, Arithmetic], Mask]


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One departure: what PyTorch does, where, how much, since when.

    name: what it does, in words that a note can carry. what: the activation, or the losses, as ids spell them. where:
    the condition in words. concerns: whether the value departs, the gradient, or both. since: the versions known to
    have it; sources: where that is told. dtypes: of the arithmetic that departs. leaves_bound: whether it goes beyond
    what every textbook form keeps to; if not, digits are lost that another form would keep, and no verdict needs it.

    The condition as code is a mask over the entries, True where one may meet the row: at_layer(z, options, arithmetic),
    of shape (N, O) or (N, 1), for an activation; at_slope(z, s, options, arithmetic) where the slope departs by what
    flows in, s = dC/da; at_output(a, y, options, arithmetic) for a loss. The others are None.
    """

    name: str
    what: tuple[str, ...]
    where: str
    concerns: Concern
    how_much: str
    since: str
    sources: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float64", "float32")
    leaves_bound: bool = True
    at_layer: AtLayer | None = None
    at_slope: AtSlope | None = None
    at_output: AtOutput | None = None

    def applies(
        self, case: Case, *, dtype: str = "float64", quantity: str | None = None, layer: int | None = None
    ) -> bool:
        """Whether arithmetic in `dtype` on this case meets the row and, where a quantity is given, can bring it there.

        dtype: of the arithmetic that departs. The reference's is float64 whatever the case's own is; that of PyTorch as
        a candidate is the case's. quantity, layer: as in a check: "loss", "delta", "bias", "weight", "input".
        """
        if dtype not in self.dtypes or not self._reaches(quantity):
            return False
        spec, arithmetic = case.spec, Arithmetic.of(dtype)
        if self.at_output is not None:
            if spec.loss.name not in self.names:
                return False
            a = _known(both_ways(case, arithmetic).layers[-1].outputs)
            with np.errstate(all="ignore"):
                return bool(np.any(self.at_output(a, case.y, case.loss_options, arithmetic)))
        # An error in phi enters every quantity; one in phi' of layer l flows back from there, to layers up to l.
        first = layer or 1 if self.concerns == "gradient" else 1
        return any(
            self._at(number, case, arithmetic)
            for number, formula in enumerate(spec.activations, 1)
            if number >= first and formula.name in self.names
        )

    @cached_property
    def names(self) -> frozenset[str]:
        """The activations or losses of `what`, without parameters."""
        return frozenset(name.partition("=")[0] for name in self.what)

    def _at(self, number: int, case: Case, arithmetic: Arithmetic) -> bool:
        """Whether some preactivation of a layer meets the row."""
        passes, options = both_ways(case, arithmetic), case.spec.activations[number - 1].options
        mask = self.mask(passes.layers[number - 1].z, passes.upstreams[number], options, arithmetic)
        return bool(np.any(mask))

    def mask(self, z: Rounded, s: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
        """True where z of an activation, with s = dC/da flowing in, may meet the row."""
        with np.errstate(all="ignore"):
            if self.at_slope is not None:
                return self.at_slope(_known(z), _known(s), options, arithmetic)
            return self.at_layer is not None and self.at_layer(_known(z), options, arithmetic)

    def _reaches(self, quantity: str | None) -> bool:
        """A wrong gradient never reaches the loss, and a wrong value of the loss nothing else."""
        if quantity is None or self.concerns == "both":
            return True
        if self.concerns == "gradient":
            return quantity != "loss"
        return quantity == "loss" or self.at_layer is not None


def _known(numbers: Rounded) -> Rounded:
    """With an infinite error where the bound has none (after an overflow): such an entry may meet any row."""
    return Rounded(numbers.value, np.where(np.isnan(numbers.error), np.inf, numbers.error))

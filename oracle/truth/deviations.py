"""PyTorch's own departures from the mathematics of its own forward pass: what, where, how much, since when.

Where exact arithmetic shows that the reference is wrong, the comparison names the row that the case meets. A row says
where PyTorch leaves the bound that every textbook form keeps (`leaves_bound`), or where it stays inside that bound and
yet loses digits that another form would keep. DEVIATIONS.md is the page about them, and
tests/truth/sweep_deviations.py finds them anew.

Index legend: `N` batch, `O` outputs, `z` preactivations and `a` outputs of a layer, `y` targets. Every condition looks
at a `Rounded`: values from a forward pass in float64, and how far rounding in the judged arithmetic may move them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from backproof.cases.case import Case
from backproof.truth.arithmetic import Arithmetic, Array, Rounded
from backproof.truth.rounding import Layer, forward, parameters_of

VERSION: Final = "2.13.0"
"""The version of PyTorch on which every row was measured; tests/truth/test_deviations.py measures them again."""

Concern = Literal["value", "gradient", "both"]
Options = Mapping[str, Any]
AtLayer = Callable[[Rounded, Options, Arithmetic], bool]
AtOutput = Callable[[Rounded, Array, Options, Arithmetic], bool]


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One departure.

    what: the activation or loss, as ids spell it. where: the condition in words. concerns: whether the value departs,
    the gradient, or both. dtypes: of the arithmetic that departs. since: the versions that are known to have it, and
    `source` where that is told. at_layer(z, options, arithmetic) or at_output(a, y, options, arithmetic) is the
    condition as code; the other is None.
    """

    name: str
    what: str
    where: str
    concerns: Concern
    how_much: str
    since: str
    source: str = ""
    dtypes: tuple[str, ...] = ("float64", "float32")
    leaves_bound: bool = True
    at_layer: AtLayer | None = None
    at_output: AtOutput | None = None

    def applies(
        self, case: Case, *, dtype: str = "float64", quantity: str | None = None, layer: int | None = None
    ) -> bool:
        """Whether arithmetic in `dtype` on this case meets the row, and, where a quantity is given, can reach it.

        dtype: of the arithmetic that departs. The reference's is float64 whatever the case's own is; that of the
        candidate `torch` is the case's. quantity, layer: as in a check, "loss", "delta", "bias", "weight" or "input".
        """
        spec = case.spec
        if dtype not in self.dtypes or self.what not in {spec.loss.name, *(own.name for own in spec.activations)}:
            return False
        return self._met(case, _layers(case, dtype), Arithmetic.of(dtype), quantity, layer)

    def _met(
        self, case: Case, layers: list[Layer], arithmetic: Arithmetic, quantity: str | None, position: int | None
    ) -> bool:
        """An error in the loss' value reaches the loss alone, one in its gradient all but the loss.

        One in phi reaches everything, for a enters every quantity; one in phi' of layer l what flows back from there.
        """
        spec = case.spec
        with np.errstate(all="ignore"):
            if self.at_output is not None:
                wanted = "gradient" if quantity != "loss" else "value"
                if quantity is not None and self.concerns not in (wanted, "both"):
                    return False
                return self.at_output(layers[-1].outputs, case.y, case.loss_options, arithmetic)
            if self.concerns == "gradient" and quantity == "loss":
                return False
            last = 1 if self.concerns != "gradient" or position is None else position
            return self.at_layer is not None and any(
                formula.name == self.what and self.at_layer(layers[at].z, formula.options, arithmetic)
                for at, formula in enumerate(spec.activations)
                if at + 1 >= last
            )


def met(
    case: Case, *, dtype: str = "float64", quantity: str | None = None, layer: int | None = None
) -> Iterator[Deviation]:
    """The rows that leave the bound and that this case meets, in the order of DEVIATIONS; see `Deviation.applies`."""
    for row in DEVIATIONS:
        if row.leaves_bound and row.applies(case, dtype=dtype, quantity=quantity, layer=layer):
            yield row


def _layers(case: Case, dtype: str) -> list[Layer]:
    """The forward pass in float64, with the errors of arithmetic in `dtype`."""
    with np.errstate(all="ignore"):
        return forward(case, parameters_of(case), Arithmetic.of(dtype))


def _between(low: float, high: float) -> AtLayer:
    return lambda z, options, arithmetic: bool(((z.value + z.error >= low) & (z.value - z.error <= high)).any())


def _gelu_square_overflows(z: Rounded, options: Options, arithmetic: Arithmetic) -> bool:
    return options["approximate"] == "tanh" and bool((z.magnitude > math.sqrt(arithmetic.largest)).any())


def _hardswish_overflows(z: Rounded, options: Options, arithmetic: Arithmetic) -> bool:
    return bool((z.value + z.error > arithmetic.largest / 6.0).any())


def _celu_rounds(z: Rounded, options: Options, arithmetic: Arithmetic) -> bool:
    inverse = 1.0 / float(options["alpha"])
    return float(np.float32(inverse)) != inverse and bool((z.value - z.error <= 0.0).any())


def _softplus_is_linear(z: Rounded, options: Options, arithmetic: Arithmetic) -> bool:
    beta, threshold = float(options["beta"]), float(options["threshold"])
    return bool((beta * (z.value + z.error) >= threshold).any())


def _smallest_product(p: Rounded) -> Array:
    """The least p (1 - p) within reach of the errors."""
    low, high = np.maximum(p.value - p.error, 0.0), np.maximum(1.0 - p.value - p.error, 0.0)
    product: Array = low * high
    return product


def _bce_slope_is_clamped(p: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> bool:
    return bool((_smallest_product(p) < 1e-12).any())


def _bce_value_is_clamped(p: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> bool:
    tiny = math.exp(-100.0)
    return bool((((p.value - p.error < tiny) & (y > 0.0)) | ((1.0 - p.value - p.error < tiny) & (y < 1.0))).any())


def _soft_margin_overflows(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> bool:
    return bool((a.error - y * a.value > math.log(arithmetic.largest)).any())


DEVIATIONS: Final = (
    Deviation(
        name="hardsigmoid: its slope in float64 is float32(1/6)",
        what="hardsigmoid",
        where="-3 < z < 3",
        concerns="gradient",
        how_much="relative 3.0e-8",
        since="2.13 or before",
        dtypes=("float64",),
        at_layer=_between(-3.0, 3.0),
    ),
    Deviation(
        name="celu: its slope in float64 takes 1/alpha in float32",
        what="celu",
        where="z <= 0, 1/alpha no float32 number",
        concerns="gradient",
        how_much="relative up to 6e-8 |z|/alpha",
        since="2.13 or before",
        dtypes=("float64",),
        at_layer=_celu_rounds,
    ),
    Deviation(
        name="gelu=tanh: its slope is NaN where z^2 overflows",
        what="gelu",
        where="|z| > sqrt(largest): 1.8e19 in float32, 1.3e154 in float64; approximate = tanh",
        concerns="gradient",
        how_much="NaN for 0 or 1",
        since="2.13 or before",
        at_layer=_gelu_square_overflows,
    ),
    Deviation(
        name="hardswish: infinite where 6z overflows",
        what="hardswish",
        where="z > largest/6: 5.7e37 in float32, 3.0e307 in float64",
        concerns="value",
        how_much="inf for z",
        since="2.13 or before",
        at_layer=_hardswish_overflows,
    ),
    Deviation(
        name="bce: p (1 - p) clamped at 1e-12 in the gradient",
        what="bce",
        where="p (1 - p) < 1e-12",
        concerns="gradient",
        how_much="by the factor p (1 - p)/1e-12: all of it",
        since="1.12 or before",
        source="https://github.com/pytorch/pytorch/issues/103316",
        at_output=_bce_slope_is_clamped,
    ),
    Deviation(
        name="bce: log p clamped at -100 in the value",
        what="bce",
        where="p < exp(-100) = 3.7e-44 with y > 0",
        concerns="value",
        how_much="100 y for -y log p, which float64 takes to 745 y",
        since="1.12 or before",
        source="https://github.com/pytorch/pytorch/issues/103316",
        at_output=_bce_value_is_clamped,
    ),
    Deviation(
        name="soft_margin: exp(-y a) overflows",
        what="soft_margin",
        where="-y a > log(largest): 88.7 in float32, 709.8 in float64",
        concerns="both",
        how_much="inf for -y a in the value, NaN for -y in the gradient",
        since="2.13 or before",
        at_output=_soft_margin_overflows,
    ),
    Deviation(
        name="softplus: linear beyond its threshold",
        what="softplus",
        where="beta z > threshold (20)",
        concerns="both",
        how_much="log1p(exp(-20))/beta = 2.1e-9/beta at the threshold, and less beyond",
        since="always, and documented",
        leaves_bound=False,
        at_layer=_softplus_is_linear,
    ),
)
"""Every known row. Those with `leaves_bound` False are on the page, but no verdict ever needs them."""

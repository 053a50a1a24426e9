"""Why a bound cannot decide: one word for each `undecided`.

The word is found by experiment on the bound itself. Two causes can be taken away: if the bound decides once no kink
is within reach, or once nothing underflows, that was it. The others are stages of the route on which error / value
grows; the one on which it grows most is named. A word explains a verdict and never changes one.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, log
from types import MappingProxyType
from typing import Final

import numpy as np

from backproof.cases.case import Case
from backproof.cases.gradients import Gradients
from backproof.truth.arithmetic import Arithmetic, Array, Rounded
from backproof.truth.rounding import both_ways

KINK = "kink"
UNDERFLOW = "underflow"
SATURATION = "saturation"
CANCELLATION = "cancellation"
DEPTH = "depth"

REASONS = {
    KINK: "rounding alone may carry a preactivation across a point where the derivative jumps",
    UNDERFLOW: "the numbers are so small that the dtype holds few of their digits, or none",
    SATURATION: "a slope or a probability is smaller than its own rounding error",
    CANCELLATION: "terms that are much larger than their sum cancel",
    DEPTH: "rounding errors may have grown through the layers until they are as large as the result",
}

SHOWN: Final = MappingProxyType({"float64": 2.0**-30, "float32": 2.0**-12})
"""The share of a quantity's largest entry below which a bound leaves no error unseen that matters.

What must show is an error of eps = 0.0005 in the largest entry, g. The right one lies within the bound B of the
reference r, so that a wrong (1 + eps) g is at least eps |g| - B >= eps (|r| - B) - B from it. That is more than B, and
shows, if B < |r| eps / (2 + eps) = 2.4994e-4 |r|, for which 2^-12 = 2.4414e-4 is room enough. float64 has the digits
for much more: nearly every bound is below 2^-30, by which an error of 2^-29 shows.
"""


def reason(arithmetic: Arithmetic, case: Case, quantity: str, layer: int | None, size: float) -> str:
    """The cause, one of REASONS, for which the bound on a quantity of `case` is not below `size`, its largest entry."""
    with np.errstate(all="ignore"):
        if decides(_largest(case, replace(arithmetic, kinks="none"), quantity, layer), size):
            return KINK
        dry = replace(arithmetic, smallest=0.0)
        if decides(_largest(case, dry, quantity, layer), size) or 0.0 < size < arithmetic.smallest / arithmetic.unit:
            return UNDERFLOW
        return _steepest(case, arithmetic, quantity, layer, size)


def decides(largest_bound: float, size: float) -> bool:
    """Whether a bound can bless: it is smaller than the quantity's own largest entry, or zero (exact zeros)."""
    return largest_bound < size or largest_bound == 0.0


def shows(largest_bound: float, size: float, dtype: str) -> bool:
    """Whether an error that matters would exceed a bound in arithmetic of `dtype`: see SHOWN."""
    return decides(largest_bound, SHOWN[dtype] * size)


def hides(largest_bound: float, largest_error: float, size: float, dtype: str) -> bool:
    """Whether an error that matters may be unseen: the bound is too wide to show it, and the numbers differ enough.

    Numbers within SHOWN / 4 of the reference's largest entry hide none: rounding would have to take away seven eighths
    of the error that must show, and no more than nine, in that very entry. Numbers that are farther off may be all
    rounding, or not; single samples tell.
    """
    return not shows(largest_bound, size, dtype) and not decides(largest_error, 0.25 * SHOWN[dtype] * size)


def _largest(case: Case, arithmetic: Arithmetic, quantity: str, layer: int | None) -> float:
    return float(np.max(entry(both_ways(case, arithmetic).errors, quantity, layer)))


def entry(gradients: Gradients, quantity: str, layer: int | None) -> Array:
    """The array of one quantity; LookupError where there is none."""
    if layer is None:
        found = gradients.loss if quantity == "loss" else gradients.inputs
    else:
        arrays = {"weight": gradients.weights, "bias": gradients.biases, "delta": gradients.deltas}[quantity]
        found = None if arrays is None else arrays[layer - 1]
    if found is None:
        raise LookupError(
            f"no {quantity} of layer {layer}: reference, bound and exact values must offer the same quantities"
        )
    return found


def _steepest(case: Case, arithmetic: Arithmetic, quantity: str, layer: int | None, size: float) -> str:
    """The cause that multiplied error / value most on the way to the quantity."""
    passes = both_ways(case, arithmetic)
    # z and not a: an output of 0 is saturation, and is found as that on the way back.
    stages = [(DEPTH, _ratio(passes.layers[-1].z))]
    if quantity == "loss":
        stages.append((CANCELLATION, float(np.max(passes.loss.error)) / size if size else inf))
    else:
        probabilistic = case.spec.loss.name in _PROBABILISTIC
        stages.append((SATURATION if probabilistic else CANCELLATION, _ratio(passes.upstreams[-1])))
        for number in range(case.spec.depth, (layer or 1) - 1, -1):
            delta = passes.deltas[number - 1]
            stages.append((SATURATION, _ratio(delta)))
            stages.append((DEPTH, _ratio(passes.upstreams[number - 1] if number > (layer or 0) else delta)))
        if quantity in ("weight", "bias"):
            stages.append((CANCELLATION, _largest(case, arithmetic, quantity, layer) / size if size else inf))
    growth = dict.fromkeys(REASONS, 0.0)
    before = arithmetic.unit
    for cause, ratio in stages:
        after = min(max(ratio, arithmetic.unit), _LOST)
        growth[cause] += log(after / before)
        before = after
    return max(growth, key=lambda cause: growth[cause])


# An error / value beyond which nothing is left to lose.
_LOST = 1e300
_PROBABILISTIC = {
    "bce",
    "bce_with_logits",
    "cross_entropy",
    "nll",
    "kl_div",
    "categorical_cross_entropy",
    "soft_margin",
    "multilabel_soft_margin",
}


def _ratio(found: Rounded) -> float:
    """Largest error over largest value; infinite where there is an error and no value."""
    error, value = float(np.max(found.error)), float(np.max(np.abs(found.value)))
    if not error < inf:
        return inf
    return error / value if value else (inf if error else 0.0)

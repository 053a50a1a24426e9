"""Where PyTorch leaves the bound that every textbook form keeps to: wrong constants, clamps, overflow.

Each condition stands before the rows that use it; legend and signatures in `deviation.py`. A condition errs towards
True: an entry that rounding may carry across a limit meets the row.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from backproof.truth.arithmetic import Arithmetic, Array, Rounded
from backproof.truth.deviation import Deviation, Mask, Options

ACTIVATION_SOURCE: Final = (
    "https://github.com/pytorch/pytorch/blob/02def0cdf6a7ac1e08f66a2c573ef07def8663b3/"
    "aten/src/ATen/native/cpu/Activation.cpp"
)
LOSS_SOURCE: Final = (
    "https://github.com/pytorch/pytorch/blob/008af87c5f0d6652418bf0d884e63a3a06682e1d/aten/src/ATen/native/Loss.cpp"
)
"""PyTorch's source before https://github.com/pytorch/pytorch/pull/98745 and https://github.com/pytorch/pytorch/pull/92145,
which are of 2023: of 2.1 or before."""

EPSILON: Final = float(np.float32(1e-12))
"""The clamp of p (1 - p), which PyTorch holds in float32 whatever the dtype."""


def hardsigmoid_slopes(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """-3 < z < 3."""
    return (z.value + z.error > -3.0) & (z.value - z.error < 3.0)


def celu_rounds(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """z <= 0, where float32 does not hold alpha."""
    alpha = float(options["alpha"])
    with np.errstate(over="ignore"):
        held = float(np.float32(alpha)) == alpha
    return (z.value - z.error <= 0.0) & (not held)


def gelu_square_overflows(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """z^2 > largest, in the tanh approximation."""
    return (z.magnitude > math.sqrt(arithmetic.largest)) & (options["approximate"] == "tanh")


def hardswish_overflows(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """6 z > largest."""
    return z.value + z.error > arithmetic.largest / 6.0


def softplus_overflows(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """log(largest) < beta z <= threshold."""
    beta = float(options["beta"])
    high, low = beta * (z.value + z.error), beta * (z.value - z.error)
    return (high > math.log(arithmetic.largest)) & (low <= float(options["threshold"]))


def softplus_gradient_overflows(z: Rounded, s: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """|s| exp(beta z) > largest, beta z <= threshold."""
    beta = float(options["beta"])
    high, low = beta * (z.value + z.error), beta * (z.value - z.error)
    # The logarithms of numbers that a dtype holds lie within 750, and exp errs by some units in the last place.
    room = math.log(arithmetic.largest) - 1e4 * arithmetic.unit
    return (np.log(s.magnitude) + high > room) & (low <= float(options["threshold"]))


def bce_slope_is_clamped(p: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Mask:
    """p (1 - p) < EPSILON."""
    low, high = np.maximum(p.value - p.error, 0.0), np.maximum(1.0 - p.value - p.error, 0.0)
    return low * high < EPSILON


def bce_value_is_clamped(p: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Mask:
    """p < exp(-100) with y > 0, or 1 - p < exp(-100) with y < 1."""
    tiny = math.exp(-100.0)
    return ((p.value - p.error < tiny) & (y > 0.0)) | ((1.0 - p.value - p.error < tiny) & (y < 1.0))


def soft_margin_overflows(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Mask:
    """-y a > log(largest)."""
    return a.error - y * a.value > math.log(arithmetic.largest)


def square_overflows(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Mask:
    """(a - y)^2 > largest, or (a - y)^2/v > largest with v = max(var, eps)."""
    variance = np.minimum(np.maximum(options["var"], float(options["eps"])).astype(np.float64), 1.0)
    return np.abs(a.value - y) + a.error > np.sqrt(arithmetic.largest * variance)


def terms_overflow(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Mask:
    """8 O (1 + w) m^p > largest: m the largest |a| or |a - y| of the sample, w the largest class weight, p the power.

    No loss computes anything larger than that on its way, and the result is at most as many times smaller.
    """
    size = a.magnitude + np.abs(y) if y.ndim == 2 and y.dtype.kind == "f" else a.magnitude
    arrays = [options[name] for name in ("weight", "pos_weight") if options.get(name) is not None]
    weight = max([float(np.max(array)) for array in arrays], default=0.0)
    root = (arithmetic.largest / (8.0 * size.shape[-1] * (1.0 + weight))) ** (1.0 / float(options.get("p", 1)))
    return size.max(axis=-1, keepdims=True) > root


DEPARTURES: Final[tuple[Deviation, ...]] = (
    Deviation(
        name="gelu=tanh: the slope is NaN where z^2 overflows",
        what=("gelu=tanh",),
        where="|z| > 1.8e19 in float32, 1.3e154 in float64",
        concerns="gradient",
        how_much="NaN for 0 or 1",
        since="2.1 or before",
        sources=(ACTIVATION_SOURCE,),
        at_layer=gelu_square_overflows,
    ),
    Deviation(
        name="hardswish: infinite where 6 z overflows",
        what=("hardswish",),
        where="z > 5.7e37 in float32, 3.0e307 in float64",
        concerns="value",
        how_much="inf for z",
        since="2.1 or before",
        sources=(ACTIVATION_SOURCE,),
        at_layer=hardswish_overflows,
    ),
    Deviation(
        name="softplus: exp(beta z) overflows below a large threshold",
        what=("softplus",),
        where="88.7 < beta z <= threshold in float32, 709.8 < beta z <= threshold in float64",
        concerns="both",
        how_much="inf for z in the value, NaN for 1 in the gradient",
        since="2.1 or before",
        sources=(ACTIVATION_SOURCE, "https://github.com/pytorch/pytorch/issues/171249"),
        at_layer=softplus_overflows,
    ),
    Deviation(
        name="softplus: grad exp(beta z) overflows before it is divided",
        what=("softplus",),
        where="beta z <= threshold, |grad| exp(beta z) > 3.4e38 in float32, 1.8e308 in float64",
        concerns="gradient",
        how_much="inf or NaN for grad s(beta z), at a threshold of 20 from |grad| > 7.0e29 and 3.7e299 on",
        since="2.1 or before",
        sources=(ACTIVATION_SOURCE,),
        at_slope=softplus_gradient_overflows,
    ),
    Deviation(
        name="soft_margin: exp(-y a) overflows",
        what=("soft_margin",),
        where="-y a > 88.7 in float32, 709.8 in float64",
        concerns="both",
        how_much="inf for -y a in the value, NaN for -y in the gradient",
        since="2.1 or before",
        sources=(LOSS_SOURCE,),
        at_output=soft_margin_overflows,
    ),
    Deviation(
        name="gaussian_nll: (a - y)^2 overflows, or (a - y)^2/var before it is halved",
        what=("gaussian_nll",),
        where="|a - y| > r min(1, sqrt(var)), r = 1.8e19 in float32, 1.3e154 in float64",
        concerns="value",
        how_much="inf for (a - y)^2/(2 var)",
        since="2.13 or before",
        at_output=square_overflows,
    ),
    Deviation(
        name="bce: p (1 - p) is clamped at 1e-12 in the gradient",
        what=("bce",),
        where="p (1 - p) < float32(1e-12)",
        concerns="gradient",
        how_much="too small by the factor p (1 - p)/1e-12, down to 0",
        since="1.12 or before",
        sources=("https://github.com/pytorch/pytorch/issues/103316", LOSS_SOURCE),
        at_output=bce_slope_is_clamped,
    ),
    Deviation(
        name="bce: log p is clamped at -100 in the value",
        what=("bce",),
        where="p < exp(-100) = 3.7e-44 and y > 0",
        concerns="value",
        how_much="100 y for -y log p, which is up to 745 y; in float32 such a p has underflowed",
        since="1.12 or before; documented",
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html", LOSS_SOURCE),
        dtypes=("float64",),
        at_output=bce_value_is_clamped,
    ),
    Deviation(
        name="celu: the slope in float64 takes alpha in float32",
        what=("celu",),
        where="z <= 0, unless float32 holds alpha (it holds 1 and 0.5)",
        concerns="gradient",
        how_much="relative up to 6.0e-8 |1 + z/alpha|; NaN for alpha < 7.0e-46; an exception for alpha > 3.4e38",
        since="2.13 or before",
        sources=("torchgen/packaged/autograd/derivatives.yaml in the wheel: 1.0/alpha.toFloat()",),
        dtypes=("float64",),
        at_layer=celu_rounds,
    ),
    Deviation(
        name="hardsigmoid: the slope in float64 is float32(1/6)",
        what=("hardsigmoid",),
        where="-3 < z < 3",
        concerns="gradient",
        how_much="relative 3.0e-8",
        since="2.1 or before",
        sources=(ACTIVATION_SOURCE,),
        dtypes=("float64",),
        at_layer=hardsigmoid_slopes,
    ),
    Deviation(
        name="a sum or a multiple overflows before it is divided",
        what=(
            *("huber", "bce_with_logits", "cross_entropy", "gaussian_nll"),
            *("multilabel_soft_margin", "multi_margin", "multilabel_margin"),
        ),
        where="outputs so large that the result is within a factor 8 O (1 + class weight) of the largest number",
        concerns="both",
        how_much="inf or NaN for a finite result",
        since="2.13 or before",
        at_output=terms_overflow,
    ),
)
"""In the order in which a case that meets several is told: what is infinite or NaN, what is all wrong, what is off by
1e-8; last the row whose condition is wider than the departure."""

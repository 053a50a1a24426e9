"""Where PyTorch stays inside the bound of the textbook forms and yet loses every digit that another form would keep.

Such a result is 0 (or z, or 1) where the truth is another number that the dtype holds to full precision. The bound
admits it, since the formula that loses it stands in every textbook; so no verdict ever needs these rows, and they are
here for the page. Legend and signatures in `deviation.py`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from backproof.truth.arithmetic import Arithmetic, Array, Rounded
from backproof.truth.deviation import Deviation, Mask, Options
from backproof.truth.shapes import GELU_CUBIC, ROOT_TWO_OVER_PI, normal_density, normal_distribution


def sigmoid_is_one(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """exp(-z) < u: 1 + exp(-z) rounds to 1."""
    return z.value > -math.log(arithmetic.unit)


def tanh_is_one(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """2 exp(-2|z|) < u/2."""
    return np.abs(z.value) > 0.5 * math.log(4.0 / arithmetic.unit)


def gelu_is_zero(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """1 + erf(z/sqrt 2) rounds to 0; in the approximation 1 + tanh(g): 2 exp(2g) < u/2."""
    if options["approximate"] == "tanh":
        inner = ROOT_TWO_OVER_PI * (z.value + GELU_CUBIC * z.value**3)
        return inner < -0.5 * math.log(4.0 / arithmetic.unit)
    return (normal_distribution(z.value, normal_density(z.value)) < 0.25 * arithmetic.unit) & (z.value < 0.0)


def silu_is_zero(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """exp(-z) > largest."""
    return z.value < -math.log(arithmetic.largest)


def tanh_is_linear(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """z^2 < u/2: tanh(z) rounds to z, and 1 - tanh^2(z) to 1."""
    return (z.value**2 < 0.5 * arithmetic.unit) & (z.value != 0.0)


def softsign_is_flat(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """|z| > 2/u: 1 + |z| rounds to |z|, so that 1/(1 + |z|) - |z|/(1 + |z|)^2 is 0 but for roundings."""
    return np.abs(z.value) > 2.0 / arithmetic.unit


def softplus_is_linear(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """beta z > threshold."""
    return float(options["beta"]) * (z.value + z.error) > float(options["threshold"])


def one_class_takes_all(a: Rounded, arithmetic: Arithmetic) -> Mask:
    """sum_{j != i} exp(a_j - a_i) < u for some i, shape (N, 1): p_i rounds to 1 and log p_i to 0."""
    others = np.sort(a.value, axis=-1)
    rest = np.exp(others[..., :-1] - others[..., -1:]).sum(axis=-1, keepdims=True)
    return (rest < arithmetic.unit) & (rest > 0.0)


def softmax_is_one(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """One probability rounds to 1."""
    return one_class_takes_all(z, arithmetic)


def softmin_is_one(z: Rounded, options: Options, arithmetic: Arithmetic) -> Mask:
    """The same of -z."""
    return one_class_takes_all(Rounded(-z.value, z.error), arithmetic)


def prediction_is_certain(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Mask:
    """One probability rounds to 1."""
    return one_class_takes_all(a, arithmetic)


def logit_is_certain(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Mask:
    """exp(-|a|) < u on the side of the target."""
    limit = -math.log(arithmetic.unit)
    return ((a.value > limit) & (y == 1.0)) | ((a.value < -limit) & (y == 0.0))


def rate_is_lost(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Mask:
    """-u/2 < a < u: exp(a) rounds to 1; with y = 1 and log_input."""
    small = (a.value > -0.5 * arithmetic.unit) & (a.value < arithmetic.unit) & (a.value != 0.0)
    return small & (y == 1.0) & bool(options["log_input"])


LOST_DIGITS: Final[tuple[Deviation, ...]] = (
    Deviation(
        name="softplus: linear beyond its threshold",
        what=("softplus",),
        where="beta z > threshold (20)",
        dtypes=("float64",),
        concerns="both",
        how_much="log1p(exp(-20))/beta = 2.1e-9/beta at the threshold, less beyond; a verdict admits both formulas",
        since="documented; at one threshold in value and gradient since 2021",
        sources=("https://github.com/pytorch/pytorch/issues/55587",),
        leaves_bound=False,
        at_layer=softplus_is_linear,
    ),
    Deviation(
        name="sigmoid: the slope a (1 - a) is 0 where a rounds to 1",
        what=("sigmoid",),
        where="z > 36.7 in float64, 16.6 in float32",
        concerns="gradient",
        how_much="0 for exp(-z)",
        since="2.12 or before",
        sources=("https://github.com/pytorch/pytorch/issues/195681",),
        leaves_bound=False,
        at_layer=sigmoid_is_one,
    ),
    Deviation(
        name="tanh: the slope 1 - a^2 is 0 where a rounds to 1",
        what=("tanh",),
        where="|z| > 19.1 in float64, 9.0 in float32",
        concerns="gradient",
        how_much="0 for 4 exp(-2|z|)",
        since="2.12 or before",
        sources=("https://github.com/pytorch/pytorch/issues/195527",),
        leaves_bound=False,
        at_layer=tanh_is_one,
    ),
    Deviation(
        name="gelu: 1 + erf is 0 in the lower tail",
        what=("gelu", "gelu=tanh"),
        where="none: z < -8.4 in float64, -5.5 in float32; tanh: -7.2 and -5.1",
        concerns="both",
        how_much="-0 for z P(z); the gradient of approximate=none in float64 alone keeps its digits",
        since="2.12 or before",
        sources=(
            "https://github.com/pytorch/pytorch/issues/187806",
            "https://github.com/pytorch/pytorch/pull/189234",
        ),
        leaves_bound=False,
        at_layer=gelu_is_zero,
    ),
    Deviation(
        name="silu: 0 where exp(-z) overflows",
        what=("silu",),
        where="z < -709.8 in float64, -88.7 in float32",
        concerns="both",
        how_much="-0 for z exp(z), a normal number down to z = -714.9 and -91.8",
        since="2.13 or before",
        leaves_bound=False,
        at_layer=silu_is_zero,
    ),
    Deviation(
        name="tanhshrink: z - tanh(z) is 0 near 0",
        what=("tanhshrink",),
        where="z^2 < u/2: |z| < 7.5e-9 in float64, 1.7e-4 in float32",
        concerns="both",
        how_much="0 for z^3/3 in the value, for z^2 in the gradient",
        since="2.13 or before",
        leaves_bound=False,
        at_layer=tanh_is_linear,
    ),
    Deviation(
        name="softsign: the slope 1/d - |z|/d^2, d = 1 + |z|, is 0 for large z",
        what=("softsign",),
        where="|z| > 2/u: 1.8e16 in float64, 3.4e7 in float32",
        concerns="gradient",
        how_much="0 or a rounding of 1/z, of either sign, for 1/z^2",
        since="2.13 or before",
        leaves_bound=False,
        at_layer=softsign_is_flat,
    ),
    Deviation(
        name="softmax: the Jacobian p (s - sum p s) is 0 where p rounds to 1",
        what=("softmax",),
        where="the largest z exceeds the others by 36.7 in float64, 16.6 in float32",
        concerns="gradient",
        how_much="0 for p (1 - p) (s - ...)",
        since="2.13 or before",
        leaves_bound=False,
        at_layer=softmax_is_one,
    ),
    Deviation(
        name="softmin: the Jacobian p (s - sum p s) is 0 where p rounds to 1",
        what=("softmin",),
        where="the smallest z is below the others by 36.7 in float64, 16.6 in float32",
        concerns="gradient",
        how_much="0 for p (1 - p) (s - ...)",
        since="2.13 or before",
        leaves_bound=False,
        at_layer=softmin_is_one,
    ),
    Deviation(
        name="log_softmax: log p is 0 where p rounds to 1",
        what=("log_softmax",),
        where="the largest z exceeds the others by 36.7 in float64, 16.6 in float32",
        concerns="both",
        how_much="0 for -exp(-gap) in the value, for 1 - p in the gradient",
        since="2.1 or before",
        sources=("https://github.com/pytorch/pytorch/issues/113708",),
        leaves_bound=False,
        at_layer=softmax_is_one,
    ),
    Deviation(
        name="cross_entropy: 0 where the target's probability rounds to 1",
        what=("cross_entropy",),
        where="the largest output exceeds the others by 36.7 in float64, 16.6 in float32",
        concerns="both",
        how_much="0 for exp(-gap) in the value and the target's gradient",
        since="2.1 or before",
        sources=("https://github.com/pytorch/pytorch/issues/113708",),
        leaves_bound=False,
        at_output=prediction_is_certain,
    ),
    Deviation(
        name="bce_with_logits: one tail of each is 0",
        what=("bce_with_logits",),
        where="|a| > 36.7 in float64, 16.6 in float32: the value for y = 0, the gradient for y = 1",
        concerns="both",
        how_much="0 for exp(-|a|)",
        since="2.12 or before",
        sources=(
            "https://github.com/pytorch/pytorch/issues/195529",
            "https://github.com/pytorch/pytorch/issues/195677",
        ),
        leaves_bound=False,
        at_output=logit_is_certain,
    ),
    Deviation(
        name="poisson_nll: exp(a) - y is 0 near a = log y",
        what=("poisson_nll",),
        where="y = 1, -u/2 < a < u with u = 1.1e-16 in float64, 6.0e-8 in float32; log_input",
        concerns="gradient",
        how_much="0 for a",
        since="2.13 or before",
        leaves_bound=False,
        at_output=rate_is_lost,
    ),
)
"""One row per formula that loses them."""

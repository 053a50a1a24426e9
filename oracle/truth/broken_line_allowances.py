"""How far rounding may move phi and phi' of the activations made of straight pieces, in units of u.

Sums, products and quotients alone, so that every rounding is counted. Legend and measured figures in `allowances.py`.
"""

from __future__ import annotations

import numpy as np

from backproof.truth.allowances import NONE, apart, below_zero, far, inexact, negative_part
from backproof.truth.shapes import Array, Options, option


def not_clipped(z: Array, r: Array) -> Array:
    """1.0 but where z + r is surely below -3, in float32 too: hardsigmoid and hardswish are 0 there."""
    return (~(z + r < -3.0 - 2.0**-18)).astype(np.float64)


# (z + 3)(1/6): a sum, a product, and half a rounding of 1/6, 2.5 of a <= 1/2 + |z|/6; z/6 + 1/2: |z|/3 + a, which is
# less. The slope is 1/6, rounded. Below -3 every form clips to 0 exactly, the slope too.
HARDSIGMOID = apart(
    value=lambda z, r, options: np.minimum(2.5, 1.25 + 0.42 * far(z, r)) * not_clipped(z, r),
    slope=lambda z, r, options: 0.2 * not_clipped(z, r),
)
# z h with h = (z + 3)/6: a sum, two products and half a rounding of 1/6, 3.5 h |z|, and h <= 1/2 + |z|/6; of z (1/6) +
# 1/2 in h, |z|/3 + 2h. The slope (2z + 3)/6 <= 1/2 + |z|/3 by a sum and a quotient; or h + z h', with |z|/3 + h of h,
# |z|/3 of z h' and the sum: 1 + 7|z|/6 where |z| < 3.
HARDSWISH = apart(
    value=lambda z, r, options: np.minimum(4.0, 2.0 + 0.5 * far(z, r)) * far(z, r) * not_clipped(z, r),
    slope=lambda z, r, options: np.minimum(5.0, 2.0 + 0.84 * far(z, r)) * not_clipped(z, r),
)

NOTHING = apart(value=NONE, slope=NONE)


def leaky_value(z: Array, r: Array, options: Options) -> Array:
    """alpha |z| for z < 0, by alpha's rounding and the product's."""
    alpha = option(options, "negative_slope")
    return (1.0 + inexact(alpha)) * abs(alpha) * -negative_part(z, r)


def leaky_slope(z: Array, r: Array, options: Options) -> Array:
    """|alpha| for z <= 0: its rounding."""
    return below_zero(z, r, abs(option(options, "negative_slope")))


def steepest(options: Options) -> float:
    """4 max(1, |alpha|)."""
    return 4.0 * max(1.0, abs(option(options, "negative_slope")))


# Textbook: (1 + alpha)/2 z + (1 - alpha)/2 |z|, whose two terms cancel for z < 0, and its slope with the sign of z.
LEAKY_RELU = apart(value=leaky_value, slope=leaky_slope)
LEAKY_RELU_TEXTBOOK = apart(
    value=lambda z, r, options: steepest(options) * far(z, r),
    slope=lambda z, r, options: np.full(z.shape, steepest(options)),
)


def reach(position: float) -> float:
    """How far a position that float32 rounds may stand from its true place, with room: 2u |position|, float32's u."""
    return 2.0**-23 * abs(position) * inexact(position)


def hardtanh_value(z: Array, r: Array, options: Options) -> Array:
    """A copy of z or of a bound; only a bound that float32 rounds can be off, by u times itself."""
    low, high = option(options, "min_val"), option(options, "max_val")
    below = np.where(z - r <= low + reach(low), inexact(low) * abs(low), 0.0)
    return np.maximum(below, np.where(z + r >= high - reach(high), inexact(high) * abs(high), 0.0))


# Textbook: (|z - low| - |z - high| + low + high)/2: half of two sums of |z| and a bound, and of three of the bounds.
HARDTANH = apart(value=hardtanh_value, slope=NONE)
HARDTANH_TEXTBOOK = apart(
    value=lambda z, r, options: far(z, r) + 4.0 * (abs(option(options, "min_val")) + abs(option(options, "max_val"))),
    slope=NONE,
)
RELU6_TEXTBOOK = apart(value=lambda z, r, options: far(z, r) + 24.0, slope=NONE)


def threshold_value(z: Array, r: Array, options: Options) -> Array:
    """A copy of z or of `value`, which float32 may have rounded."""
    value, threshold = option(options, "value"), option(options, "threshold")
    return np.where(z - r <= threshold + reach(threshold), inexact(value) * abs(value), 0.0)


THRESHOLD = apart(value=threshold_value, slope=NONE)


def softshrink_value(z: Array, r: Array, options: Options) -> Array:
    """|a| = |z| - lambd beyond lambd: one subtraction, and lambd where float32 rounds it."""
    lambd = option(options, "lambd")
    excess = far(z, r) - lambd
    return np.where(excess >= -reach(lambd), np.maximum(excess, 0.0) + inexact(lambd) * abs(lambd), 0.0)


# Textbook: z + (|z - lambd| - |z + lambd|)/2.
SOFTSHRINK = apart(value=softshrink_value, slope=NONE)
SOFTSHRINK_TEXTBOOK = apart(
    value=lambda z, r, options: 2.0 * far(z, r) + 3.0 * abs(option(options, "lambd")), slope=NONE
)

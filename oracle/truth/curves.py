"""One record per elementwise activation: `CURVES[name]`, for every name of the catalogue that is not row-wise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from backproof.truth import allowances, shapes
from backproof.truth.allowances import inexact, inexact_product
from backproof.truth.broken_lines import BROKEN_LINES
from backproof.truth.curve import UNIT_INTERVAL, Allowance, Curve, Kink, always, between
from backproof.truth.shapes import Array, Options, option

__all__ = ["CURVES", "Allowance", "Curve", "Kink"]


def exponential_limit(factor: float) -> Callable[[float, Options], float]:
    """Some textbook form computes exp(factor |z|), or a product as large as that."""
    return lambda largest, options: math.log(largest) / factor


def gelu_limit(largest: float, options: Options) -> float:
    """z^3 overflows in the tanh approximation; in gelu itself only z^2 does, in an exponent, where it belongs."""
    return (largest / 8.0) ** (1.0 / 3.0) if shapes.is_tanh_form(options) else largest / 8.0


# --- softplus ---


def is_numerical(threshold: float) -> bool:
    """Whether softplus's threshold only saves work: exp(-threshold) <= u of float32 (threshold >= 16.7; torch's is 20).

    There log1p(exp(beta z))/beta and z agree to float32's precision, and textbooks write the smooth form alone, so that
    both count as the truth beyond the threshold. A smaller threshold changes the function that anyone sees: it is part
    of the definition, and its jump is an ordinary kink.
    """
    return math.exp(-threshold) <= allowances.FLOAT32_UNIT


def softplus_kinks(options: Options) -> tuple[Kink, ...]:
    """phi jumps by log1p(exp(-threshold))/beta, phi' by s(-threshold); neither at a numerical threshold (ambiguity).

    Radius: beta, threshold, their product with z and `position` itself are rounded.
    """
    beta, threshold = option(options, "beta"), option(options, "threshold")
    if is_numerical(threshold):
        return ()
    position = threshold / beta
    rounded = inexact_product(beta) + inexact(threshold)
    units = (rounded + 1.0) * abs(position) if rounded else 0.0
    return (Kink(position, 1.0 / (1.0 + math.exp(threshold)), math.log1p(math.exp(-threshold)) / beta, units),)


def softplus_bends(options: Options) -> tuple[tuple[float, float], ...]:
    """phi'' falls from beta s'(threshold) to 0 at the threshold."""
    beta, threshold = option(options, "beta"), option(options, "threshold")
    return ((threshold / beta, beta * math.exp(-threshold) / (1.0 + math.exp(-threshold)) ** 2),)


def softplus_ambiguous_from(options: Options) -> float:
    """Where `softplus_ambiguity` begins: its start, or nowhere."""
    beta, threshold = option(options, "beta"), option(options, "threshold")
    return (threshold - 2.0**-21 * abs(threshold)) / beta if is_numerical(threshold) else math.inf


def softplus_ambiguity(z: Array, r: Array, options: Options) -> tuple[Array, Array]:
    """Beyond a numerical threshold the truth is hull{log1p(exp(beta z))/beta, z}.

    Its widths are log1p(exp(-beta z))/beta and s(-beta z), largest at z - r. The threshold counts as met where
    beta (z + r) comes within 8u of it (float32's u), which covers the roundings of beta, threshold and beta z.
    """
    beta, threshold = option(options, "beta"), option(options, "threshold")
    start = (threshold - 2.0**-21 * abs(threshold)) / beta
    met = z + r >= start
    nearest = beta * np.clip(z - r, start, max(start, 1e4 / beta))  # exp(-1e4) is 0
    wide = met & is_numerical(threshold)
    return np.where(wide, np.log1p(np.exp(-nearest)) / beta, 0.0), np.where(wide, shapes.logistic(-nearest), 0.0)


# --- exponential units ---


def elu_kinks(options: Options) -> tuple[Kink, ...]:
    """phi' jumps by |1 - alpha| at 0, and not at all for alpha = 1."""
    jump = abs(1.0 - option(options, "alpha"))
    return (Kink(0.0, jump),) if jump else ()


def alpha_of(options: Options) -> float:
    """The parameter alpha."""
    return option(options, "alpha")


SELU_SLOPE = shapes.SELU_SCALE * shapes.SELU_ALPHA  # selu's slope and curvature just below 0

CURVES: dict[str, Curve] = BROKEN_LINES | {
    "elu": Curve(
        shape=shapes.elu,
        curvature_sup=lambda options: abs(alpha_of(options)),
        third_sup=lambda options: abs(alpha_of(options)),
        slope_range=lambda options: (min(0.0, alpha_of(options)), max(1.0, alpha_of(options))),
        value_range=lambda options: (min(0.0, -alpha_of(options)), math.inf),
        kinks=elu_kinks,
        accurate=allowances.ELU,
        textbook=allowances.either(allowances.ELU, allowances.ELU_TEXTBOOK),
        bends=lambda options: ((0.0, abs(alpha_of(options))),),
        flushes=lambda options: 4.0 * max(1.0, abs(alpha_of(options))),
    ),
    "selu": Curve(
        shape=shapes.selu,
        curvature_sup=always(SELU_SLOPE),
        third_sup=always(SELU_SLOPE),
        slope_range=between(0.0, SELU_SLOPE),
        value_range=between(-SELU_SLOPE, math.inf),
        kinks=lambda options: (Kink(0.0, SELU_SLOPE - shapes.SELU_SCALE),),
        accurate=allowances.SELU,
        textbook=allowances.either(allowances.SELU, allowances.SELU_TEXTBOOK),
        bends=lambda options: ((0.0, SELU_SLOPE),),
    ),
    "celu": Curve(
        shape=shapes.celu,
        curvature_sup=lambda options: 1.0 / alpha_of(options),
        third_sup=lambda options: alpha_of(options) ** -2,
        slope_range=UNIT_INTERVAL,
        value_range=lambda options: (-alpha_of(options), math.inf),
        accurate=allowances.CELU,
        textbook=allowances.either(allowances.CELU, allowances.CELU_TEXTBOOK),
        bends=lambda options: ((0.0, 1.0 / alpha_of(options)),),
        flushes=lambda options: 4.0 * max(1.0, alpha_of(options)),
    ),
    "logsigmoid": Curve(
        shape=shapes.logsigmoid,
        curvature_sup=always(0.25),
        third_sup=always(0.0963),
        slope_range=UNIT_INTERVAL,
        value_range=between(-math.inf, 0.0),
        accurate=allowances.LOGSIGMOID,
        textbook=allowances.either(allowances.LOGSIGMOID, allowances.LOGSIGMOID_TEXTBOOK),
        limit=exponential_limit(1.05),
    ),
    "gelu": Curve(
        shape=shapes.gelu,
        curvature_sup=always(0.798),
        third_sup=always(0.779),
        slope_range=between(-0.1290, 1.1290),
        value_range=between(-0.1701, math.inf),
        accurate=allowances.GELU,
        textbook=allowances.either(allowances.GELU, allowances.GELU_TEXTBOOK),
        limit=gelu_limit,
    ),
    "silu": Curve(
        shape=shapes.silu,
        curvature_sup=always(0.5),
        third_sup=always(0.309),
        slope_range=between(-0.0999, 1.0999),
        value_range=between(-0.2785, math.inf),
        accurate=allowances.SILU,
        textbook=allowances.either(allowances.SILU, allowances.SILU_TEXTBOOK),
        limit=exponential_limit(1.1),
    ),
    "mish": Curve(
        shape=shapes.mish,
        curvature_sup=always(0.645),
        third_sup=always(0.589),
        slope_range=between(-0.1126, 1.0886),
        value_range=between(-0.3089, math.inf),
        accurate=allowances.MISH,
        textbook=allowances.either(allowances.MISH, allowances.MISH_TEXTBOOK),
        limit=exponential_limit(4.1),
    ),
    "softplus": Curve(
        shape=shapes.softplus,
        curvature_sup=lambda options: 0.25 * option(options, "beta"),
        third_sup=lambda options: 0.0963 * option(options, "beta") ** 2,
        slope_range=UNIT_INTERVAL,
        value_range=between(0.0, math.inf),
        kinks=softplus_kinks,
        accurate=allowances.SOFTPLUS,
        textbook=allowances.either(allowances.SOFTPLUS, allowances.SOFTPLUS_TEXTBOOK),
        bends=softplus_bends,
        ambiguity=softplus_ambiguity,
        ambiguous_from=softplus_ambiguous_from,
        flushes=lambda options: 4.0 * max(1.0, 1.0 / option(options, "beta")),
        limit=lambda largest, options: exponential_limit(1.05)(largest, options) / option(options, "beta"),
    ),
    "softsign": Curve(
        shape=shapes.softsign,
        curvature_sup=always(2.0),
        third_sup=always(6.0),
        slope_range=UNIT_INTERVAL,
        value_range=between(-1.0, 1.0),
        accurate=allowances.SOFTSIGN,
        textbook=allowances.either(allowances.SOFTSIGN, allowances.SOFTSIGN_TEXTBOOK),
        bends=lambda options: ((0.0, 0.0),),  # phi'' changes its sign, |phi''| does not jump
    ),
    "tanhshrink": Curve(
        shape=shapes.tanhshrink,
        curvature_sup=always(0.770),
        third_sup=always(2.0),
        slope_range=UNIT_INTERVAL,
        value_range=between(-math.inf, math.inf),
        accurate=allowances.TANHSHRINK,
        textbook=allowances.either(allowances.TANHSHRINK, allowances.TANHSHRINK_TEXTBOOK),
        limit=exponential_limit(2.0),
    ),
    "tanh": Curve(
        shape=shapes.tanh,
        curvature_sup=always(0.770),
        third_sup=always(2.0),
        slope_range=UNIT_INTERVAL,
        value_range=between(-1.0, 1.0),
        accurate=allowances.TANH,
        textbook=allowances.either(allowances.TANH, allowances.TANH_TEXTBOOK),
        limit=exponential_limit(2.0),
    ),
    "sigmoid": Curve(
        shape=shapes.sigmoid,
        curvature_sup=always(0.0963),
        third_sup=always(0.125),
        slope_range=between(0.0, 0.25),
        value_range=UNIT_INTERVAL,
        accurate=allowances.SIGMOID,
        textbook=allowances.either(allowances.SIGMOID, allowances.SIGMOID_TEXTBOOK),
        limit=exponential_limit(1.05),
    ),
}

"""The activations made of straight pieces (and hardswish, whose middle piece is a parabola), as `Curve` records."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backproof.truth import allowances, shapes
from backproof.truth.allowances import inexact
from backproof.truth.curve import FOUR_FLUSHES, UNIT_INTERVAL, Allowance, Curve, Kink, Shape, always, between
from backproof.truth.shapes import Array, Options, option


def flat(z: Array, options: Options) -> Array:
    """phi'' of a piecewise linear phi."""
    return np.zeros_like(z)


def step(condition: NDArray[np.bool_]) -> Array:
    """1.0 where the condition holds, else 0.0."""
    return np.where(condition, 1.0, 0.0)


def broken_line(
    value: Shape,
    slope: Shape,
    *,
    kinks: Callable[[Options], tuple[Kink, ...]],
    value_range: Callable[[Options], tuple[float, float]],
    slope_range: Callable[[Options], tuple[float, float]] = UNIT_INTERVAL,
    allowance: Allowance = allowances.NOTHING,
    textbook: Allowance | None = None,
    flushes: Callable[[Options], float] = FOUR_FLUSHES,
    exact: bool = False,
) -> Curve:
    """A curve of straight pieces, whose one allowance serves every form unless `textbook` is another."""
    return Curve(
        value=value,
        slope=slope,
        curvature=flat,
        curvature_sup=always(0.0),
        third_sup=always(0.0),
        slope_range=slope_range,
        value_range=value_range,
        kinks=kinks,
        accurate=allowance,
        textbook=textbook or allowance,
        exact=exact,
        flushes=flushes,
    )


def shrink_kinks(value_jump: float) -> Callable[[Options], tuple[Kink, ...]]:
    """Both kinks of a shrink, at +-lambd; phi jumps by value_jump lambd."""

    def kinks(options: Options) -> tuple[Kink, ...]:
        lambd = option(options, "lambd")
        units = inexact(lambd) * abs(lambd)
        return tuple(
            Kink(sign * lambd, 1.0, value_jump * (abs(lambd) + allowances.reach(lambd)), units) for sign in (-1.0, 1.0)
        )

    return kinks


def hardtanh_kinks(options: Options) -> tuple[Kink, ...]:
    """phi' jumps by 1 at min_val and at max_val."""
    bounds = (option(options, "min_val"), option(options, "max_val"))
    return tuple(Kink(bound, 1.0, 0.0, inexact(bound) * abs(bound)) for bound in bounds)


def threshold_kinks(options: Options) -> tuple[Kink, ...]:
    """phi' jumps by 1 and phi by |threshold - value|."""
    threshold, value = option(options, "threshold"), option(options, "value")
    jump = abs(threshold - value) + allowances.reach(threshold) + allowances.reach(value)
    return (Kink(threshold, 1.0, jump, inexact(threshold) * abs(threshold)),)


# Forms that clip z/6 + 1/2 decide on a rounded number: near a = 1 the sum errs by u, z/6 by u, and z sees both 6-fold.
SIXTH_RADIUS = 12.0
HARDSIGMOID_KINKS = (Kink(-3.0, 1.0 / 6.0, 0.0, SIXTH_RADIUS), Kink(3.0, 1.0 / 6.0, 0.0, SIXTH_RADIUS))
HARDSWISH_KINKS = (Kink(-3.0, 0.5, 0.0, SIXTH_RADIUS), Kink(3.0, 0.5, 0.0, SIXTH_RADIUS))

BROKEN_LINES: dict[str, Curve] = {
    "threshold": broken_line(
        value=lambda z, options: np.where(z > option(options, "threshold"), z, option(options, "value")),
        slope=lambda z, options: step(z > option(options, "threshold")),
        kinks=threshold_kinks,
        value_range=lambda options: (min(option(options, "threshold"), option(options, "value")), math.inf),
        allowance=allowances.THRESHOLD,
        exact=True,
    ),
    "relu": broken_line(
        value=lambda z, options: np.maximum(z, 0.0),
        slope=lambda z, options: step(z > 0.0),
        kinks=lambda options: (Kink(0.0, 1.0),),
        value_range=between(0.0, math.inf),
        exact=True,
    ),
    "relu6": broken_line(
        value=lambda z, options: shapes.clipped(z, 0.0, 6.0),
        slope=lambda z, options: step((z > 0.0) & (z < 6.0)),
        kinks=lambda options: (Kink(0.0, 1.0), Kink(6.0, 1.0)),
        value_range=between(0.0, 6.0),
        exact=True,
    ),
    "hardtanh": broken_line(
        value=lambda z, options: shapes.clipped(z, option(options, "min_val"), option(options, "max_val")),
        slope=lambda z, options: step((z > option(options, "min_val")) & (z < option(options, "max_val"))),
        kinks=hardtanh_kinks,
        value_range=lambda options: (option(options, "min_val"), option(options, "max_val")),
        allowance=allowances.HARDTANH,
        exact=True,
    ),
    "hardsigmoid": broken_line(
        value=lambda z, options: (shapes.clipped(z, -3.0, 3.0) + 3.0) / 6.0,
        slope=lambda z, options: step(np.abs(z) < 3.0) / 6.0,
        kinks=lambda options: HARDSIGMOID_KINKS,
        value_range=UNIT_INTERVAL,
        slope_range=between(0.0, 1.0 / 6.0),
        allowance=allowances.HARDSIGMOID,
    ),
    "leaky_relu": broken_line(
        value=lambda z, options: np.where(z > 0.0, z, option(options, "negative_slope") * z),
        slope=lambda z, options: np.where(z > 0.0, 1.0, option(options, "negative_slope")),
        kinks=lambda options: (Kink(0.0, abs(1.0 - option(options, "negative_slope"))),),
        value_range=between(-math.inf, math.inf),
        slope_range=lambda options: (
            min(1.0, option(options, "negative_slope")),
            max(1.0, option(options, "negative_slope")),
        ),
        allowance=allowances.LEAKY_RELU,
        textbook=allowances.LEAKY_RELU_TEXTBOOK,
        flushes=lambda options: 4.0 * max(1.0, abs(option(options, "negative_slope"))),
    ),
    "softshrink": broken_line(
        value=shapes.softshrink_value,
        slope=lambda z, options: step(np.abs(z) > option(options, "lambd")),
        kinks=shrink_kinks(0.0),
        value_range=between(-math.inf, math.inf),
        allowance=allowances.SOFTSHRINK,
    ),
    "hardshrink": broken_line(
        value=lambda z, options: np.where(np.abs(z) > option(options, "lambd"), z, 0.0),
        slope=lambda z, options: step(np.abs(z) > option(options, "lambd")),
        kinks=shrink_kinks(1.0),
        value_range=between(-math.inf, math.inf),
        exact=True,
    ),
    "identity": broken_line(
        value=lambda z, options: z,
        slope=lambda z, options: np.ones_like(z),
        kinks=lambda options: (),
        value_range=between(-math.inf, math.inf),
        slope_range=between(1.0, 1.0),
        exact=True,
    ),
    "hardswish": Curve(
        value=lambda z, options: z * ((shapes.clipped(z, -3.0, 3.0) + 3.0) / 6.0),
        slope=shapes.hardswish_slope,
        curvature=lambda z, options: step(np.abs(z) < 3.0) / 3.0,
        curvature_sup=always(1.0 / 3.0),
        third_sup=always(0.0),
        slope_range=between(-0.5, 1.5),
        value_range=between(-0.375, math.inf),
        kinks=lambda options: HARDSWISH_KINKS,
        bends=lambda options: ((-3.0, 1.0 / 3.0), (3.0, 1.0 / 3.0)),
        accurate=allowances.HARDSWISH,
        textbook=allowances.HARDSWISH,
    ),
}

"""The activations made of straight pieces (and hardswish, whose middle piece is a parabola), as `Curve` records."""

from __future__ import annotations

import math
from collections.abc import Callable

from backproof.truth import broken_line_allowances as allowances
from backproof.truth import shapes
from backproof.truth.allowances import inexact
from backproof.truth.curve import FOUR_FLUSHES, UNIT_INTERVAL, Allowance, Curve, Kink, Shape, always, between
from backproof.truth.shapes import Options, option


def broken_line(
    shape: Shape,
    *,
    kinks: Callable[[Options], tuple[Kink, ...]],
    value_range: Callable[[Options], tuple[float, float]],
    slope_range: Callable[[Options], tuple[float, float]] = UNIT_INTERVAL,
    allowance: Allowance = allowances.NOTHING,
    textbook: Allowance | None = None,
    flushes: Callable[[Options], float] = FOUR_FLUSHES,
    exact: bool = False,
    copies: bool = False,
) -> Curve:
    """A curve of straight pieces, whose one allowance serves every form unless `textbook` is another."""
    return Curve(
        shape=shape,
        curvature_sup=always(0.0),
        third_sup=always(0.0),
        slope_range=slope_range,
        value_range=value_range,
        kinks=kinks,
        accurate=allowance,
        textbook=textbook or allowance,
        exact=exact,
        copies=copies,
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
        shapes.threshold,
        kinks=threshold_kinks,
        value_range=lambda options: (min(option(options, "threshold"), option(options, "value")), math.inf),
        allowance=allowances.THRESHOLD,
        exact=True,
    ),
    "relu": broken_line(
        shapes.relu,
        kinks=lambda options: (Kink(0.0, 1.0),),
        value_range=between(0.0, math.inf),
        exact=True,
    ),
    "relu6": broken_line(
        shapes.relu6,
        kinks=lambda options: (Kink(0.0, 1.0), Kink(6.0, 1.0)),
        value_range=between(0.0, 6.0),
        textbook=allowances.RELU6_TEXTBOOK,
        exact=True,
    ),
    "hardtanh": broken_line(
        shapes.hardtanh,
        kinks=hardtanh_kinks,
        value_range=lambda options: (option(options, "min_val"), option(options, "max_val")),
        allowance=allowances.HARDTANH,
        textbook=allowances.HARDTANH_TEXTBOOK,
        exact=True,
    ),
    "hardsigmoid": broken_line(
        shapes.hardsigmoid,
        kinks=lambda options: HARDSIGMOID_KINKS,
        value_range=UNIT_INTERVAL,
        slope_range=between(0.0, 1.0 / 6.0),
        allowance=allowances.HARDSIGMOID,
    ),
    "leaky_relu": broken_line(
        shapes.leaky_relu,
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
        shapes.softshrink,
        kinks=shrink_kinks(0.0),
        value_range=between(-math.inf, math.inf),
        allowance=allowances.SOFTSHRINK,
        textbook=allowances.SOFTSHRINK_TEXTBOOK,
    ),
    "hardshrink": broken_line(
        shapes.hardshrink,
        kinks=shrink_kinks(1.0),
        value_range=between(-math.inf, math.inf),
        exact=True,
    ),
    "identity": broken_line(
        shapes.identity,
        kinks=lambda options: (),
        value_range=between(-math.inf, math.inf),
        slope_range=between(1.0, 1.0),
        exact=True,
        copies=True,
    ),
    "hardswish": Curve(
        shape=shapes.hardswish,
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

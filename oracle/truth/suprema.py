"""What a layer's bound asks of its activation: suprema, jumps within reach, the allowance.  Legend: `rounding.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from backproof.cases import Formula
from backproof.truth.arithmetic import ABSORBED, SEARCH, Arithmetic, Array, Rounded, least, lowest
from backproof.truth.curves import CURVES, Kink


@dataclass(frozen=True, slots=True)
class Suprema:
    """What a curve's record says of one choice of parameters; looked up once for each, not once for each layer.

    curvature: sup |phi''|. slope_range, value_range: osc phi' and osc phi. selects: phi' takes no values but 0 and 1.
    rises, positive: whether phi' and phi are nowhere below 0.
    """

    curvature: float
    slope_range: float
    value_range: float
    flushes: float
    kinks: tuple[Kink, ...]
    selects: bool
    ambiguous_from: float
    rises: bool
    positive: bool


@cache
def suprema_of(formula: Formula) -> Suprema:
    """The suprema of an elementwise activation."""
    curve, options = CURVES[formula.name], formula.options
    low, high = curve.slope_range(options)
    least, most = curve.value_range(options)
    curvature = curve.curvature_sup(options)
    selects = not curvature and {low, high} <= {0.0, 1.0}
    return Suprema(
        curvature=curvature,
        slope_range=high - low,
        value_range=most - least,
        flushes=curve.flushes(options),
        kinks=curve.kinks(options),
        selects=selects,
        ambiguous_from=curve.ambiguous_from(options),
        rises=low >= 0.0,
        positive=least >= 0.0,
    )


TAIL: Final = 700.0
"""Beyond it S may be an exponential that underflows right here: exp(-708) is the last normal number of float64."""


def allow_in_place(
    error: Array, units: Array, far: Array, farthest: float, *, flushed: float, arithmetic: Arithmetic
) -> None:
    """Add u S, and the floor for underflow, flushed (1 + far), wherever something is computed inexactly.

    far: the largest |z| within reach of each, and farthest of all.
    Where the whole error, or all of u S that is not 0, is far above the floor, adding it would change nothing. An S of
    0 says that nothing is computed, but for the TAIL: z s(z) is 1e-322 at z = -748, where s(z) is already 0 in float64.
    """
    error += arithmetic.unit * units
    if not flushed:
        return
    floor = flushed * (1.0 + farthest)
    if lowest(error) * ABSORBED > floor:
        return
    in_tail = not farthest <= TAIL  # so put, a NaN says nothing of the others
    if not (lowest(units) if in_tail else least(units)) * arithmetic.unit * ABSORBED > floor:
        inexact = units > 0.0
        if in_tail:
            inexact |= far > TAIL
        error += flushed * (1.0 + far) * inexact


def jumps(
    z: Rounded, reach: Array, kinks: tuple[Kink, ...], arithmetic: Arithmetic
) -> tuple[Array | None, Array | None]:
    """J and V: the jumps of phi' and of phi at the kinks that z may be on either side of, summed; None without any.

    reach: f e_z. Nearly always all of z is farther from a kink than that, and than what the kink's own radius adds.
    """
    slope_jump: Array | None = None
    value_jump: Array | None = None
    for kink in kinks:
        distance = z.value - kink.position if kink.position else z.value
        size = np.abs(distance) if kink.position else z.size
        radius = 2.0 * SEARCH * arithmetic.unit * kink.radius_units
        if lowest(size - reach) > radius + arithmetic.smallest:
            continue
        error = kink.doubt(z.value, z.error, arithmetic.unit) if kink.radius_units else z.error
        met = arithmetic.meets_kink(distance, error)
        if not met.any():
            continue
        slope_jump = met * kink.slope_jump + (0.0 if slope_jump is None else slope_jump)
        if kink.value_jump:
            # At an exact tie phi itself has one value, whatever subgradient is admitted for phi'.
            jump = (met & ((error > 0.0) | (distance != 0.0))) * kink.value_jump
            value_jump = jump + (0.0 if value_jump is None else value_jump)
    return slope_jump, value_jump

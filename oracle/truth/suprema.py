"""What a layer's bound asks of its activation: suprema, jumps within reach, the allowance.  Legend: `rounding.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from backproof.cases import Formula
from backproof.truth.arithmetic import ABSORBED, Arithmetic, Array, Rounded
from backproof.truth.curves import CURVES, Kink


@dataclass(frozen=True, slots=True)
class Suprema:
    """What a curve's record says of one choice of parameters; looked up once for each, not once for each layer.

    curvature: sup |phi''|. slope_range, value_range: osc phi' and osc phi. selects: phi' takes no values but 0 and 1.
    """

    curvature: float
    slope_range: float
    value_range: float
    flushes: float
    kinks: tuple[Kink, ...]
    selects: bool


@cache
def suprema_of(formula: Formula) -> Suprema:
    """The suprema of an elementwise activation."""
    curve, options = CURVES[formula.name], formula.options
    lowest, highest = curve.slope_range(options)
    least, most = curve.value_range(options)
    curvature = curve.curvature_sup(options)
    selects = not curvature and {lowest, highest} <= {0.0, 1.0}
    return Suprema(curvature, highest - lowest, most - least, curve.flushes(options), curve.kinks(options), selects)


TAIL: Final = 700.0
"""Beyond it S may be an exponential that underflows right here: exp(-708) is the last normal number of float64."""


def allowed(units: Array, far: Array, farthest: float, flushed: float, arithmetic: Arithmetic) -> Array:
    """u S, and the floor for underflow, flushed (1 + far), wherever something is computed inexactly.

    farthest is the largest of `far`: where all of u S is far above the floor, adding it would change nothing. An S of 0
    says that nothing is computed, but for the TAIL: z s(z) is 1e-322 at z = -748, where s(z) is already 0 in float64.
    """
    error: Array = arithmetic.unit * units
    if not error.min() * ABSORBED > flushed * (1.0 + farthest):
        inexact = units > 0.0
        if farthest > TAIL:
            inexact |= far > TAIL
        error += flushed * (1.0 + far) * inexact
    return error


def jumps(z: Rounded, kinks: tuple[Kink, ...], arithmetic: Arithmetic) -> tuple[Array | None, Array | None]:
    """J and V: the jumps of phi' and of phi at the kinks that z may be on either side of, summed; None without any."""
    slope_jump: Array | None = None
    value_jump: Array | None = None
    for kink in kinks:
        distance = z.value - kink.position
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

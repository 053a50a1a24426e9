"""The record that holds what the rounding bound has to know of one activation.

z is the preactivation, of any shape; a = phi(z); u is the candidate's unit roundoff. Parameters come as `options`,
under torch's keyword names. All that depends on z is vectorised float64, silent for any finite z.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backproof.truth.arithmetic import highest, lowest
from backproof.truth.shapes import Array, Options, Triple

Shape = Callable[[Array, Options], Triple]
Rule = Callable[[Array, Array, Options], Array]


Units = Callable[[Array, Array, Options], tuple[Array, Array]]


@dataclass(frozen=True)
class Allowance:
    """S and S' of one activation in units of u, over [z - r, z + r], both shaped as z: `units(z, r, options)`.

    keeps_slope: whether S' is 0 everywhere.
    """

    units: Units
    keeps_slope: bool = False

    def value(self, z: Array, r: Array, options: Options) -> Array:
        """S alone."""
        return self.units(z, r, options)[0]

    def slope(self, z: Array, r: Array, options: Options) -> Array:
        """S' alone."""
        return self.units(z, r, options)[1]


@dataclass(frozen=True)
class Kink:
    """A point where phi' (or phi) jumps. It is met where |z - position| <= r + 2u radius_units, also where e_z = 0.

    slope_jump, value_jump: the jumps, as absolute values.
    radius_units: how far from `position` a correct form may switch branches, in units of u: the roundings of the
    parameters that make the position, and of the other side of the comparison (z + 3, beta z). 0 where both are exact,
    so that the kink is tested sharply. Within it phi differs by value_jump too, even where e_z = 0.
    """

    position: float
    slope_jump: float
    value_jump: float = 0.0
    radius_units: float = 0.0

    def doubt(self, z: Array, e_z: Array, unit: float) -> Array:
        """How far z - position may be off: e_z + u radius_units, but 0 at an exact tie, which every form sees so."""
        tie = (z == self.position) & (e_z == 0.0)
        return np.where(tie, 0.0, e_z + unit * self.radius_units)


@dataclass(frozen=True)
class Curve:
    """Everything that the bound uses of one activation.

    shape: phi(z), phi'(z) to a few units of float64 roundoff, and |phi''(z)| off the kinks, together; `value`, `slope`
    and `curvature` are its parts. At a kink, PyTorch 2.13's subgradient. |phi''| is not to be used alone near `bends`.
    curvature_sup, third_sup: sup |phi''| and sup of its derivative, off the kinks.
    slope_range, value_range: (inf, sup) of phi' and of phi, rounded outwards; infinite where unbounded.
    kinks: where phi' or phi jumps.
    accurate, textbook: S and S' of forms accurate in the tail, and of every textbook form.
    exact: phi copies z or a parameter and computes nothing: no floor for underflow is due. copies: phi(z) is z.
    flushes: the floor for underflow in units of eta (1 + |z| + r): some intermediate results may be flushed to zero,
    and one of them may be multiplied by a parameter or divided by one afterwards.
    limit: (largest number of the dtype, options) -> the |z| beyond which some textbook form overflows, so that it gives
    infinity, NaN or a number made of one; the textbook allowance says nothing there.
    bends: (position, jump of |phi''|) wherever phi'' jumps.
    ambiguity: (z, r, options) -> widths of the set that counts as the truth where the definition itself leaves one
    (softplus beyond its threshold), of phi and of phi', to be added to e_a and e_phi' as they are; None elsewhere.
    ambiguous_from: the |z| + r below which it leaves none.
    """

    shape: Shape
    curvature_sup: Callable[[Options], float]
    third_sup: Callable[[Options], float]
    slope_range: Callable[[Options], tuple[float, float]]
    value_range: Callable[[Options], tuple[float, float]]
    accurate: Allowance
    textbook: Allowance
    kinks: Callable[[Options], tuple[Kink, ...]] = lambda options: ()
    exact: bool = False
    copies: bool = False
    flushes: Callable[[Options], float] = lambda options: 4.0
    limit: Callable[[float, Options], float] = lambda largest, options: largest / 8.0
    bends: Callable[[Options], tuple[tuple[float, float], ...]] = lambda options: ()
    ambiguity: Callable[[Array, Array, Options], tuple[Array, Array]] | None = None
    ambiguous_from: Callable[[Options], float] = lambda options: math.inf

    def value(self, z: Array, options: Options) -> Array:
        """phi(z)."""
        return self.shape(z, options)[0]

    def slope(self, z: Array, options: Options) -> Array:
        """phi'(z)."""
        return self.shape(z, options)[1]

    def curvature(self, z: Array, options: Options) -> Array:
        """|phi''(z)|."""
        return self.shape(z, options)[2]

    def curvature_within(self, z: Array, r: Array, options: Options, *, curvature: Array | None = None) -> Array:
        """A sound sup of |phi''| over [z - r, z + r], of the shape of z; `curvature` is |phi''(z)| where it is known.

        min(sup |phi''|, |phi''(z)| + r sup |phi'''| + the jumps of phi'' within r). The jumps matter: elu's phi'' is 0
        just above z = 0 and alpha just below.
        """
        within: Array = (self.curvature(z, options) if curvature is None else curvature) + self.third_sup(options) * r
        for position, jump in self.bends(options):
            if jump:
                beyond = np.abs(z - position if position else z) - r
                if not lowest(beyond) > 0.0:
                    within = within + np.where(beyond <= 0.0, jump, 0.0)
        most = self.curvature_sup(options)
        return within if highest(within) <= most else np.minimum(most, within)


def always(number: float) -> Callable[[Options], float]:
    """A supremum that does not depend on the parameters."""
    return lambda options: number


def between(low: float, high: float) -> Callable[[Options], tuple[float, float]]:
    """A range that does not depend on the parameters."""
    return lambda options: (low, high)


UNIT_INTERVAL = between(0.0, 1.0)
FOUR_FLUSHES = always(4.0)

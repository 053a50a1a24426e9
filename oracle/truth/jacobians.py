"""What an elementwise activation does to an error signal on its way back; legend in `rounding.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backproof.truth.arithmetic import Arithmetic, Array, Rounded


@dataclass(frozen=True, slots=True)
class ElementwiseSlope:
    """phi'(z) of an elementwise activation, with its error; `selects` where it takes no values but 0 and 1."""

    slope: Rounded
    selects: bool
    arithmetic: Arithmetic

    def pull_back(self, s: Rounded) -> Rounded:
        """BP1 and BP2, delta = s phi':  e_delta = e_s |phi'| + (|s| + 3 e_s) e_phi', then u(|delta| + e_delta) + 2 eta.

        No rounding where delta is exactly 0, nor where phi' selects, being 0 or 1. The second eta is a flushed partial
        sum of BP3.
        """
        slope = self.slope
        error = s.error * slope.size
        if not slope.exact:
            error += (s.size + 3.0 * s.error) * slope.error
        delta = s.value * slope.value
        size = np.abs(delta)
        if not self.selects:
            error += self.arithmetic.unit * (size + error)
            self.arithmetic.underflow_of_factors_in_place(error, s, slope, 2)
        return Rounded(delta, error, size=size)

    def push_forward(self, dz: Rounded) -> Rounded:
        """da = phi' dz: the same product."""
        return self.pull_back(dz)

    def leading(self, s: Array) -> Array:
        """s phi', all of it: nothing is taken off."""
        return s * self.slope.value


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The slope of phi(z) = z, z of `shape`: nothing is computed on either way."""

    shape: tuple[int, ...]

    @property
    def slope(self) -> Rounded:
        """1 everywhere."""
        return Rounded(np.ones(self.shape), np.zeros(self.shape), exact=True)

    def pull_back(self, s: Rounded) -> Rounded:
        """delta = s."""
        return s

    def push_forward(self, dz: Rounded) -> Rounded:
        """da = dz."""
        return dz

    def leading(self, s: Array) -> Array:
        """s."""
        return s


Diagonal = ElementwiseSlope | Unchanged
"""The Jacobians that are a slope for each entry."""

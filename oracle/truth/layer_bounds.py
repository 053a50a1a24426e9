"""One layer's share of the chained bound: each equation as one short function, from what is known of its operands.

    BP0  preactivation, activation     e_z, e_a, and e_phi' of the slope that BP1 and BP2 will use
    BP1  pull_back (of the output)     e_delta from e_g and e_phi', in `jacobians.py` and `rowwise_bounds.py`
    BP2  upstream, pull_back           e_s of s = delta W, then e_delta again
    BP3  bias_gradient                 e_db
    BP4  weight_gradient               e_dW

Model, legend and sources stand in `rounding.py`, which follows the errors through a network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from backproof.cases import Formula
from backproof.truth.arithmetic import (
    Arithmetic,
    Array,
    Rounded,
    highest,
    least,
    lowest_bit,
    ones,
    significant_bits,
    sums_are_exact,
)
from backproof.truth.broken_line_allowances import NOTHING
from backproof.truth.curves import CURVES
from backproof.truth.jacobians import ElementwiseSlope, Unchanged
from backproof.truth.rowwise_bounds import ROWWISE_BOUNDS
from backproof.truth.suprema import TAIL, allow_in_place, jumps, suprema_of

LARGEST_FACTOR = 8.0
"""No form accurate in the tail computes anything beyond 8 |z| on its way to phi(z): 6 z is hardswish's."""


class Jacobian(Protocol):
    """What a layer's activation does to an error signal on its way back."""

    def pull_back(self, s: Rounded) -> Rounded:
        """delta = dC/dz from s = dC/da."""
        ...

    def push_forward(self, dz: Rounded) -> Rounded:
        """da from dz, on the way forward."""
        ...

    def leading(self, s: Array) -> Array:
        """delta without what a row-wise activation takes off it: what it would be if nothing cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Parameters:
    """W (O, I) and b (O,) of one layer in float64; no errors where they are the case's own, exact numbers."""

    weight: Array
    bias: Array | None
    weight_error: Array | None = None
    bias_error: Array | None = None
    size: Array = field(init=False, repr=False)
    """|W|, which every bound needs twice."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", np.abs(self.weight))

    @classmethod
    def given(cls, weight: Array, bias: Array | None, arithmetic: Arithmetic) -> Parameters:
        """Numbers that are exact, but for those that flush-to-zero may flush."""
        own = cls(weight, bias)
        flushed = least(own.size) < arithmetic.smallest
        if not flushed and (bias is None or least(np.abs(bias)) >= arithmetic.smallest):
            return own
        return cls(
            weight,
            bias,
            arithmetic.flushed(weight) if flushed else None,
            None if bias is None else arithmetic.flushed(bias),
        )


def given(x: Array, arithmetic: Arithmetic) -> Rounded:
    """Numbers that are exact, but for those that flush-to-zero may flush."""
    error = arithmetic.flushed(x)
    return Rounded(x, error, exact=not error.any())


def preactivation(
    inputs: Rounded, parameters: Parameters, arithmetic: Arithmetic, *, own: Array | None = None
) -> Rounded:
    """BP0, z = a W^T + b, with A = |a| + e_a.

    e_z = (e_a + gamma_k A) |W|^T + gamma_I |b| + (I + 1) eta [> 0],  and (|a| + 3 e_a) e_W^T + e_b where the
    parameters are uncertain, too. A term of the sum is rounded in its product and in as many sums as there are other
    terms at most: k = I + 1 with a bias, I without one; the bias itself in I sums. The eta are the underflow of I
    products and a sum; a flushed operand is within its own error. own: the part of e_a to propagate here; the caller
    propagates the rest along signed Jacobians.

    There is no rounding at all where e_a = 0 and all products and b are multiples of one power of two that is not small
    against Q u, Q = A |W|^T + |b| (`sums_are_exact`): a kink is then tested sharply.
    """
    weight, bias = parameters.weight, parameters.bias
    gamma, reach = arithmetic.gamma(weight.shape[1]), inputs.magnitude
    z = inputs.value.dot(weight.T)
    spread = (gamma if bias is None else arithmetic.gamma(weight.shape[1] + 1)) * reach
    if own is not None or not inputs.exact:
        spread += inputs.error if own is None else own
    error = spread.dot(parameters.size.T)
    if bias is not None:
        z += bias
        error += gamma * np.abs(bias)
    exact = None
    # One number is asked before all: behind the first layer it is nearly always inexact.
    exact_inputs = inputs.exact or (inputs.error.item(0) == 0.0 and not inputs.error[0].any())
    if exact_inputs and parameters.weight_error is None and may_be_exact(inputs.value, weight, arithmetic):
        exact = _exact_products(inputs, parameters, error / gamma, arithmetic)
    arithmetic.underflow_of_product_in_place(error, reach, parameters.size.T, weight.shape[1] + 1, added=bias)
    if parameters.weight_error is not None:
        error += (reach + 2.0 * inputs.error).dot(parameters.weight_error.T)
    if parameters.bias_error is not None:
        error += parameters.bias_error
    arithmetic.overflow_in_place(error, gamma)
    if exact is not None:
        error[exact] = 0.0
    return Rounded(z, error)


def may_be_exact(a: Array, weight: Array, arithmetic: Arithmetic) -> bool:
    """Whether one product, a[0, 0] W[0, 0], is exact: a glance that spares drawn numbers the closer look.

    Passing over an exact sum is sound: its kinks are then not tested sharply.
    """
    bits = significant_bits(float(a[0, 0])) + significant_bits(float(weight[0, 0]))
    return 2.0**-bits >= arithmetic.unit


def _exact_products(inputs: Rounded, parameters: Parameters, size: Array, arithmetic: Arithmetic) -> Array:
    """Where z = a W^T + b has no rounding, (N, O): exact inputs, and sums that are exact in any order."""
    bit = lowest_bit(inputs.value)[:, None] + lowest_bit(parameters.weight)[None, :]
    if parameters.bias is not None:
        bit = np.minimum(bit, lowest_bit(parameters.bias[:, None])[None, :])
    inexact = inputs.error.any(axis=1, keepdims=True)
    return sums_are_exact(bit, size, arithmetic) & ~inexact


def activation(z: Rounded, formula: Formula, arithmetic: Arithmetic) -> tuple[Rounded, Jacobian]:
    """BP0, a = phi(z), and the slope for the way back. With r = f e_z and J, V the jumps of phi' and phi within reach:

    M = sup |phi''| within r;   S, S' the allowances of the formula for phi and phi';   F = flushes eta (1 + |z| + r)
    e_phi' = min(M e_z, osc phi') + J + u S' + F;   e_a = min((|phi'| + M r + J) e_z, osc phi) + V + u S + F
    """
    if formula.name in ROWWISE_BOUNDS:
        return ROWWISE_BOUNDS[formula.name](z, arithmetic)
    curve, options, known = CURVES[formula.name], formula.options, suprema_of(formula)
    reach = z.error + z.error
    far = z.size + reach
    farthest = highest(far)
    accurate = arithmetic.forms == "accurate"
    limit = arithmetic.largest / LARGEST_FACTOR if accurate else curve.limit(arithmetic.largest, options)
    if curve.copies and farthest <= limit:
        return z, Unchanged(z.value.shape)
    value, slope, curvature = curve.shape(z.value, options)
    phi_prime = steepest = slope if known.rises else np.abs(slope)
    slope_jump, value_jump = jumps(z, reach, known.kinks, arithmetic)
    if curve.ambiguity is not None and not farthest < known.ambiguous_from:
        value_width, slope_width = curve.ambiguity(z.value, reach, options)
        slope_jump = slope_width if slope_jump is None else slope_jump + slope_width
        value_jump = value_width if value_jump is None else value_jump + value_width
    slope_error: Array | None = None
    if known.curvature:
        slope_error = curve.curvature_within(z.value, reach, options, curvature=curvature) * z.error
        steepest = phi_prime + slope_error + slope_error  # r = 2 e_z
        if not highest(slope_error) <= known.slope_range:
            slope_error = np.minimum(slope_error, known.slope_range)
    if slope_jump is not None:
        steepest = steepest + slope_jump
        slope_error = slope_jump if slope_error is None else slope_error + slope_jump
    value_error = steepest * z.error
    if known.value_range < np.inf and not highest(value_error) <= known.value_range:
        value_error = np.minimum(value_error, known.value_range)
    if value_jump is not None:
        value_error += value_jump
    allowance = curve.accurate if accurate else curve.textbook
    flushed = 0.0 if curve.exact or allowance is NOTHING else arithmetic.smallest * known.flushes
    keeps_slope = allowance.keeps_slope and (not flushed or farthest <= TAIL)
    exact = slope_error is None and keeps_slope
    if slope_error is None:
        slope_error = np.zeros(slope.shape)
    if allowance is not NOTHING:
        value_units, slope_units = allowance.units(z.value, reach, options)
        allow_in_place(value_error, value_units, far, farthest, flushed=flushed, arithmetic=arithmetic)
        if not keeps_slope:
            allow_in_place(slope_error, slope_units, far, farthest, flushed=flushed, arithmetic=arithmetic)
    if not farthest <= limit:
        exact = False
        value_error[~(far <= limit)] = np.nan
        slope_error[~(far <= limit)] = np.nan
    phi = Rounded(value, value_error, size=value if known.positive else None)
    return phi, ElementwiseSlope(Rounded(slope, slope_error, size=phi_prime, exact=exact), known.selects, arithmetic)


def upstream(delta: Rounded, parameters: Parameters, arithmetic: Arithmetic, *, own: Array | None = None) -> Rounded:
    """BP2's first half, s = delta W:  e_s = (e_delta + gamma_O D) |W| + O eta [> 0],   D = |delta| + e_delta.

    A term is rounded in its product and in O - 1 sums. (|delta| + 3 e_delta) e_W comes to it where the weights are
    uncertain. own: the part of e_delta to propagate here, as in `preactivation`.
    """
    outputs = parameters.weight.shape[0]
    gamma, reach = arithmetic.gamma(outputs), delta.magnitude
    spread = gamma * reach
    spread += delta.error if own is None else own
    error = spread.dot(parameters.size)
    arithmetic.underflow_of_product_in_place(error, reach, parameters.size, outputs)
    if parameters.weight_error is not None:
        error += (reach + 2.0 * delta.error).dot(parameters.weight_error)
    arithmetic.overflow_in_place(error, gamma)
    return Rounded(delta.value.dot(parameters.weight), error)


def in_sums(delta: Rounded, arithmetic: Arithmetic, *, added: int = 0) -> Array:
    """What each delta adds to the error of a sum over the batch, in BP3 as in BP4: e_delta + gamma_k D, (N, O).

    k = N + added: its product, N - 1 sums, and what is `added` to the sum afterwards.
    """
    spread: Array = arithmetic.gamma(delta.value.shape[0] + added) * delta.magnitude
    spread += delta.error
    return spread


def bias_gradient(delta: Rounded, arithmetic: Arithmetic, *, alone: bool = True, summed: Array | None = None) -> Array:
    """BP3, db = sum_n delta:  e_db = sum(e_delta + gamma_N D).   A sum of signs or small integers is exact.

    Then e_db = 2u |db| is left, of programs that divide what they add up by N and multiply by it again.
    alone: whether nothing is added to it afterwards; a penalty's gradient makes a rounding of db as well. summed: what
    `in_sums` gives, where it is known. A flushed partial sum is within e_delta, and has N eta of its own where that
    is 0.
    """
    spread = in_sums(delta, arithmetic) if summed is None else summed
    batch = spread.shape[0]
    error: Array = ones(batch).dot(spread)
    if delta.error.item(0) == 0.0 and not delta.error.any():
        size = error / arithmetic.gamma(batch)
        error += (error > 0.0) * (batch * arithmetic.smallest)
        if alone:
            exact = sums_are_exact(lowest_bit(delta.value.T), size, arithmetic)
            scaled = 2.0 * arithmetic.unit if batch > 1 else 0.0
            error[exact] = scaled * np.abs(delta.value.sum(axis=0))[exact]
    return error


def weight_gradient(inputs: Rounded, delta: Rounded, arithmetic: Arithmetic, *, summed: Array | None = None) -> Array:
    """BP4, dW = delta^T a:  e_dW = (e_delta + gamma_N D)^T A + (|delta| + 2 e_delta)^T e_a + N eta [> 0]."""
    spread = in_sums(delta, arithmetic) if summed is None else summed
    error: Array = spread.T.dot(inputs.magnitude)
    if not inputs.exact:
        error += (delta.magnitude + delta.error).T.dot(inputs.error)
    arithmetic.underflow_of_product_in_place(error, delta.magnitude.T, inputs.magnitude, spread.shape[0])
    return error

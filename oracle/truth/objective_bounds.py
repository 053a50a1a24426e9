"""The rounding bound of the objective C: a loss, reduced, and a penalty on the parameters.  Legend in `rounding.py`."""

from __future__ import annotations

import numpy as np

from backproof.cases import Case
from backproof.cases.catalogue import LOSSES
from backproof.truth.arithmetic import Arithmetic, Array, Rounded, highest, least, total
from backproof.truth.divisors import divisor
from backproof.truth.loss_bounds import LOSS_BOUNDS
from backproof.truth.loss_terms import Losses

HARMLESS = 1e290
"""Numbers below it add up to a finite one."""


def unreduced(case: Case, outputs: Rounded, arithmetic: Arithmetic) -> tuple[Losses, Rounded]:
    """The unreduced losses, (N, O) or (N,), and their own gradient dC/da^L (N, O), before any scale.

    An overflow in a sample's outputs (a NaN error) leaves nothing of its gradient, however bounded the loss' slope; an
    exponential or a quotient in it may underflow.
    """
    y = case.y
    if y.dtype.kind == "f":
        y = np.asarray(y, np.float64)
        outputs = _with_flushed_differences(outputs, y, arithmetic)
        if arithmetic.narrows:  # a - y may cancel, and y is rounded before
            outputs = Rounded(outputs.value, outputs.error + arithmetic.narrowed(y))
    losses, gradient = LOSS_BOUNDS[case.spec.loss.name](outputs, y, case.loss_options, arithmetic)
    error = gradient.error
    if arithmetic.narrows:
        error = error + arithmetic.unit * np.abs(gradient.value)
    if not highest(outputs.error) < HARMLESS:
        error += 0.0 * outputs.error.sum(axis=1, keepdims=True)
    arithmetic.underflow_in_place(error, of=gradient.value)
    return Losses.of(losses), Rounded(gradient.value, error)


def _with_flushed_differences(outputs: Rounded, y: Array, arithmetic: Arithmetic) -> Rounded:
    """The outputs, with eta more where flush-to-zero may flush a - y, or a subnormal y.

    A difference of two numbers that are not both small is a multiple of a normal number, or 0.
    """
    small = arithmetic.smallest / arithmetic.unit
    targets = np.abs(y)
    if least(targets) >= arithmetic.smallest and least(outputs.size) > small:
        return outputs
    flushed = ((targets < arithmetic.smallest) & (targets > 0.0)) | (
        (outputs.size > 0.0) & (outputs.size <= small) & (targets <= small)
    )
    return Rounded(outputs.value, outputs.error + arithmetic.smallest * flushed) if flushed.any() else outputs


def objective(case: Case, outputs: Rounded, arithmetic: Arithmetic) -> tuple[Rounded, Rounded]:
    """C with its penalty, or the unreduced losses, and g = dC/da^L: the loss' gradient times the reduction's scale c.

    Under reduction "none" the given upstream stands for c. Scaling by it errs by u, and by 1/N by 2u: 1/N is rounded,
    and the product is; a mean over N and O may be taken in two such steps, 4u. A weighted mean's divisor is itself a
    sum, of N weights.
    e_C = |c| (sum e + gamma_{k+4} sum |C_i| + k eta) + eta over the k terms of all losses, which a program may add up
    in one sum, and what the penalty adds. The eta are there wherever a loss is not 0: where float64 is judged, the rest
    may underflow right here.
    """
    spec = case.spec
    losses, gradient = unreduced(case, outputs, arithmetic)
    scale: Array | float
    lost, sizes = total(losses.error), total(losses.size)
    if spec.reduction == "none":
        scale = np.asarray(case.upstream, dtype=np.float64)
        scale = scale if scale.ndim == 2 else scale[:, None]
        loss = Rounded(losses.value, losses.error)
    else:
        scale = 1.0 / divisor(case)
        gamma = arithmetic.gamma(losses.terms + 4 + _summed_weights(case))
        whole = lost + gamma * sizes
        whole += losses.terms * arithmetic.smallest * (sizes > 0.0)
        loss = _penalised(Rounded(np.asarray(scale * total(losses.value)), np.asarray(scale * whole)), case, arithmetic)
    there = losses.size > 0.0 if spec.reduction == "none" else np.asarray(loss.error > 0.0)
    error = loss.error + arithmetic.smallest * there
    if not sizes + lost <= arithmetic.largest:
        added = losses if spec.reduction == "none" else _added(losses)
        error = np.where(_may_overflow(added, arithmetic), np.nan, error)
    loss = Rounded(loss.value, error)
    return loss, gradient if spec.reduction == "sum" else _scaled(gradient, scale, case, arithmetic)


def _added(losses: Losses) -> Losses:
    """The losses as the one sum that a reduction makes of them."""
    value, error, size = (np.asarray(total(array)) for array in (np.abs(losses.value), losses.error, losses.size))
    return Losses(value, error, size, losses.terms)


def _may_overflow(losses: Losses, arithmetic: Arithmetic) -> Array:
    """Where nothing is known of a loss: its value may be beyond the largest number, and so may the sum of its terms."""
    largest = arithmetic.largest
    result: Array = ~(losses.size + losses.error <= largest) & ~(np.abs(losses.value) + losses.error <= largest)
    return result


def _summed_weights(case: Case) -> int:
    """How many class weights a weighted mean adds up to divide by."""
    weighted = case.spec.reduction == "mean" and case.loss_arrays.get("weight") is not None
    return len(case.y) if weighted else 0


_SCALING = {"none": 1, "batchmean": 2}
"""The roundings of a product with c; of a mean they depend on what it is over."""


def _scaled(gradient: Rounded, scale: Array | float, case: Case, arithmetic: Arithmetic) -> Rounded:
    roundings = _SCALING.get(case.spec.reduction, 2 if LOSSES[case.spec.loss.name].per_sample else 4)
    roundings += _summed_weights(case)
    error = np.abs(scale) * (gradient.error + arithmetic.gamma(roundings) * gradient.magnitude)
    if isinstance(scale, np.ndarray) and least(np.abs(scale)) < arithmetic.smallest:
        error += arithmetic.flushed(scale) * gradient.magnitude
    scaled = scale * gradient.value
    arithmetic.underflow_in_place(error, of=scaled)
    arithmetic.overflow_in_place(error, arithmetic.gamma(roundings))
    return Rounded(scaled, error)


def _penalised(loss: Rounded, case: Case, arithmetic: Arithmetic) -> Rounded:
    """The loss and the penalty's value P: gamma_{k+8} P for a sum of k terms, and 2u(|C| + P) for the last addition.

    A parameter that is flushed takes l1 eta with it; its square is far below eta.
    """
    penalty = case.spec.penalty
    if penalty is None:
        return loss
    flat = np.concatenate([p.ravel() for p in penalty.charged(case.weights, case.biases)]).astype(np.float64)
    value = penalty.l1 * np.abs(flat).sum() + 0.5 * penalty.l2 * (flat * flat).sum()
    n = penalty.divisor(case.spec.batch_size)
    value /= n
    rounding = arithmetic.gamma(flat.size + 8) * value + 2.0 * arithmetic.unit * (value + loss.magnitude)
    flushed = penalty.l1 * arithmetic.flushed(flat).sum() / n
    return Rounded(loss.value + value, loss.error + rounding + flushed)


def penalty_gradient(case: Case, parameter: Array, arithmetic: Arithmetic, *, is_bias: bool) -> Rounded | None:
    """The penalty's gradient P = (l1 sign(w) + l2 w) / n of one parameter, None where there is none:   e = 6u|P| + eta.

    These are its own roundings (parameters, products, quotient, sum); the gradient's bound has room for the rounding of
    gradient + P. Where all subgradients are admitted, |w| at w = 0 adds l1 / n; and so does a w that flush-to-zero may
    flush, whose sign is then 0.
    """
    penalty = case.spec.penalty
    if penalty is None or (is_bias and not penalty.on_biases):
        return None
    w = parameter.astype(np.float64)
    n = penalty.divisor(case.spec.batch_size)
    size = (penalty.l1 * np.abs(np.sign(w)) + penalty.l2 * np.abs(w)) / n
    error: Array = 6.0 * arithmetic.unit * size + arithmetic.smallest * (size > 0.0)
    error += penalty.l1 / n * arithmetic.meets_kink(w, np.zeros(w.shape)) + penalty.l2 / n * arithmetic.flushed(w)
    return Rounded((penalty.l1 * np.sign(w) + penalty.l2 * w) / n, error)


def with_penalty(error: Array, case: Case, parameter: Array, arithmetic: Arithmetic, *, is_bias: bool) -> Array:
    """A gradient's error with the penalty's added to it."""
    penalised = penalty_gradient(case, parameter, arithmetic, is_bias=is_bias)
    return error if penalised is None else error + penalised.error

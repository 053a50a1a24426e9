"""The rounding bounds of the losses that measure a distance: signature and legend in `loss_terms.py`."""

from __future__ import annotations

import numpy as np

from backproof.truth.arithmetic import SEARCH, Arithmetic, Array, Rounded
from backproof.truth.loss_terms import Bounded, Losses, Options, over_samples


def mse(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = d^2, g = 2 d:   e_g = 2 e + 2u(|d| + e),   e_C = (2|d| + 3e) e + 3u(|d| + e)^2.

    Of the three e one is the truth's distance from the d that stands here, and two are the program's at most.
    """
    u, e, d = arithmetic.unit, a.error, a.value - y
    reach = np.abs(d) + e
    losses = Rounded(d * d, (2.0 * np.abs(d) + 3.0 * e) * e + 3.0 * u * reach * reach)
    return losses, Rounded(2.0 * d, 2.0 * e + 2.0 * u * reach)


def half_squared_error(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = 1/2 sum_o d^2 per sample, g = d:   e_g = e + u(|d| + e).

    e_C as for mse; gamma_{O+8} leaves room for norm(d)**2, a root that is squared again.
    """
    u, e, d = arithmetic.unit, a.error, a.value - y
    reach = np.abs(d) + e
    entries = Rounded(0.5 * d * d, 0.5 * (2.0 * np.abs(d) + 3.0 * e) * e + 1.5 * u * reach * reach)
    return over_samples(entries, arithmetic, spare=8), Rounded(d, e + u * reach)


def l1(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = |d|, g = sign(d):   e_g = 1 + |g| where d may be 0, for every number in [-1, 1] is a subgradient there.

    The subtraction of exact numbers has the right sign, so only an inexact a makes d doubtful.
    """
    u, e, d = arithmetic.unit, a.error, a.value - y
    g = np.sign(d)
    met = arithmetic.meets_kink(d, e)
    return Rounded(np.abs(d), e + u * (np.abs(d) + e)), Rounded(g, np.where(met, 1.0 + np.abs(g), 0.0))


def smooth_l1(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = d^2 / (2 beta) within beta, |d| - beta/2 beyond; g = clip(d / beta, -1, 1). beta = 0 is l1.

    g is Lipschitz 1/beta:   e_g = min(e / beta, 2) + 4u G, with G = min((|d| + f e) / beta, 1) the largest |g| within
    reach, and e_C = G e and roundings; the 4u are those of d, beta, 1 / beta and their product. The branches of C agree
    at |d| = beta to 5u(|d| + beta), so which of them is taken there does not matter.
    """
    beta = float(options["beta"])
    if beta == 0.0:
        return l1(a, y, options, arithmetic)
    u, e, d = arithmetic.unit, a.error, a.value - y
    size = np.abs(d)
    value = np.where(size < beta, 0.5 * size * np.minimum(size / beta, 1.0), size - 0.5 * beta)
    steepest = np.minimum((size + SEARCH * e) / beta, 1.0)
    rounding = np.where(size + e < beta, (size + e) * steepest, size + e + beta)
    g = np.clip(d / beta, -1.0, 1.0)
    return (
        Rounded(value, e * steepest + 5.0 * u * rounding),
        Rounded(g, np.minimum(e / beta, 2.0) + 4.0 * u * steepest),
    )


def huber(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = d^2 / 2 within delta, delta (|d| - delta/2) beyond; g = clip(d, -delta, delta).

    e_g = min(e, 2 delta) + 2u G, of d and of delta, G = min(|d| + f e, delta);  e_C as in `smooth_l1`.
    """
    u, e, d, delta = arithmetic.unit, a.error, a.value - y, float(options["delta"])
    size = np.abs(d)
    value = np.where(size < delta, 0.5 * size * np.minimum(size, delta), delta * (size - 0.5 * delta))
    steepest = np.minimum(size + SEARCH * e, delta)
    rounding = np.where(size + e < delta, (size + e) * steepest, delta * (size + e + delta))
    g = np.clip(d, -delta, delta)
    return (
        Rounded(value, e * steepest + 5.0 * u * rounding),
        Rounded(g, np.minimum(e, 2.0 * delta) + 2.0 * u * steepest),
    )


def gaussian_nll(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = 1/2 (log v + d^2 / v) (+ 1/2 log 2 pi), v = max(var, eps); g = d / v:   e_g = e / v + 6u(|d| + e) / v.

    Forms with sigma = sqrt(v) take it twice: (d / sigma)^2 errs by 8u of itself, d / sigma / sigma by 6u with an eps
    that is rounded. The size is that of both terms, which may be added up each on its own. Beyond the range of d^2, a
    large v does not make C finite again: nothing is known of it.
    """
    u, e, d = arithmetic.unit, a.error, a.value - y
    v = np.maximum(np.asarray(options["var"], dtype=np.float64), float(options["eps"]))
    constant = 0.5 * np.log(2.0 * np.pi) if options["full"] else 0.0
    reach = np.abs(d) + e
    rounding = 3.0 + 3.0 * np.abs(np.log(v)) + 5.0 * reach * reach / v + 4.0 * constant
    error = 0.5 * (2.0 * np.abs(d) + 3.0 * e) * e / v + u * rounding
    error = np.where(reach * reach <= arithmetic.largest, error, np.inf)
    size = 0.5 * (np.abs(np.log(v)) + reach * reach / v) + constant
    losses = Losses(0.5 * (np.log(v) + d * d / v) + constant, error, size, size.size)
    return losses, Rounded(d / v, (e + 6.0 * u * reach) / v)


def linear(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = sum_o y a per sample, g = y, exactly: an arbitrary upstream gradient."""
    entries = Rounded(y * a.value, np.abs(y) * a.error)
    return over_samples(entries, arithmetic), Rounded(y, np.zeros_like(y))

"""The rounding bounds of the likelihoods, of probabilities, rates and logits: legend in `loss_terms.py`."""

from __future__ import annotations

import numpy as np

from backproof.truth.arithmetic import SEARCH, Arithmetic, Array, Rounded, row_sums
from backproof.truth.loss_terms import (
    Bounded,
    Losses,
    Options,
    class_weights,
    one_hot,
    over_samples,
    positive_or_zero,
    ratio,
    xlogy,
)
from backproof.truth.rowwise_bounds import log_probabilities, probabilities, shifted
from backproof.truth.shapes import logistic

LOGISTIC_CURVATURE = 0.0963
"""sup |s''|, rounded up: sqrt(3)/18 = 0.09622..."""


def bce(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = -(y log p + (1-y) log(1-p)), g = (1-y) / (1-p) - y / p, at p = a.

    e_g = e [y / ((p - f e)(p - e)) + (1-y) / ((1-p - f e)(1-p - e))] + 4u [y / (p - f e) + (1-y) / (1-p - f e)], for a
    truth as low as p - e and a program's p as low as p - f e;  infinite where a denominator that counts is not
    positive: the quotient is then unbounded, and inf and PyTorch's clamp are both within rounding. A term whose y or
    1-y is exactly 0 is not there, whatever its logarithm. Forms that write (p - y) / (p (1-p)), with any stand-in for a
    divisor that may be 0, keep the sign and only lose size: where the term that is not there has a divisor within
    rounding of 0, they lie between 0 and g, so that e_g grows by |g|. A y that is rounded takes 1 - y with it.
    A logarithm may err by 4u of itself, an exponential by 5u: see `allowances.py`.
    """
    u, e, p = arithmetic.unit, a.error, a.value
    low, high = positive_or_zero(p - SEARCH * e), positive_or_zero(1.0 - p - SEARCH * e)
    hit, missed = ratio(y, low), ratio(1.0 - y, high)
    g = ratio(1.0 - y, 1.0 - p) - ratio(y, p)
    slope_error = ratio(y * e, low * (p - e)) + ratio((1.0 - y) * e, high * (1.0 - p - e)) + 4.0 * u * (hit + missed)
    lost = ((low == 0.0) & (y == 0.0)) | ((high == 0.0) & (y == 1.0))
    slope_error += np.where(lost, hit + missed, 0.0)
    value = -(xlogy(y, p) + xlogy(1.0 - y, 1.0 - p))
    value_error = hit * e + missed * e + u * (7.0 * np.abs(value) + 2.0)
    if arithmetic.narrows:
        moved = arithmetic.narrowed(y)
        slope_error += ratio(moved, low) + ratio(moved, high)
        value_error += np.abs(xlogy(moved, low)) + np.abs(xlogy(moved, high))
    blind = ((low == 0.0) & (y > 0.0)) | ((high == 0.0) & (y < 1.0))
    return Rounded(value, np.where(blind, np.inf, value_error)), Rounded(g, np.where(blind, np.inf, slope_error))


def categorical_cross_entropy(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = -sum_o y log p per sample, g = -y / p at p = a.

    e_g = y e / ((p - f e)(p - e)) + 2u y / (p - f e),  infinite where p - f e <= 0, but 0 where y is exactly 0: that
    class has no term.
    """
    u, e, p = arithmetic.unit, a.error, a.value
    low = positive_or_zero(p - SEARCH * e)
    blind, size = (low == 0.0) & (y != 0.0), np.abs(y)
    logarithms = xlogy(y, p)
    value_error = ratio(size * e, low) + 3.0 * u * np.abs(logarithms)
    slope_error = ratio(size * e, low * (p - e)) + 2.0 * u * ratio(size, low)
    entries = Rounded(-logarithms, np.where(blind, np.inf, value_error))
    return over_samples(entries, arithmetic), Rounded(-ratio(y, p), np.where(blind, np.inf, slope_error))


def nll(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = -w_y a_y per sample, g = -w_y at the target class and 0 elsewhere, exactly; an ignored target gives 0."""
    classes = a.value.shape[1]
    hit = one_hot(y, classes, int(options["ignore_index"])) * class_weights(options, classes)
    value_error = (hit * (a.error + 2.0 * arithmetic.unit * a.magnitude)).sum(axis=1)
    return Rounded(-(hit * a.value).sum(axis=1), value_error), Rounded(-hit, np.zeros_like(hit))


def kl_div(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = y (log y - a), g = -y, exactly; with log_target C = exp(y) (y - a), g = -exp(y):   e_g = 5u exp(y) + eta.

    The eta is exp(y) that underflows, which times |y| + |a| may be a number that does not. The size is that of both
    terms, for entropy and cross-entropy may be added up each on its own. A y that is rounded moves y log y by |log y| +
    1 times as much, and exp(y) by itself.
    """
    u, moved = arithmetic.unit, arithmetic.narrowed(y)
    if options["log_target"]:
        t = np.exp(y)
        entropy, slope_error = t * y, t * (5.0 * u + 2.0 * moved) + arithmetic.smallest
        moved = moved * t
    else:
        t, entropy, slope_error = y, xlogy(y, y), np.zeros_like(y)
    size = np.abs(entropy) + np.abs(t) * a.magnitude
    rounding = 6.0 * u * size + slope_error * (np.abs(y) + a.magnitude) + moved
    losses = Losses(entropy - t * a.value, np.abs(t) * a.error + rounding, size, size.size)
    return losses, Rounded(-t, slope_error)


def poisson_nll(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = exp(a) - y a with log_input, g = exp(a) - y:   e_g = exp(a + e) expm1(e) + 6u(exp(a + f e) + |y|) + eta.

    So for a truth as high as a + e and a program e above it;   e_C = (|g| + exp(a) expm1(f e)) e and roundings.
    Otherwise C = a - y log q, g = 1 - y / q, q = a + eps:   e_g = y e / ((q - f e)(q - e)) + 4u(1 + y / (q - f e)).
    `full` adds Stirling's y log y - y + 1/2 log(2 pi y) where y > 1: a constant of the data. The size is that of all
    terms, which may be added up each kind on its own.
    """
    u, e, v = arithmetic.unit, a.error, a.value
    constant, constant_error = np.zeros_like(v), np.zeros_like(v)
    if options["full"]:
        t = np.where(y > 1.0, y, 1.0)
        constant = np.where(y > 1.0, t * np.log(t) - t + 0.5 * np.log(2.0 * np.pi * t), 0.0)
        constant_error = np.where(y > 1.0, 6.0 * u * (t * np.log(t) + t + 2.0), 0.0)
    if options["log_input"]:
        rate = np.exp(v)
        grown = rate * np.expm1(SEARCH * e)
        moved = rate * np.exp(e) * np.expm1(e)
        slope_error = moved + 6.0 * u * (rate + grown + np.abs(y)) + arithmetic.smallest
        value_error = (np.abs(rate - y) + grown) * e
        value_error += 6.0 * u * (rate + grown + np.abs(y) * a.magnitude) + arithmetic.smallest
        value, g, blind = rate - y * v, rate - y, rate + grown > arithmetic.largest
        size = rate + grown + np.abs(y) * a.magnitude
    else:
        q = v + float(options["eps"])
        e = e + arithmetic.parameter_error(float(options["eps"]))
        low = positive_or_zero(q - SEARCH * e)
        slope_error = y * e / (low * (q - e)) + 4.0 * u * (1.0 + y / low)
        value_error = e + y * e / low + 6.0 * u * (np.abs(v) + np.abs(xlogy(y, q)) + y)
        value, g, blind = v - xlogy(y, q), 1.0 - y / q, low == 0.0
        size = a.magnitude + np.abs(xlogy(y, q))
    value_error += constant_error + 2.0 * u * np.abs(constant)
    losses = Losses(value + constant, np.where(blind, np.inf, value_error), size + np.abs(constant), size.size)
    return losses, Rounded(g, np.where(blind, np.inf, slope_error))


def log_logistic(
    a: Rounded, positive: Array, negative: Array, arithmetic: Arithmetic, *, doubt: Array | float = 0.0
) -> tuple[Rounded, Rounded]:
    """C = P softplus(-a) + Q softplus(a), g = Q s(a) - P s(-a): every loss that is built on log s.

    e_g = (|P| + |Q|)(min((s' + .0963 f e) e, 1) + 7u): forms that write s(a) - y or 1 - s(a) cancel, so that the error
    is one of numbers near 1.   e_C = (|g| + (|P| + |Q|) min(f e / 4, 1)) e + 6u (|P| + |Q|) max(1, |a|); the textbook's
    log(1 - s(a)) loses 2u exp(|a| + f e). doubt: how far P + Q may be off by itself; it multiplies s(a) or s(-a), and
    softplus(-a).
    """
    u, e = arithmetic.unit, a.error
    s, other = logistic(a.value), logistic(-a.value)
    weight = np.abs(positive) + np.abs(negative)
    g = negative * s - positive * other
    slope_error = weight * (np.minimum((s * other + LOGISTIC_CURVATURE * SEARCH * e) * e, 1.0) + 7.0 * u) + doubt
    shared = np.log1p(np.exp(-np.abs(a.value)))
    value = positive * (np.maximum(-a.value, 0.0) + shared) + negative * (np.maximum(a.value, 0.0) + shared)
    value_error = (np.abs(g) + weight * np.minimum(0.25 * SEARCH * e, 1.0)) * e
    value_error += 6.0 * u * weight * np.maximum(1.0, np.abs(a.value))
    value_error += doubt * (np.maximum(-a.value, 0.0) + shared + SEARCH * e)
    if arithmetic.forms == "textbook":
        lost = np.exp(np.abs(a.value) + SEARCH * e)  # infinite beyond float64, as the textbook's number is
        value_error += np.where(weight > 0.0, 2.0 * u * weight * lost, 0.0)
    return Rounded(value, value_error), Rounded(g, slope_error)


def bce_with_logits(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = -(p y log s(a) + (1-y) log s(-a)), p = pos_weight or 1: `log_logistic` with P = p y, Q = 1 - y.

    P + Q is also written 1 + (p - 1) y, or P + 1 - y, as in PyTorch's kernels, where numbers near 1 cancel: it errs by
    u (1 + 2 P + P + Q) then, or 3u (1 + P) at most, and not at all where y = 0.
    """
    weight = options.get("pos_weight")
    if weight is None:
        return log_logistic(a, y, 1.0 - y, arithmetic)
    positive = y * np.asarray(weight, dtype=np.float64)
    doubt = 3.0 * arithmetic.unit * np.where(y > 0.0, 1.0 + positive, 0.0)
    return log_logistic(a, positive, 1.0 - y, arithmetic, doubt=doubt)


def soft_margin(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = log(1 + exp(-y a)), y = +-1: `log_logistic` with P = [y = 1], Q = [y = -1]."""
    return log_logistic(a, np.maximum(y, 0.0), np.maximum(-y, 0.0), arithmetic)


def multilabel_soft_margin(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = -(1/K) sum_k w_k [y log s(a) + (1-y) log s(-a)] per sample: `log_logistic`, weights w_k / K, and 2u more."""
    scale = class_weights(options, a.value.shape[1]) / a.value.shape[1]
    losses, gradient = log_logistic(a, scale * y, scale * (1.0 - y), arithmetic)
    slope_error = gradient.error + 2.0 * arithmetic.unit * gradient.magnitude
    return over_samples(losses, arithmetic), Rounded(gradient.value, slope_error)


def cross_entropy(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = -sum_k w_k q_k log p_k per sample, p = softmax(a), q = (1 - smoothing) target + smoothing / K.

    g = B p - w q, B = sum_k w_k q_k:   e_g = B e_p + 4u|g| + 3u(B p + w q) + gamma_{K+4} B (p + e_p).   The last term
    stands for the sum B, and vanishes for a plain class index, where B = 1.   e_C = sum w q e_logp + gamma_{K+4} C.
    A smoothing that is rounded moves w q by w (target + 1 / K) as much, which counts where 1 - smoothing cancels.
    """
    u, classes = arithmetic.unit, a.value.shape[1]
    rows = shifted(a)
    p, logp = probabilities(a, arithmetic, rows), log_probabilities(a, arithmetic, rows)
    smoothing, indexed = float(options["label_smoothing"]), y.ndim == 1
    target = one_hot(y, classes, int(options["ignore_index"])) if indexed else y
    counted = target.sum(axis=1, keepdims=True) > 0.0 if indexed else np.ones((len(y), 1), dtype=bool)
    smoothed = (1.0 - smoothing) * target + np.where(counted, smoothing / classes, 0.0)
    share = class_weights(options, classes) * smoothed
    total = row_sums(share)
    kept = total * p.value
    g = kept - share
    error = total * p.error + 4.0 * u * np.abs(g) + 3.0 * u * (kept + share)
    if not indexed or smoothing or options.get("weight") is not None:
        error += arithmetic.gamma(classes + 4) * total * p.magnitude
    share_error = np.zeros_like(share)
    if smoothing:
        rounded = arithmetic.parameter_error(smoothing)
        share_error = rounded * class_weights(options, classes) * (target + counted / classes)
        error += share_error + row_sums(share_error) * p.magnitude
    # Only the target's own logarithm counts where the target is an index and not smoothed.
    terms = len(y) if indexed and not smoothing else None
    shares = share * logp.error + share_error * logp.magnitude
    losses = over_samples(Rounded(-share * logp.value, shares), arithmetic, terms=terms)
    return losses, Rounded(g, error)

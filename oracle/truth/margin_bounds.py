"""The rounding bounds of the margin losses, whose gradients jump where a margin meets 0; legend in `loss_terms.py`."""

from __future__ import annotations

import numpy as np

from backproof.truth.arithmetic import Arithmetic, Array, Rounded
from backproof.truth.loss_terms import Bounded, Losses, Options, class_weights, over_samples

GRAIN = 2.0**12
"""Numbers that are multiples of 1/GRAIN and small are added without rounding in both dtypes: see `is_added_exactly`."""


def hinge_embedding(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = a where y = 1, max(0, margin - a) where y = -1; g = 1 or -[a <= margin], which jumps by 1 at the margin."""
    u, margin = arithmetic.unit, float(options["margin"])
    gap = margin - a.value
    near = arithmetic.meets_kink(gap, a.error + arithmetic.parameter_error(margin)) & (y < 0.0)
    g = np.where(y > 0.0, 1.0, np.where(gap >= 0.0, -1.0, 0.0))
    value = np.where(y > 0.0, a.value, np.maximum(gap, 0.0))
    value_error = a.error + np.where(y > 0.0, 0.0, 2.0 * u * (abs(margin) + a.magnitude))
    return Rounded(value, value_error), Rounded(g, np.where(near, 1.0, 0.0))


def multi_margin(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = (w_y / K) sum_{k != y} max(0, m_k)^p per sample, m_k = margin - a_y + a_k.

    g_k = p (w_y / K) max(0, m_k)^(p-1) and g_y = -sum g_k.   p = 1: g_k may jump by w_y / K where m_k meets 0;
    p = 2: e_g = 2 (w_y / K)(e_m + 5u m), e_C = (w_y / K) sum (2 m + 3 e_m) e_m as for mse.   g_y collects the errors of
    the others, and gamma_K of their sum; this sum includes the entries whose slope may jump.
    """
    u, classes, power, margin = arithmetic.unit, a.value.shape[1], int(options["p"]), float(options["margin"])
    rows, own = np.arange(len(y)), y.astype(np.int64)
    scale = class_weights(options, classes)[own][:, None] / classes
    mine, mine_error = a.value[rows, own][:, None], a.error[rows, own][:, None]
    gap = margin - mine + a.value
    e_gap = margin_error(Rounded(a.value, a.error), Rounded(mine, mine_error), margin, arithmetic)
    other = np.ones_like(gap, dtype=bool)
    other[rows, own] = False
    near = other & arithmetic.meets_kink(gap, e_gap)
    active = np.where(other, np.maximum(gap, 0.0), 0.0)
    moved = np.where(other & ((gap + e_gap > 0.0) | near), e_gap, 0.0)
    reach = active + moved
    if power == 1:
        g = scale * (active > 0.0)
        error = np.where(near, scale, 0.0) + 3.0 * u * np.where(near, scale, g)
        entry_error = scale * (moved + 3.0 * u * reach)
    else:
        g = 2.0 * scale * active
        error = 2.0 * scale * (moved + 5.0 * u * reach)
        entry_error = scale * ((2.0 * active + 3.0 * moved) * moved + 5.0 * u * reach * reach)
    g[rows, own] = -g.sum(axis=1)
    others = error.sum(axis=1)
    error[rows, own] = others + arithmetic.gamma(classes) * (np.abs(g[rows, own]) + others)
    return over_samples(Rounded(scale * active**power, entry_error), arithmetic), Rounded(g, error)


def multilabel_margin(a: Rounded, y: Array, options: Options, arithmetic: Arithmetic) -> Bounded:
    """C = (1/K) sum max(0, 1 - (a_j - a_i)) over j in the targets and i not, per sample.

    Every active pair adds 1/K to g_i and takes it from g_j, and a pair whose margin meets 0 may do so or not. y lists
    the targets of a row; -1 ends the list.
    """
    batch, classes = a.value.shape
    listed = np.nonzero(np.cumprod(y >= 0, axis=1))
    target = np.zeros((batch, classes), dtype=bool)
    target[listed[0], y[listed].astype(np.int64)] = True
    pair = target[:, :, None] & ~target[:, None, :]
    wanted = Rounded(a.value[:, :, None], a.error[:, :, None])
    unwanted = Rounded(a.value[:, None, :], a.error[:, None, :])
    gap = 1.0 - wanted.value + unwanted.value
    e_gap = margin_error(unwanted, wanted, 1.0, arithmetic)
    near = pair & arithmetic.meets_kink(gap, e_gap)
    active = pair & (gap > 0.0)
    received, given = active.sum(axis=1) / classes, active.sum(axis=2) / classes
    jumps = (near.sum(axis=1) + near.sum(axis=2)) / classes
    error = jumps + arithmetic.gamma(classes + 1) * (received + given + jumps)
    moved = np.where(pair & ((gap + e_gap > 0.0) | near), e_gap, 0.0)
    size = np.where(active, gap, 0.0) + moved
    sizes = size.sum(axis=(1, 2)) / classes
    value_error = moved.sum(axis=(1, 2)) / classes + arithmetic.gamma(classes * classes + 4) * sizes
    value = np.where(active, gap, 0.0).sum(axis=(1, 2)) / classes
    return Losses(value, value_error, sizes, int(pair.sum())), Rounded(received - given, error)


def margin_error(a: Rounded, b: Rounded, margin: float, arithmetic: Arithmetic) -> Array:
    """e of m = margin - b + a: e_a + e_b + 3u(|margin| + |b| + |a|) + 3 eta, the rounding left out where there is none.

    The eta are those of a margin and of sums that are flushed to zero.
    """
    moved = a.error + b.error
    rounding = 3.0 * (arithmetic.unit * (abs(margin) + np.abs(b.value) + np.abs(a.value)) + arithmetic.smallest)
    exact = (moved == 0.0) & is_added_exactly(a.value, b.value, margin, arithmetic)
    result: Array = moved + np.where(exact, 0.0, rounding)
    return result


def is_added_exactly(a: Array, b: Array, constant: float, arithmetic: Arithmetic) -> Array:
    """Where constant - b + a has no rounding in any order: multiples of 1/GRAIN that sum to less than 1/(u GRAIN)."""
    whole = (a * GRAIN == np.rint(a * GRAIN)) & (b * GRAIN == np.rint(b * GRAIN))
    small = np.abs(a) + np.abs(b) + abs(constant) < 1.0 / (arithmetic.unit * GRAIN)
    result: Array = whole & small & (constant * GRAIN == np.rint(constant * GRAIN))
    return result

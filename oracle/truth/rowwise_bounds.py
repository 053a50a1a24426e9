"""The rounding bound of the row-wise activations: softmax, softmin, log_softmax.

A row of K preactivations z with errors e_z, E = max e_z, m = max z. log-sum-exp moves by at most E where every z does
(it is 1-Lipschitz in the maximum norm), so that p_i = s(w_i), the sigmoid of w_i = z_i - log sum_{j != i} exp(z_j),
moves as w_i by 2E: the odds p/(1 - p) by a factor 1 + t at most, t = expm1(2E). Of two such odds, o and o (1 + t), the
probabilities differ by o t/((1 + o)(1 + o (1 + t))). That is at most p (1 - p) t (1 + t) for every p whose odds are
between o/(1 + t) and o (1 + t): (1 + o')^2/o' is convex in the odds o' of p, and at both ends at most (1 + t) times
what stands against it. So |p~ - p_true| <= p (1 - p) t (1 + t) for a p that may itself be off by E.
The Jacobian product is p * (s - sum p s) for softmax, s - p sum s for log_softmax.

The arithmetic of p, in units of u relative to it, with S = sum exp(z - m) <= K: an exponential errs by 5, its argument
by |z - m|; the sum S by the mean of these over p, which is 5 + log K at most, and K - 1; the quotient by 1: together
K + 10 + log K + |z - m|.  The form exp(z - l), l = m + log S, has the sum's error in l, 4 log S of the logarithm and
|l| of the sum, then |z - l| <= |z - m| + log S of the difference: 6 log K + |m| in all.  log p = z - l likewise, with
|log p| for the difference. The textbook's logarithm of a computed p has all of that p's error, 4 |log p| of its own,
and what p loses where it underflows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from backproof.truth.arithmetic import Arithmetic, Array, Rounded, highest, row_sums

APART: Final = 8.0
"""Where rounding may move z by more, a p that has underflowed here to 0 may be anything: exp(-745 + 4 * 8) is still
below the smallest normal number of float64."""


class Shifted(NamedTuple):
    """What softmax and log_softmax of z have in common: `distance` is |z - m|, (N, K); `largest_error` E, (N, 1)."""

    below: Array  # z - m, (N, K)
    distance: Array
    top: Array  # |m|, (N, 1)
    exponentials: Array  # exp(z - m), (N, K)
    sums: Array  # S, (N, 1)
    largest_error: Array


def shifted(z: Rounded) -> Shifted:
    """Every row of z with its largest entry taken off."""
    top = z.value.max(axis=1, keepdims=True)
    below = z.value - top
    exponentials = np.exp(below)
    largest_error = z.error.max(axis=1, keepdims=True)
    return Shifted(below, np.abs(below), np.abs(top), exponentials, row_sums(exponentials), largest_error)


def probabilities(z: Rounded, arithmetic: Arithmetic, rows: Shifted | None = None) -> Rounded:
    """softmax(z) per row, shape (N, K); `rows` is `shifted(z)`, where it is known.

    e_p = min(1, p (1 - p) t (1 + t) + p (1 + t)^2 u (K + 10 + 6 log K + 2|z - m| + |m|)) + eta, t = expm1(2E); 1 where
    E > APART. The p that is computed here is off by less than 2^-40, which 1 - p must not hide.
    """
    rows = shifted(z) if rows is None else rows
    p = rows.exponentials / rows.sums
    if p.shape[1] == 1:
        # exp(z - z) / exp(z - z), or exp(z) / exp(z): the one class has probability 1 in every correct form.
        return Rounded(p, np.zeros_like(p))
    t = np.expm1(np.minimum(2.0 * rows.largest_error, 350.0))
    grown = 1.0 + t
    classes = p.shape[1]
    u, plain = arithmetic.unit, classes + 10.0 + 6.0 * math.log(classes)
    units = (2.0 * u) * rows.distance + u * (plain + rows.top)
    error = p * (((1.0 + 2.0**-40) - p) * (t * grown) + (grown * grown) * units)
    if not highest(error) <= 1.0:
        error = np.minimum(1.0, error)
    if not highest(rows.largest_error) <= APART:
        error[rows.largest_error[:, 0] > APART] = 1.0
    return Rounded(p, error + arithmetic.smallest, size=p)


def log_probabilities(z: Rounded, arithmetic: Arithmetic, rows: Shifted | None = None) -> Rounded:
    """log_softmax(z) = z - logsumexp(z) per row; `rows` as above.

    e = e_z + E + u (K + 8 + 5 log K + 2|z - m| + |m| + 2|log p|) + eta;  the textbook's log(p) has u (2 + 2|log p|)
    and 2 eta / p more, and p may be as small as exp(log p - e_z - E); infinite where that may be eta.
    """
    rows = shifted(z) if rows is None else rows
    classes = rows.below.shape[1]
    logp = rows.below - np.log(rows.sums)
    size = np.abs(logp)
    u, plain = arithmetic.unit, classes + 8.0 + 5.0 * math.log(classes)
    units = (2.0 * u) * (rows.distance + size) + u * (plain + rows.top)
    error = z.error + units + (rows.largest_error + arithmetic.smallest)
    if arithmetic.forms == "textbook":
        lost = arithmetic.smallest * np.exp(size + z.error + rows.largest_error)
        error += u * (2.0 + 2.0 * size) + np.where(lost <= 0.5, 2.0 * lost, np.inf)
    return Rounded(logp, error, size=size)


@dataclass(frozen=True, slots=True)
class SoftmaxJacobian:
    """delta = sign * p (s - t), t = sum p s, at a row's probabilities; sign is -1 for softmin."""

    p: Rounded
    sign: float
    arithmetic: Arithmetic

    def pull_back(self, s: Rounded) -> Rounded:
        """BP1 and BP2 through softmax.

        e_t = sum[p e_s + e_p (|s| + 3 e_s) + gamma_{K+2} (p + e_p) h],  H = h + |t| + e_t,
        e_delta = p (e_s + e_t) + e_p (|s - t| + 3 (e_s + e_t)) + gamma_{K+2} (p + e_p) H + (K + 2) eta, with h = |s| +
        e_s; the eta are the products' underflow, and eta sum h is that of p p^T, before it meets s. The 3s are those
        of `rounding.py`. The K + 2 are those of s (diag(p) - p p^T), a sum of K terms; p (s - t) has three. One class:
        p = 1, s - s = 0, exactly.
        """
        p, h = self.p, s.magnitude
        if p.value.shape[1] == 1:
            return Rounded(np.zeros_like(p.value), np.where(np.isfinite(h), 0.0, np.inf))
        largest = p.magnitude
        t = row_sums(p.value * s.value)
        gamma = self.arithmetic.gamma(p.value.shape[1] + 2)
        spread = gamma * largest
        e_t = row_sums(p.value * s.error + p.error * (s.size + 3.0 * s.error) + spread * h)
        reach = h + np.abs(t) + e_t
        difference, moved = s.value - t, s.error + e_t
        error = p.value * moved + p.error * (np.abs(difference) + 3.0 * moved) + spread * reach
        self.arithmetic.underflow_in_place(error, p.value.shape[1] + 2)
        error += self.arithmetic.smallest * row_sums(h)
        return Rounded(self.sign * p.value * difference, error)

    def push_forward(self, dz: Rounded) -> Rounded:
        """da = sign * p (dz - sum p dz): the Jacobian is symmetric."""
        return self.pull_back(dz)

    def leading(self, s: Array) -> Array:
        """sign * p s, from which p sum p s is taken off."""
        return self.sign * self.p.value * s


@dataclass(frozen=True, slots=True)
class LogSoftmaxJacobian:
    """delta = s - p sum(s)."""

    p: Rounded
    arithmetic: Arithmetic

    def pull_back(self, s: Rounded) -> Rounded:
        """BP1 and BP2 through log_softmax, S = sum s.

        e_S = sum e_s + gamma_{K+2} sum h;  e_delta = e_s + p e_S + e_p (|S| + 3 e_S) + gamma_{K+2} (h + (p + e_p)(|S|
        + e_S)) + eta, where s (I - 1 p) is a sum of K terms.
        """
        p, h = self.p, s.magnitude
        total = row_sums(s.value)
        gamma = self.arithmetic.gamma(p.value.shape[1] + 2)
        e_total = row_sums(s.error + gamma * h)
        reach = np.abs(total) + e_total
        error = s.error + p.value * e_total + p.error * (reach + 2.0 * e_total)
        error += gamma * (h + (p.value + p.error) * reach)
        self.arithmetic.underflow_in_place(error)
        return Rounded(s.value - p.value * total, error)

    def push_forward(self, dz: Rounded) -> Rounded:
        """da = dz - t, t = sum p dz:  e_t as in `SoftmaxJacobian`, with gamma_{K+1};  e_da = e_dz + e_t + 2u H.

        A term of t is rounded in its product and in K - 1 sums, K times at most, and the difference once: gamma_{K+1}
        and 2u each leave one to spare. This form alone is covered, no matrix I - 1 p^T that is made first.
        """
        p, h = self.p, dz.magnitude
        t = row_sums(p.value * dz.value)
        gamma = self.arithmetic.gamma(p.value.shape[1] + 1)
        e_t = row_sums(p.value * dz.error + p.error * (dz.size + 3.0 * dz.error) + gamma * p.magnitude * h)
        error = dz.error + e_t + 2.0 * self.arithmetic.unit * (h + np.abs(t) + e_t)
        return Rounded(dz.value - t, error)

    def leading(self, s: Array) -> Array:
        """s, from which p sum s is taken off."""
        return s


def softmax(z: Rounded, arithmetic: Arithmetic) -> tuple[Rounded, SoftmaxJacobian]:
    """softmax and its Jacobian product at z."""
    p = probabilities(z, arithmetic)
    return p, SoftmaxJacobian(p, 1.0, arithmetic)


def softmin(z: Rounded, arithmetic: Arithmetic) -> tuple[Rounded, SoftmaxJacobian]:
    """softmin(z) = softmax(-z); the negation is exact."""
    p = probabilities(Rounded(-z.value, z.error), arithmetic)
    return p, SoftmaxJacobian(p, -1.0, arithmetic)


def log_softmax(z: Rounded, arithmetic: Arithmetic) -> tuple[Rounded, LogSoftmaxJacobian]:
    """log_softmax and its Jacobian product at z."""
    rows = shifted(z)
    return log_probabilities(z, arithmetic, rows), LogSoftmaxJacobian(probabilities(z, arithmetic, rows), arithmetic)


RowwiseBound = Callable[[Rounded, Arithmetic], tuple[Rounded, SoftmaxJacobian | LogSoftmaxJacobian]]
ROWWISE_BOUNDS: dict[str, RowwiseBound] = {"softmax": softmax, "softmin": softmin, "log_softmax": log_softmax}

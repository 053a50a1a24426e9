"""The rounding bound of the row-wise activations: softmax, softmin, log_softmax.

A row of K preactivations z with errors e_z, E = max e_z, m = max z. Moving every z by at most E moves no exp(z_i -
z_j) by more than a factor exp(2E), so  |p~ - p| <= p expm1(2E).  log-sum-exp itself moves by at most E (it is
1-Lipschitz in the maximum norm).  The Jacobian product is p * (s - sum p s) for softmax, s - p sum s for log_softmax.

The arithmetic of p, in units of u relative to it, with S = sum exp(z - m) <= K: an exponential errs by 5, its argument
by |z - m|; the sum S by the mean of these over p, which is 5 + log K at most, and K - 1; the quotient by 1: together
K + 10 + log K + |z - m|.  The form exp(z - l), l = m + log S, has the sum's error in l, 4 log S of the logarithm and
|l| of the sum, then |z - l| <= |z - m| + log S of the difference: 6 log K + |m| in all.  log p likewise, with 2 |log p|
for the difference, or for the logarithm of p in forms that take it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backproof.truth.arithmetic import SEARCH, Arithmetic, Array, Rounded, highest, row_sums


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

    e_p = min(1, p [expm1(2 f E) + (1 + 2 f E) u (K + 10 + 6 log K + 2|z - m| + |m|)]) + eta.
    """
    rows = shifted(z) if rows is None else rows
    p = rows.exponentials / rows.sums
    if p.shape[1] == 1:
        # exp(z - z) / exp(z - z), or exp(z) / exp(z): the one class has probability 1 in every correct form.
        return Rounded(p, np.zeros_like(p))
    spread = 2.0 * SEARCH * rows.largest_error
    classes = p.shape[1]
    u, plain = arithmetic.unit, classes + 10.0 + 6.0 * math.log(classes)
    units = (2.0 * u) * rows.distance + u * (plain + rows.top)
    moved = np.expm1(np.minimum(spread, 700.0)) + (1.0 + spread) * units
    error = p * moved
    if not highest(error) <= 1.0:
        error = np.minimum(1.0, error)
    return Rounded(p, error + arithmetic.smallest, size=p)


def log_probabilities(z: Rounded, arithmetic: Arithmetic, rows: Shifted | None = None) -> Rounded:
    """log_softmax(z) = z - logsumexp(z) per row; `rows` as above.

    e = e_z + E + u (K + 8 + 5 log K + 2|z - m| + |m| + 2|log p|).
    """
    rows = shifted(z) if rows is None else rows
    classes = rows.below.shape[1]
    logp = rows.below - np.log(rows.sums)
    size = np.abs(logp)
    u, plain = arithmetic.unit, classes + 8.0 + 5.0 * math.log(classes)
    units = (2.0 * u) * (rows.distance + size) + u * (plain + rows.top)
    error = z.error + units + (rows.largest_error + arithmetic.smallest)
    return Rounded(logp, error, size=size)


@dataclass(frozen=True, slots=True)
class SoftmaxJacobian:
    """delta = sign * p (s - t), t = sum p s, at a row's probabilities; sign is -1 for softmin."""

    p: Rounded
    sign: float
    arithmetic: Arithmetic

    def pull_back(self, s: Rounded) -> Rounded:
        """BP1 and BP2 through softmax.

        e_t = sum[(p + e_p) e_s + e_p |s| + gamma_{K+2} (p + e_p) h],  H = h + |t| + e_t,
        e_delta = p (e_s + e_t) + e_p H + gamma_{K+2} (p + e_p) H + (K + 2) eta, with h = |s| + e_s; the eta are the
        products' underflow. The K + 2 are those of s (diag(p) - p p^T), a sum of K terms; p (s - t) has three. One
        class: p = 1, s - s = 0, exactly.
        """
        p, h = self.p, s.magnitude
        if p.value.shape[1] == 1:
            return Rounded(np.zeros_like(p.value), np.where(np.isfinite(h), 0.0, np.inf))
        largest = p.magnitude
        t = row_sums(p.value * s.value)
        gamma = self.arithmetic.gamma(p.value.shape[1] + 2)
        spread = gamma * largest
        e_t = row_sums(largest * s.error + p.error * s.size + spread * h)
        reach = h + np.abs(t) + e_t
        error = p.value * (s.error + e_t) + (p.error + spread) * reach
        self.arithmetic.underflow_in_place(error, p.value.shape[1] + 2)
        return Rounded(self.sign * p.value * (s.value - t), error)

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

        e_S = sum e_s + gamma_{K+2} sum h;  e_delta = e_s + p e_S + e_p (|S| + e_S) + gamma_{K+2} (h + (p + e_p)(|S| +
        e_S)) + eta, where s (I - 1 p) is a sum of K terms.
        """
        p, h = self.p, s.magnitude
        total = row_sums(s.value)
        gamma = self.arithmetic.gamma(p.value.shape[1] + 2)
        e_total = row_sums(s.error + gamma * h)
        reach = np.abs(total) + e_total
        error = s.error + p.value * e_total + p.error * reach
        error += gamma * (h + (p.value + p.error) * reach)
        self.arithmetic.underflow_in_place(error)
        return Rounded(s.value - p.value * total, error)

    def push_forward(self, dz: Rounded) -> Rounded:
        """da = dz - t, t = sum p dz:  e_t as in `SoftmaxJacobian`;  e_da = e_dz + e_t + 2u (h + |t| + e_t)."""
        p, h = self.p, dz.magnitude
        largest = p.magnitude
        t = row_sums(p.value * dz.value)
        gamma = self.arithmetic.gamma(p.value.shape[1] + 1)
        e_t = row_sums(largest * dz.error + p.error * dz.size + gamma * largest * h)
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

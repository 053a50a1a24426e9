"""The ways people write each loss and its gradient dC/da in NumPy, before any reduction: what the bounds must admit.

value(a, y, o) gives the unreduced losses, (N, O) or (N,); gradient(a, y, o) is (N, O). a and y are in the dtype whose
arithmetic is meant, o holds torch's keywords, arrays included. A name with * is a textbook form that loses digits in
the tail, which only forms="textbook" admits; one that begins with "other tie" takes another subgradient than PyTorch
where there are several, which only kinks="any" admits; one that begins with "unshifted" overflows for large a.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Form = Callable[[Array, Array, Mapping[str, Any]], Array]


def s(a: Array) -> Array:
    """The logistic function without overflow."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1 / (1 + e), e / (1 + e)).astype(a.dtype)


def sp(a: Array) -> Array:
    """log(1 + exp(a)) without overflow."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def in_sequence(terms: Array) -> Array:
    """The sum of each row as a loop computes it, one term after the other in their own dtype."""
    return np.cumsum(terms, axis=1, dtype=terms.dtype)[:, -1]


def weight(a: Array, o: Mapping[str, Any], name: str = "weight") -> Array:
    """Class weights or pos_weight, (O,); ones where there are none."""
    return np.ones(a.shape[1], a.dtype) if o.get(name) is None else o[name]


def shares(a: Array, y: Array, o: Mapping[str, Any]) -> Array:
    """What each class counts in cross_entropy and nll, (N, O): its weight times its smoothed target."""
    smoothing = o.get("label_smoothing", 0.0)
    target = y
    if y.ndim == 1:
        target = (y[:, None] == np.arange(a.shape[1])).astype(a.dtype)
    kept = target if smoothing == 0.0 else (1 - smoothing) * target + smoothing / a.shape[1]
    if y.ndim == 1:
        kept = kept * (y != o["ignore_index"])[:, None]
    return (kept * weight(a, o)).astype(a.dtype)


def softmax(a: Array) -> Array:
    """The usual one."""
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def log_softmax(a: Array) -> Array:
    """The usual one."""
    below = a - a.max(axis=1, keepdims=True)
    return below - np.log(np.exp(below).sum(axis=1, keepdims=True))


def lse(a: Array) -> Array:
    """log sum exp by the largest, (N, 1)."""
    top = a.max(axis=1, keepdims=True)
    return top + np.log(np.exp(a - top).sum(axis=1, keepdims=True))


def variance(a: Array, o: Mapping[str, Any]) -> Array:
    """max(var, eps)."""
    return np.maximum(o["var"], a.dtype.type(o["eps"]))


def stirling(y: Array, o: Mapping[str, Any]) -> Array:
    """y log y - y + 1/2 log(2 pi y) where y > 1, in poisson_nll with `full`."""
    t = np.maximum(y, 1)
    tail = t * np.log(t) - t + 0.5 * np.log(2 * math.pi * t)
    return np.where((y > 1) & o["full"], tail, 0).astype(y.dtype)


def gaps(a: Array, y: Array, o: Mapping[str, Any]) -> Array:
    """margin - a_y + a_k, (N, O), and -1 at k = y."""
    rows = np.arange(len(y))
    found = o["margin"] - a[rows, y][:, None] + a
    found[rows, y] = -1
    return found.astype(a.dtype)


def gathered(slopes: Array, y: Array) -> Array:
    """The slopes of multi_margin with minus their sum at the target."""
    slopes[np.arange(len(y)), y] = -slopes.sum(axis=1)
    return slopes


def loops(a: Array, y: Array, *, gradient: bool) -> Array:
    """multilabel_margin as its definition reads: two loops over classes."""
    batch, classes = a.shape
    loss, slope = np.zeros(batch, a.dtype), np.zeros_like(a)
    share = a.dtype.type(1) / a.dtype.type(classes)
    for n in range(batch):
        listed = []
        for j in y[n]:
            if j < 0:
                break
            listed.append(int(j))
        for j in listed:
            for i in range(classes):
                gap = a.dtype.type(1) - (a[n, j] - a[n, i])
                if i not in listed and gap > 0:
                    loss[n] += gap
                    slope[n, i] += share
                    slope[n, j] -= share
    return slope if gradient else loss / a.dtype.type(classes)


VALUES: dict[str, dict[str, Form]] = {
    "mse": {
        "d**2": lambda a, y, o: (a - y) ** 2,
        "d d": lambda a, y, o: (y - a) * (y - a),
        "|d|^2": lambda a, y, o: np.square(np.abs(a - y)),
    },
    "half_squared_error": {
        "sum/2": lambda a, y, o: np.sum((a - y) ** 2, axis=1) / 2,
        "0.5 in a loop": lambda a, y, o: in_sequence(0.5 * (a - y) ** 2),
        "norm(d)**2": lambda a, y, o: 0.5 * np.linalg.norm(a - y, axis=1) ** 2,
        "einsum": lambda a, y, o: 0.5 * np.einsum("no,no->n", a - y, a - y),
    },
    "l1": {"|d|": lambda a, y, o: np.abs(a - y), "max(d,-d)": lambda a, y, o: np.maximum(a - y, y - a)},
    "smooth_l1": {
        "0.5 d d/beta": lambda a, y, o: np.where(
            np.abs(a - y) < o["beta"], 0.5 * (a - y) * (a - y) / o["beta"], np.abs(a - y) - 0.5 * o["beta"]
        ),
        "d d/(2 beta), <=": lambda a, y, o: np.where(
            np.abs(a - y) <= o["beta"], (a - y) ** 2 / (2 * o["beta"]), np.abs(a - y) - o["beta"] / 2
        ),
        "min(|d|,beta)": lambda a, y, o: (
            0.5 * np.minimum(np.abs(a - y), o["beta"]) ** 2 / o["beta"] + np.maximum(np.abs(a - y) - o["beta"], 0)
        ),
    },
    "huber": {
        "by where": lambda a, y, o: np.where(
            np.abs(a - y) <= o["delta"], 0.5 * (a - y) ** 2, o["delta"] * (np.abs(a - y) - 0.5 * o["delta"])
        ),
        "delta |d| - delta^2/2": lambda a, y, o: np.where(
            np.abs(a - y) < o["delta"], (a - y) ** 2 / 2, o["delta"] * np.abs(a - y) - 0.5 * o["delta"] ** 2
        ),
        "clipped": lambda a, y, o: (
            0.5 * np.minimum(np.abs(a - y), o["delta"]) ** 2
            + o["delta"] * (np.abs(a - y) - np.minimum(np.abs(a - y), o["delta"]))
        ),
    },
    "gaussian_nll": {
        "(log v + d^2/v)/2": lambda a, y, o: (
            0.5 * (np.log(variance(a, o)) + (a - y) ** 2 / variance(a, o)) + 0.5 * math.log(2 * math.pi) * o["full"]
        ),
        "log(2 pi v)/2 + d^2/(2v)": lambda a, y, o: (
            0.5 * np.log((2 * math.pi if o["full"] else 1) * variance(a, o)) + (a - y) ** 2 / (2 * variance(a, o))
        ),
        "(d/sqrt v)^2": lambda a, y, o: (
            np.log(np.sqrt(variance(a, o)))
            + 0.5 * ((a - y) / np.sqrt(variance(a, o))) ** 2
            + math.log(math.sqrt(2 * math.pi)) * o["full"]
        ),
    },
    "linear": {
        "sum(y a)": lambda a, y, o: (y * a).sum(axis=1),
        "in a loop": lambda a, y, o: in_sequence(y * a),
        "einsum": lambda a, y, o: np.einsum("no,no->n", a, y),
    },
    "bce": {
        "y log p + (1-y) log(1-p)": lambda a, y, o: -(y * np.log(a) + (1 - y) * np.log(1 - a)),
        "log1p(-p)": lambda a, y, o: -y * np.log(a) - (1 - y) * np.log1p(-a),
        "by label": lambda a, y, o: np.where(y == 1, -np.log(a), -(y * np.log(a) + (1 - y) * np.log(1 - a))),
    },
    "categorical_cross_entropy": {
        "-sum y log p": lambda a, y, o: -np.sum(y * np.log(a), axis=1),
        "in a loop": lambda a, y, o: -in_sequence(y * np.log(a)),
        "sum y log(1/p)": lambda a, y, o: np.sum(np.where(y > 0, y * -np.log(a), 0), axis=1),
    },
    "nll": {
        "-w_y a_y": lambda a, y, o: -np.sum(shares(a, y, o) * a, axis=1),
        "indexed": lambda a, y, o: np.where(
            y == o["ignore_index"], 0, -weight(a, o)[y] * a[np.arange(len(y)), y]
        ).astype(a.dtype),
    },
    "kl_div": {
        "y (log y - a)": lambda a, y, o: (
            np.exp(y) * (y - a) if o["log_target"] else np.where(y > 0, y * (np.log(np.where(y > 0, y, 1)) - a), 0)
        ),
        "y log y - y a": lambda a, y, o: (
            np.exp(y) * y - np.exp(y) * a
            if o["log_target"]
            else np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0) - y * a
        ),
    },
    "poisson_nll": {
        "exp(a) - y a": lambda a, y, o: (
            (np.exp(a) - y * a if o["log_input"] else a - y * np.log(a + o["eps"])) + stirling(y, o)
        ),
        "constant first": lambda a, y, o: (
            stirling(y, o) - y * (a if o["log_input"] else np.log(a + o["eps"])) + (np.exp(a) if o["log_input"] else a)
        ),
    },
    "bce_with_logits": {
        "softplus by sign": lambda a, y, o: y * weight(a, o, "pos_weight") * sp(-a) + (1 - y) * sp(a),
        "(1-y) a + w softplus(-a)": lambda a, y, o: (
            (1 - y) * a
            + (1 + (weight(a, o, "pos_weight") - 1) * y) * (np.log1p(np.exp(-np.abs(a))) + np.maximum(-a, 0))
        ),
        "logaddexp": lambda a, y, o: (
            y * weight(a, o, "pos_weight") * np.logaddexp(0, -a) + (1 - y) * np.logaddexp(0, a)
        ).astype(a.dtype),
        "log s and log(1-s) *": lambda a, y, o: (
            -(y * weight(a, o, "pos_weight") * np.log(s(a)) + (1 - y) * np.log(1 - s(a)))
        ),
    },
    "soft_margin": {
        "log1p(exp(-y a)) *": lambda a, y, o: np.log1p(np.exp(-y * a)),
        "logaddexp": lambda a, y, o: np.logaddexp(0, -y * a).astype(a.dtype),
        "softplus": lambda a, y, o: sp(-y * a),
        "log(1+exp(-y a)) *": lambda a, y, o: np.log(1 + np.exp(-y * a)),
        "-log s(y a) *": lambda a, y, o: -np.log(s(y * a)),
    },
    "multilabel_soft_margin": {
        "mean of softplus": lambda a, y, o: np.mean(weight(a, o) * (y * sp(-a) + (1 - y) * sp(a)), axis=1),
        "w/K in a loop": lambda a, y, o: in_sequence(weight(a, o) / a.shape[1] * (y * sp(-a) + (1 - y) * sp(a))),
        "log s and log(1-s) *": lambda a, y, o: (
            -np.mean(weight(a, o) * (y * np.log(s(a)) + (1 - y) * np.log(1 - s(a))), axis=1)
        ),
    },
    "cross_entropy": {
        "log_softmax": lambda a, y, o: -np.sum(shares(a, y, o) * log_softmax(a), axis=1),
        "lse - a": lambda a, y, o: np.sum(shares(a, y, o) * (lse(a) - a), axis=1),
        "unshifted log of the sum": lambda a, y, o: np.sum(
            shares(a, y, o) * (np.log(np.exp(a).sum(axis=1, keepdims=True)) - a), axis=1
        ),
        "log softmax(a) *": lambda a, y, o: -in_sequence(shares(a, y, o) * np.log(softmax(a))),
    },
    "hinge_embedding": {
        "where": lambda a, y, o: np.where(y == 1, a, np.maximum(0, o["margin"] - a)),
        "relu": lambda a, y, o: (y == 1) * a + (y == -1) * np.maximum(o["margin"] - a, 0),
    },
    "multi_margin": {
        "sum/K": lambda a, y, o: weight(a, o)[y] * np.sum(np.maximum(gaps(a, y, o), 0) ** o["p"], axis=1) / a.shape[1],
        "w/K in a loop": lambda a, y, o: in_sequence(
            weight(a, o)[y][:, None] / a.shape[1] * np.maximum(gaps(a, y, o), 0) ** o["p"]
        ),
    },
    "multilabel_margin": {"two loops": lambda a, y, o: loops(a, y, gradient=False)},
}


GRADIENTS: dict[str, dict[str, Form]] = {
    "mse": {
        "2 d": lambda a, y, o: 2 * (a - y),
        "-2 (y - a)": lambda a, y, o: -2 * (y - a),
        "d + d": lambda a, y, o: (a - y) + (a - y),
    },
    "half_squared_error": {"d": lambda a, y, o: a - y, "-(y - a)": lambda a, y, o: -(y - a)},
    "l1": {
        "sign(d)": lambda a, y, o: np.sign(a - y),
        "a > y": lambda a, y, o: (a > y).astype(a.dtype) - (a < y),
        "d/|d|": lambda a, y, o: np.where(a == y, 0, (a - y) / np.abs(a - y)),
        "other tie: a >= y": lambda a, y, o: 2 * (a >= y).astype(a.dtype) - 1,
    },
    "smooth_l1": {
        "by where": lambda a, y, o: np.where(np.abs(a - y) < o["beta"], (a - y) / o["beta"], np.sign(a - y)),
        "clip(d/beta)": lambda a, y, o: np.clip((a - y) / o["beta"], -1, 1),
        "clip(d)/beta": lambda a, y, o: np.clip(a - y, -o["beta"], o["beta"]) / o["beta"],
        "d (1/beta), <=": lambda a, y, o: np.where(
            np.abs(a - y) <= o["beta"], (a - y) * (1 / o["beta"]), np.sign(a - y)
        ),
    },
    "huber": {
        "by where": lambda a, y, o: np.where(np.abs(a - y) <= o["delta"], a - y, o["delta"] * np.sign(a - y)),
        "clip": lambda a, y, o: np.clip(a - y, -o["delta"], o["delta"]),
    },
    "gaussian_nll": {
        "d/v": lambda a, y, o: (a - y) / variance(a, o),
        "d (1/v)": lambda a, y, o: (a - y) * (1 / variance(a, o)),
        "2 d/(2 v)": lambda a, y, o: 0.5 * (2 * (a - y) / variance(a, o)),
    },
    "linear": {"y": lambda a, y, o: y},
    "bce": {
        "(p-y)/(p(1-p))": lambda a, y, o: (a - y) / (a * (1 - a)),
        "(1-y)/(1-p) - y/p": lambda a, y, o: (1 - y) / (1 - a) - y / a,
        "-(y/p - (1-y)/(1-p))": lambda a, y, o: -(y / a - (1 - y) / (1 - a)),
        "-y (1/p) + (1-y) (1/(1-p))": lambda a, y, o: -y * (1 / a) + (1 - y) * (1 / (1 - a)),
    },
    "categorical_cross_entropy": {"-y/p": lambda a, y, o: -y / a, "-y (1/p)": lambda a, y, o: -y * (1 / a)},
    "nll": {"-w": lambda a, y, o: -shares(a, y, o)},
    "kl_div": {"-y": lambda a, y, o: -np.exp(y) if o["log_target"] else -y},
    "poisson_nll": {
        "exp(a) - y": lambda a, y, o: np.exp(a) - y if o["log_input"] else 1 - y / (a + o["eps"]),
        "(q - y)/q": lambda a, y, o: np.exp(a) - y if o["log_input"] else (a + o["eps"] - y) / (a + o["eps"]),
    },
    "bce_with_logits": {
        "(1-y) s(a) - w y s(-a)": lambda a, y, o: (1 - y) * s(a) - weight(a, o, "pos_weight") * y * s(-a),
        "(1-y) s(a) - w y (1 - s(a))": lambda a, y, o: (1 - y) * s(a) - weight(a, o, "pos_weight") * y * (1 - s(a)),
        "s(a) - y": lambda a, y, o: s(a) * (1 + (weight(a, o, "pos_weight") - 1) * y) - weight(a, o, "pos_weight") * y,
        "1/(1+exp(-a)) - y": lambda a, y, o: (
            (1 - y) * (1 / (1 + np.exp(-a))) - weight(a, o, "pos_weight") * y * (1 - 1 / (1 + np.exp(-a)))
        ),
        "(1-y) - (1-y + w y) s(-a)": lambda a, y, o: (1 - y) - ((1 - y) + weight(a, o, "pos_weight") * y) * s(-a),
    },
    "soft_margin": {
        "-y s(-y a)": lambda a, y, o: -y * s(-y * a),
        "-y/(1+exp(y a))": lambda a, y, o: -y / (1 + np.exp(y * a)),
        "-y (1 - s(y a))": lambda a, y, o: -y * (1 - s(y * a)),
        "-y e/(1+e)": lambda a, y, o: np.where(np.exp(-y * a) < np.inf, -y * np.exp(-y * a) / (1 + np.exp(-y * a)), -y),
    },
    "multilabel_soft_margin": {
        "w (s(a) - y)/K": lambda a, y, o: weight(a, o) * (s(a) - y) / a.shape[1],
        "(w/K) ((1-y) s(a) - y s(-a))": lambda a, y, o: weight(a, o) / a.shape[1] * ((1 - y) * s(a) - y * (1 - s(a))),
        "-(w/K) (y - s(a))": lambda a, y, o: -(weight(a, o) * (1 / a.shape[1])) * (y - s(a)),
    },
    "cross_entropy": {
        "p sum(q) - q": lambda a, y, o: softmax(a) * shares(a, y, o).sum(axis=1, keepdims=True) - shares(a, y, o),
        "exp(log p)": lambda a, y, o: np.exp(log_softmax(a)) * in_sequence(shares(a, y, o))[:, None] - shares(a, y, o),
        "exp(a - lse)": lambda a, y, o: (
            np.exp(a - lse(a)) * shares(a, y, o).sum(axis=1, keepdims=True) - shares(a, y, o)
        ),
        "unshifted exp(a)/sum": lambda a, y, o: (
            np.exp(a) / in_sequence(np.exp(a))[:, None] * shares(a, y, o).sum(axis=1, keepdims=True) - shares(a, y, o)
        ),
        "sum over targets": lambda a, y, o: np.sum(
            shares(a, y, o)[:, :, None] * (softmax(a)[:, None, :] - np.eye(a.shape[1], dtype=a.dtype)), axis=1
        ),
    },
    "hinge_embedding": {
        "where": lambda a, y, o: np.where(y == 1, 1, -(a <= o["margin"]).astype(a.dtype)),
        "other tie: -sign of the hinge": lambda a, y, o: np.where(y == 1, 1, -np.sign(np.maximum(o["margin"] - a, 0))),
    },
    "multi_margin": {
        "where": lambda a, y, o: gathered(
            (weight(a, o)[y][:, None] / a.shape[1] * o["p"])
            * np.maximum(gaps(a, y, o), 0) ** (o["p"] - 1)
            * (gaps(a, y, o) > 0),
            y,
        ),
        "counted": lambda a, y, o: gathered(
            o["p"]
            * np.maximum(gaps(a, y, o), 0) ** (o["p"] - 1)
            * (gaps(a, y, o) > 0)
            * weight(a, o)[y][:, None]
            / a.shape[1],
            y,
        ),
        "other tie: m >= 0": lambda a, y, o: gathered(
            o["p"]
            * np.maximum(gaps(a, y, o), 0) ** (o["p"] - 1)
            * (gaps(a, y, o) >= 0)
            * weight(a, o)[y][:, None]
            / a.shape[1],
            y,
        ),
    },
    "multilabel_margin": {"two loops": lambda a, y, o: loops(a, y, gradient=True)},
}

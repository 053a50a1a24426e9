"""Targets y of every kind, and the other arrays that a loss takes. One record per kind in TARGETS.

All are built by integer arithmetic, IEEE division and powers of two: no logarithm and no NumPy sum of floats, whose
last bit may differ between machines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.cases.fillings import Filling
from backproof.cases.formula import Formula
from backproof.cases.streams import Words

__all__ = ["TARGETS", "TargetKind", "TargetWords"]

Array = NDArray[Any]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TargetWords:
    """What y is drawn from.

    words: (2, N, O). labels: the classes of real data, (N,), or None.
    """

    filling: Filling
    loss: Formula
    words: Words
    labels: Integers | None


@dataclass(frozen=True)
class TargetKind:
    """How targets of one kind are made, and which arrays are such targets.

    wanted: what they are, in words; holds: which entries of (N, O), or which rows, are so.
    draw: the targets in float64, to be rounded to the case's dtype once, or in int64: class indices. None: numbers
    of any sign, drawn and scaled as x is.
    one_hot: what the true labels of real data become, given a one-hot (N, O) of 0 and 1; None where they do not apply.
    """

    draw: Callable[[TargetWords], Array] | None
    wanted: str
    holds: Callable[[Array], Array] = np.isfinite
    one_hot: Callable[[Integers], Array] | None = lambda one_hot: one_hot.astype(np.float64)


def _unit(source: TargetWords) -> Array:
    return source.filling.units(source.words[0])


def _count(source: TargetWords) -> Array:
    return source.filling.picks(source.words[0], 6).astype(np.float64)


def _sign(source: TargetWords) -> Array:
    return _signs(source.filling.picks(source.words[0], 2))


def _binary(source: TargetWords) -> Array:
    return source.filling.picks(source.words[0], 2).astype(np.float64)


def _class(source: TargetWords) -> Array:
    """Class indices (N,). Where ignore_index is set, about a quarter of them are ignored, never all."""
    first, second = source.words[:, :, 0]
    outputs = source.words.shape[2]
    ignored = int(source.loss.options.get("ignore_index", -100))
    if source.labels is not None:
        classes = source.labels
    elif 0 <= ignored < outputs:
        classes = source.filling.picks(first, outputs - 1)
        classes += classes >= ignored
    else:
        classes = source.filling.picks(first, outputs)
    if ignored == -100:
        return classes
    left_out = (second >> np.uint64(62) == 0) | (classes == ignored)
    if left_out.all():
        left_out[0] = False
        # A label may itself be the ignored class; the next class then stands for it.
        classes = np.where(classes == ignored, (ignored + 1) % outputs, classes)
    return np.where(left_out, ignored, classes)


def _distribution(source: TargetWords) -> Array:
    """Rows of whole numbers over their exact sum, so that each entry is rounded once; rows of zeros become one-hot."""
    masses = source.filling.masses(source.words)
    sums = masses.sum(axis=1)
    empty = sums == 0
    if empty.any():
        masses[empty, source.filling.picks(source.words[0, empty, 0], masses.shape[1])] = 1
        sums[empty] = 1
    shares: Array = masses / sums[:, np.newaxis]
    return shares


def _log_distribution(source: TargetWords) -> Array:
    """Negative numbers, drawn directly: their exponentials need not sum to 1, which kl_div does not ask for."""
    logs: Array = -source.filling.positives(source.words[0])
    return logs


def _classes(source: TargetWords) -> Array:
    """Rows of distinct classes that -1 ends and fills up, of every length from 0 (no class) to O."""
    outputs = source.words.shape[2]
    orders = np.argsort(source.words[0], axis=1, kind="stable")
    lengths = source.filling.picks(source.words[1, :, 0], outputs + 1)
    return np.where(np.arange(outputs) < lengths[:, np.newaxis], orders, -1)


def _signs(one_hot: Integers) -> Array:
    signs: Array = 2.0 * one_hot - 1.0
    return signs


def _sums_to_one(y: Array) -> Array:
    """Rows >= 0 whose sum is 1 but for what float32 makes of each of the O shares, and of their quotients: 2^-23 O."""
    off = np.abs(y.sum(axis=1, dtype=np.float64, keepdims=True) - 1.0)
    whole: Array = (y >= 0) & (off <= y.shape[1] * 2.0**-23)
    return whole


def _lists(y: Array) -> Array:
    """Rows of classes of which none comes twice before the first -1."""
    outputs = y.shape[1]
    listed = np.cumprod(y >= 0, axis=1) == 1
    ordered = np.sort(np.where(listed, y, -1 - np.arange(outputs)), axis=1)
    distinct = (np.diff(ordered, axis=1) != 0).all(axis=1, keepdims=True)
    legal: Array = (y >= -1) & (y < outputs) & distinct
    return legal


TARGETS: Final[Mapping[str, TargetKind]] = {
    "real": TargetKind(None, "numbers"),
    "unit": TargetKind(_unit, "numbers in [0, 1]", lambda y: (y >= 0) & (y <= 1)),
    "count": TargetKind(_count, "counts, at least 0", lambda y: y >= 0),
    "sign": TargetKind(_sign, "1 or -1", lambda y: np.abs(y) == 1, one_hot=_signs),
    "binary": TargetKind(_binary, "0 or 1", lambda y: (y == 0) | (y == 1)),
    "class": TargetKind(_class, "class indices", one_hot=None),
    "distribution": TargetKind(_distribution, "rows of probabilities that sum to 1", _sums_to_one),
    "log_distribution": TargetKind(_log_distribution, "logarithms of probabilities", one_hot=None),
    "classes": TargetKind(_classes, "rows of different classes that -1 ends", _lists, one_hot=None),
}

"""Targets y of every kind, and the other arrays that a loss takes. One record per kind in TARGETS.

All are built by integer arithmetic, IEEE division and powers of two; no logarithm, no NumPy sum of floats (their last bit may
differ between machines).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.cases.catalogue import Formula
from backproof.cases.fillings import Filling, Scales
from backproof.cases.streams import Words

__all__ = ["TARGETS", "TargetKind", "TargetWords"]

Array = NDArray[Any]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TargetWords:
    """What y is drawn from: two words a number, (N, O); the power of two of each row, (N, 1) or None; labels of real data or None."""

    filling: Filling
    loss: Formula
    scales: Scales
    first: Words
    second: Words
    rows: Array | None
    labels: Integers | None


@dataclass(frozen=True)
class TargetKind:
    """draw: the targets in float64 (to be rounded to the case's dtype once) or int64. per_class: (N, O), else class indices (N,).

    one_hot: what the true labels of real data become, given a one-hot (N, O) of 0 and 1; None where labels do not apply.
    """

    draw: Callable[[TargetWords], Array]
    per_class: bool = True
    one_hot: Callable[[Integers], Array] | None = lambda one_hot: one_hot.astype(np.float64)


def _real(words: TargetWords) -> Array:
    numbers = words.filling.numbers(words.first, words.second) * 2.0**words.scales.data
    return numbers if words.rows is None else numbers * words.rows


def _unit(words: TargetWords) -> Array:
    return words.filling.units(words.first)


def _count(words: TargetWords) -> Array:
    return words.filling.picks(words.first, 6).astype(np.float64)


def _sign(words: TargetWords) -> Array:
    return 2.0 * words.filling.picks(words.first, 2) - 1.0


def _binary(words: TargetWords) -> Array:
    return words.filling.picks(words.first, 2).astype(np.float64)


def _classes_of_rows(words: TargetWords) -> Array:
    """Class indices (N,). Where ignore_index is set, about a quarter of them are ignored, never all."""
    outputs = words.first.shape[1]
    ignored = words.loss.options.get("ignore_index", -100)
    assert isinstance(ignored, int)
    if words.labels is not None:
        classes = words.labels
    elif 0 <= ignored < outputs:
        classes = words.filling.picks(words.first[:, 0], outputs - 1)
        classes += classes >= ignored
    else:
        classes = words.filling.picks(words.first[:, 0], outputs)
    if ignored == -100:
        return classes
    left_out = (words.second[:, 0] >> np.uint64(62) == 0) | (classes == ignored)
    if left_out.all():
        left_out[0] = False
        # A label may itself be the ignored class; the next class then stands for it.
        classes = np.where(classes == ignored, (ignored + 1) % outputs, classes)
    return np.where(left_out, ignored, classes)


def _distribution(words: TargetWords) -> Array:
    """Rows of whole numbers over their exact sum, so that each entry is rounded once; rows of zeros become one-hot."""
    masses = words.filling.masses(words.first, words.second)
    sums = masses.sum(axis=1)
    empty = sums == 0
    if empty.any():
        ones = words.filling.picks(words.first[empty, 0], masses.shape[1])
        masses[empty, ones] = 1
        sums[empty] = 1
    return masses / sums[:, np.newaxis].astype(np.float64)


def _log_distribution(words: TargetWords) -> Array:
    """Negative numbers, drawn directly: their exponentials are below 1 and need not sum to 1, which kl_div does not ask for."""
    return -words.filling.positives(words.first)


def _class_lists(words: TargetWords) -> Array:
    """Rows of distinct classes that -1 ends and fills up, of every length from 0 (no class) to O."""
    outputs = words.first.shape[1]
    orders = np.argsort(words.first, axis=1, kind="stable")
    lengths = words.filling.picks(words.second[:, 0], outputs + 1)
    return np.where(np.arange(outputs) < lengths[:, np.newaxis], orders, -1)


def _signs(one_hot: Integers) -> Array:
    return 2.0 * one_hot - 1.0


TARGETS: Final[Mapping[str, TargetKind]] = {
    "real": TargetKind(_real),
    "unit": TargetKind(_unit),
    "count": TargetKind(_count),
    "sign": TargetKind(_sign, one_hot=_signs),
    "binary": TargetKind(_binary),
    "class": TargetKind(_classes_of_rows, per_class=False, one_hot=None),
    "distribution": TargetKind(_distribution),
    "log_distribution": TargetKind(_log_distribution, one_hot=None),
    "classes": TargetKind(_class_lists, one_hot=None),
}

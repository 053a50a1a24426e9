"""Targets y of every kind, and the other arrays that a loss takes. One record per kind in TARGETS.

All are built by integer arithmetic, IEEE division and powers of two: no logarithm and no NumPy sum of floats, whose
last bit may differ between machines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.cases.catalogue import Formula
from backproof.cases.fillings import Filling
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
    """How targets of one kind are made.

    draw: the targets in float64, to be rounded to the case's dtype once, or in int64: class indices. None: numbers
    of any sign, drawn and scaled as x is.
    one_hot: what the true labels of real data become, given a one-hot (N, O) of 0 and 1; None where they do not apply.
    """

    draw: Callable[[TargetWords], Array] | None
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


TARGETS: Final[Mapping[str, TargetKind]] = {
    "real": TargetKind(None),
    "unit": TargetKind(_unit),
    "count": TargetKind(_count),
    "sign": TargetKind(_sign, one_hot=_signs),
    "binary": TargetKind(_binary),
    "class": TargetKind(_class, one_hot=None),
    "distribution": TargetKind(_distribution),
    "log_distribution": TargetKind(_log_distribution, one_hot=None),
    "classes": TargetKind(_classes, one_hot=None),
}

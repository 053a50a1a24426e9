"""What the bounds of the losses share: their one signature, sums over a sample, one-hot targets, class weights.

    bound(a, y, options, arithmetic) -> (losses, gradient)

a: the outputs a^L with errors e, shape (N, O); y: the targets, exact; options: torch keywords, arrays included. The
losses have the shape of the unreduced losses, (N, O) or (N,), and are `Losses` where each is a sum over a sample; the
gradient g = dC/da is (N, O). d = a - y throughout.
Each error is |dg/da| e, with the supremum of |dg/da| within reach where it varies, plus roundings of the formula
in `rounding.py`. Infinite entries say that rounding alone can put any number there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from backproof.truth.arithmetic import Arithmetic, Array, Rounded, ones

Options = Mapping[str, Any]


class Losses(NamedTuple):
    """Unreduced losses, (N, O) or (N,), with their errors, and what a sum over the batch adds up, in any order.

    size: the magnitudes of each loss' own terms, summed; terms: how many terms but zeros the whole batch has.
    """

    value: Array
    error: Array
    size: Array
    terms: int

    @classmethod
    def of(cls, losses: Rounded | Losses) -> Losses:
        """Losses of one term each, if they are not sums."""
        if isinstance(losses, Losses):
            return losses
        return cls(losses.value, losses.error, losses.magnitude, losses.value.size)


Bounded = tuple[Rounded | Losses, Rounded]
LossBound = Callable[[Rounded, Array, Options, Arithmetic], Bounded]


def over_samples(entries: Rounded, arithmetic: Arithmetic, spare: int = 4, terms: int | None = None) -> Losses:
    """The sum of each row: e = sum e_i + gamma_{O + spare} sum |v_i| + O eta [> 0], shape (N,).

    terms: how many entries are no zeros by definition, all unless given.
    """
    classes = entries.value.shape[1]
    each = ones(classes)
    size = entries.magnitude.dot(each)
    error = entries.error.dot(each) + arithmetic.gamma(classes + spare) * size
    arithmetic.underflow_in_place(error, classes)
    return Losses(entries.value.dot(each), error, size, entries.value.size if terms is None else terms)


def one_hot(y: Array, classes: int, ignored: int) -> Array:
    """(N,) class indices as rows (N, K) of zeros with a one, all zero where the target is ignored."""
    target = np.zeros((len(y), classes))
    rows = np.nonzero(y != ignored)[0]
    target[rows, y[rows].astype(np.int64)] = 1.0
    return target


def class_weights(options: Options, classes: int) -> Array:
    """The option `weight`, ones where there is none."""
    weight = options.get("weight")
    return np.ones(classes) if weight is None else np.asarray(weight, dtype=np.float64)


def positive_or_zero(denominator: Array) -> Array:
    """A denominator that rounding may have made 0 or worse is 0: the quotient is then infinite, nothing is known."""
    result: Array = np.where(denominator > 0.0, denominator, 0.0)
    return result


def xlogy(x: Array, y: Array) -> Array:
    """x log y, 0 where x is 0."""
    result: Array = np.where(x == 0.0, 0.0, x * np.log(np.where(x == 0.0, 1.0, y)))
    return result


def ratio(x: Array, y: Array) -> Array:
    """x / y, 0 where x is 0: a term that is not there."""
    result: Array = np.where(x == 0.0, 0.0, x / np.where(x == 0.0, 1.0, y))
    return result

"""Batch additivity: the gradient of N samples is the sum of the N gradients of one, less what the reduction divides by.

No reference takes part, only the candidate's own answers, so that a fault that is there with one sample already is not
charged to the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from backproof.cases.case import Case
from backproof.cases.gradients import Array
from backproof.diagnosis.evidence import Exhibit, Inquiry
from backproof.diagnosis.hypotheses import same
from backproof.judging.bounds import Bounds
from backproof.truth.arithmetic import Arithmetic
from backproof.truth.divisors import divisor
from backproof.truth.objective_bounds import penalty_gradient

_Pair = tuple[str, int, Array, Array]
"""A quantity, "weight" or "bias", the layer counted from 0, the gradient of a batch, and the sum of its samples'."""

LARGEST_BATCH: Final = 8
"""Batches above this are not taken apart: smaller ones nearly always show the same."""
LARGEST_WRONG_BATCH: Final = 32
"""Nor are ones above this where they do not."""
BATCHES: Final = 4
"""How many batches are taken apart."""


@dataclass(frozen=True, slots=True)
class Additivity:
    """Which gradients of a batch are not the sum of those of its samples.

    broken: the quantities, "weight" or "bias". tested: whether any batch could be taken apart. ratio: batch / sum,
    where it is the same in every entry of everything, with the N of the batch: a factor on the whole. repeated: whether
    samples could only be asked about as batches of equal ones: then a sum over the batch that is wrong for equal
    samples as well shows in what is read of one, and not here.
    """

    broken: frozenset[str]
    tested: bool
    ratios: tuple[tuple[int, float], ...] = ()
    repeated: bool = False

    @property
    def uniform(self) -> bool:
        """Whether everything is off by one factor alone."""
        return bool(self.ratios)


def additive(inquiry: Inquiry, exhibits: Sequence[Exhibit], *, largest: int = LARGEST_BATCH) -> Additivity:
    """Batches of the exhibits against their own samples, asked one by one; `largest`: the N of a batch at most."""
    broken: set[str] = set()
    ratios: list[tuple[int, float | None]] = []
    tested = 0
    repeated = False
    for exhibit in exhibits:
        batch_size = exhibit.case.spec.batch_size
        if tested == BATCHES or not exhibit.legible or not 1 < batch_size <= largest:
            continue
        ones = [inquiry.single(exhibit, sample) for sample in range(batch_size)]
        if not all(one is not None and one.legible for one in ones):
            continue
        tested += 1
        repeated |= any(one.repeats > 1 for one in ones if one is not None)
        asked = [one for one in ones if one is not None]
        found = _compared(exhibit, asked)
        off = {quantity for quantity, _, own, added in found if not same(own, added, _size(added))}
        if off and not _explained_by_rounding(exhibit, asked, found):
            broken.update(off)
        ratios.append((batch_size, _common_ratio([(own, added) for _, _, own, added in found])))
    constant = [(number, ratio) for number, ratio in ratios if ratio is not None]
    uniform = bool(broken) and len(constant) == len(ratios)
    return Additivity(frozenset(broken), tested > 0, tuple(constant) if uniform else (), repeated)


def _compared(exhibit: Exhibit, ones: Sequence[Exhibit]) -> list[_Pair]:
    """The gradients of a batch and the sums of its samples', each without the penalty, which is no sample's."""
    found = []
    with np.errstate(all="ignore"):
        for quantity, is_bias in (("weight", False), ("bias", True)):
            for at in range(exhibit.case.spec.depth):
                own = _plain(exhibit, at, is_bias=is_bias)
                if own is None:
                    continue
                scale = divisor(exhibit.case)
                parts = [_plain(one, at, is_bias=is_bias) for one in ones]
                terms = [part * divisor(one.case) for part, one in zip(parts, ones, strict=True) if part is not None]
                found.append((quantity, at, own, np.sum(terms, axis=0) / scale))
    return found


def _explained_by_rounding(exhibit: Exhibit, ones: Sequence[Exhibit], found: Sequence[_Pair]) -> bool:
    """Whether right answers to the batch and to its samples can be as far from each other: where the terms cancel."""
    limits = [Bounds(each.case, each.answer.read_off).limit("textbook") for each in (exhibit, *ones)]
    shares = [1.0, *(each.repeats * divisor(each.case) / divisor(exhibit.case) for each in ones)]
    with np.errstate(all="ignore"):
        for quantity, at, own, added in found:
            arrays = [(limit.biases if quantity == "bias" else limit.weights)[at] for limit in limits]
            allowed = sum(share * array for share, array in zip(shares, arrays, strict=True) if array is not None)
            if not (np.abs(own - added) <= allowed).all():
                return False
    return True


def _plain(exhibit: Exhibit, at: int, *, is_bias: bool) -> Array | None:
    """A gradient less its penalty, in the less precise of its own type and the case's: it is as exact as that."""
    case: Case = exhibit.case
    given = (exhibit.answer.biases if is_bias else exhibit.answer.weights)[at]
    parameter = (case.biases if is_bias else case.weights)[at]
    if given is None or parameter is None:
        return None
    penalised = penalty_gradient(case, parameter, Arithmetic.of(case.spec.dtype), is_bias=is_bias)
    narrow = np.float32 if "float32" in (case.spec.dtype, given.dtype.name) else np.float64
    return np.asarray(given if penalised is None else given - penalised.value, dtype=narrow)


def _size(array: Array) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def _common_ratio(pairs: Sequence[tuple[Array, Array]]) -> float | None:
    """The one number by which every sum is multiplied; None where there is none."""
    own = np.concatenate([own.ravel() for own, _ in pairs])
    added = np.concatenate([added.ravel() for _, added in pairs])
    largest = int(np.abs(added).argmax())
    if not np.isfinite(own).all() or not np.isfinite(added).all() or added[largest] == 0.0:
        return None
    ratio = float(own[largest] / added[largest])
    return ratio if same(own, ratio * added, _size(ratio * added)) else None

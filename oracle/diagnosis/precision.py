"""Loss of precision: numbers that are right, but only as right as single precision is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backproof.bounds import Bounds
from backproof.comparison import given_for
from backproof.diagnosis.evidence import Exhibit, Inquiry


def only_as_accurate_as_float32(inquiry: Inquiry, exhibits: Sequence[Exhibit]) -> bool:
    """Whether float64 answers fail their own bound and keep that of float32, everywhere and not by chance in one place.

    Holds for a cast in the middle, a float32 buffer, a constant typed with seven digits.
    """
    wrong = [exhibit for exhibit in exhibits if exhibit.wrong]
    return bool(wrong) and all(_keeps_float32(inquiry, exhibit) for exhibit in wrong)


def _keeps_float32(inquiry: Inquiry, exhibit: Exhibit) -> bool:
    if not exhibit.legible or exhibit.case.spec.dtype != "float64":
        return False
    limit = Bounds(exhibit.case).limit("textbook", dtype="float32")
    reference = inquiry.reference(exhibit.case)
    decided = False
    with np.errstate(all="ignore"):
        for (quantity, layer, wanted), (_, _, allowed) in zip(reference.quantities(), limit.quantities(), strict=True):
            given = given_for(exhibit.answer, quantity, layer)
            if given is None:
                continue
            if not (np.abs(given - wanted) <= allowed).all():
                return False
            decided |= float(allowed.max(initial=0.0)) < float(np.abs(wanted).max(initial=0.0))
    return decided

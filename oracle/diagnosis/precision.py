"""Loss of precision: numbers that are right, but only as right as single precision is, or as they were printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from backproof.comparison import given_for
from backproof.diagnosis.evidence import Exhibit, Inquiry
from backproof.judging.bounds import Bounds

FULL: Final = 15
"""Digits from which on a number was not printed short: its last ones may be zeros by chance."""
_FRACTION: Final = re.compile(rb"(?P<whole>\d+)(?:\.(?P<decimals>\d*))?(?P<exponent>[eE][-+]?\d+)?")


def only_as_accurate_as_float32(inquiry: Inquiry, exhibits: Sequence[Exhibit]) -> bool:
    """Whether float64 answers fail their own bound and keep that of float32: everywhere, and not for want of a bound.

    Holds for a cast in the middle, a float32 buffer, a constant typed with seven digits.
    """
    found = [_keeps_float32(inquiry, exhibit) for exhibit in exhibits if exhibit.wrong]
    return True in found and False not in found


def _keeps_float32(inquiry: Inquiry, exhibit: Exhibit) -> bool | None:
    """Whether an answer keeps the bound of float32; None where that bound says nothing."""
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
    return decided or None


def printed_short(inquiry: Inquiry, exhibits: Sequence[Exhibit]) -> str | None:
    """With how many digits a program printed its numbers, if that is all that is wrong with them: like "6 decimals"."""
    wrong = [exhibit for exhibit in exhibits if exhibit.wrong]
    if not wrong or not all(exhibit.legible and exhibit.answer.written for exhibit in wrong):
        return None
    numbers = [found for exhibit in wrong for found in _FRACTION.finditer(exhibit.answer.written)]
    fractions = [found for found in numbers if found["decimals"] is not None or found["exponent"]]
    places = {len(found["decimals"] or b"") for found in fractions}
    if not fractions:
        return None
    if len(places) == 1 and not any(found["exponent"] for found in fractions):
        (decimals,) = places
        absolute, relative, told = 0.5 * 10.0**-decimals, 0.0, f"{decimals} decimals"
    else:
        digits = max(len((found["whole"] + (found["decimals"] or b"")).lstrip(b"0")) for found in fractions)
        if digits >= FULL:
            return None
        absolute, relative, told = 0.0, 0.5 * 10.0 ** (1 - digits), f"{digits} significant digits"
    right = all(_rounded(inquiry, exhibit, absolute=absolute, relative=relative) for exhibit in wrong)
    return told if right else None


def _rounded(inquiry: Inquiry, exhibit: Exhibit, *, absolute: float, relative: float) -> bool:
    """Whether every number is off by what the bound allows, and half a unit of the last place that was printed."""
    limit = Bounds(exhibit.case).limit("textbook")
    reference = inquiry.reference(exhibit.case)
    with np.errstate(all="ignore"):
        for (quantity, layer, wanted), (_, _, allowed) in zip(reference.quantities(), limit.quantities(), strict=True):
            given = given_for(exhibit.answer, quantity, layer)
            if (
                given is not None
                and not (np.abs(given - wanted) <= allowed + absolute + relative * np.abs(given)).all()
            ):
                return False
    return True

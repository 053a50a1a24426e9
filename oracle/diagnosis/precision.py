"""Loss of precision: numbers that are right, but only as right as single precision is, or as they were printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from backproof.cases.gradients import Array
from backproof.diagnosis.evidence import Exhibit, Inquiry
from backproof.diagnosis.faults import FAULTS
from backproof.diagnosis.faults.planting import Plant
from backproof.diagnosis.hypotheses import Hypothesis
from backproof.judging.bounds import Bounds
from backproof.judging.offered import given_for

FULL: Final = 15
"""Digits from which on a number was not printed short: its last ones may be zeros by chance."""
_FRACTION: Final = re.compile(rb"(?P<whole>\d+)(?:\.(?P<decimals>\d*))?(?P<exponent>[eE][-+]?\d+)?")

SIZE: Final = (1.0 / 16.0, 2.0)
"""What the errors of float32 are, in the median, as shares of those of the handwritten network in float32: a single
cast has 0.1 to 0.5, the whole by other formulas at most twice as much."""
BROAD: Final = 0.5
"""The share of the gradients that float32 would show in that must show: what comes after a step that is in it."""


def only_as_accurate_as_float32(inquiry: Inquiry, exhibits: Sequence[Exhibit]) -> bool:
    """Whether float64 answers are off as answers computed in float32 are: within its bound, by as much, and broadly.

    Holds for a cast in the middle, a float32 buffer, a constant typed with seven digits; not for a small mistake, which
    leaves whole quantities right that float32 would not.
    """
    wrong = [exhibit for exhibit in exhibits if exhibit.wrong]
    if not all(exhibit.legible and exhibit.case.spec.dtype == "float64" for exhibit in wrong):
        return False
    found = [_keeps_float32(inquiry, exhibit) for exhibit in wrong]
    if True not in found or False in found:
        return False
    decided = [exhibit for exhibit, keeps in zip(wrong, found, strict=True) if keeps]
    beside = [error for exhibit in decided for error in _beside_float32(inquiry, exhibit)]
    shares = [error.share for error in beside if error.accused]
    shows = [error.accused for error in beside if error.would_show]
    least, most = SIZE
    return bool(shows) and least <= float(np.median(shares)) <= most and float(np.mean(shows)) >= BROAD


def _keeps_float32(inquiry: Inquiry, exhibit: Exhibit) -> bool | None:
    """Whether an answer keeps the bound of float32; None where that bound decides nothing about what is accused."""
    accused = exhibit.wrong_quantities()
    decided = True
    with np.errstate(all="ignore"):
        for quantity, layer, given, wanted, allowed in _offered(inquiry, exhibit, dtype="float32"):
            if not (np.abs(given - wanted) <= allowed).all():
                return False
            if (quantity, layer) in accused:
                decided &= float(allowed.max(initial=0.0)) < float(np.abs(wanted).max(initial=0.0))
    return decided or None


class _Beside(NamedTuple):
    """One quantity beside the handwritten network's in float32.

    Is it accused, what share is its error of the other's, and is the other a gradient that would be accused?
    """

    accused: bool
    share: float
    would_show: bool


def _beside_float32(inquiry: Inquiry, exhibit: Exhibit) -> Iterator[_Beside]:
    """Every quantity of an answer that float32 has, too."""
    low = next(fault for fault in FAULTS if fault.dtype == "float32")
    narrow = Hypothesis((Plant(low),)).answer(exhibit.case)
    accused = exhibit.wrong_quantities()
    with np.errstate(all="ignore"):
        for quantity, layer, given, wanted, allowed in _offered(inquiry, exhibit):
            rounded = given_for(narrow, quantity, layer)
            if rounded is not None:
                error = np.abs(rounded - wanted)
                share = float(np.abs(given - wanted).max(initial=0.0) / error.max(initial=0.0))
                would_show = quantity != "loss" and bool((error > allowed).any())
                yield _Beside((quantity, layer) in accused, share, would_show)


def _offered(
    inquiry: Inquiry, exhibit: Exhibit, dtype: str | None = None
) -> Iterator[tuple[str, int | None, Array, Array, Array]]:
    """(quantity, layer, what was given, what is right, how far a textbook form in `dtype` may be off)."""
    limit = Bounds(exhibit.case).limit("textbook", dtype=dtype)
    reference = inquiry.reference(exhibit.case)
    for (quantity, layer, wanted), (_, _, allowed) in zip(reference.quantities(), limit.quantities(), strict=True):
        given = given_for(exhibit.answer, quantity, layer)
        if given is not None and given.size == wanted.size and given.squeeze().shape == wanted.squeeze().shape:
            yield quantity, layer, given.reshape(wanted.shape), wanted, allowed


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
    with np.errstate(all="ignore"):
        return all(
            bool((np.abs(given - wanted) <= allowed + absolute + relative * np.abs(given)).all())
            for _, _, given, wanted, allowed in _offered(inquiry, exhibit)
        )

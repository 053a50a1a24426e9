"""Gradients, reference and bound in; one verdict for every quantity out.

A quantity is one compared array: the loss, or the delta, bias or weight gradient of a layer, or the input gradient.
It agrees when no entry is further from the reference than rounding can explain, and when that bound is small enough
to say anything at all. Comparison order: missing, shape, non-finite pattern, values.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backproof.cases.case import Case
from backproof.cases.gradients import Gradients
from backproof.judging import doubts
from backproof.judging.bounds import Bounds, Level, Pair
from backproof.judging.doubts import decides, entry, hides
from backproof.judging.offered import Offered, given_for
from backproof.judging.verdicts import Check, Verdict, whole_call
from backproof.truth.arithmetic import Arithmetic, own_dtype

__all__ = ["Bounds", "Check", "Verdict", "compare", "deviation", "whole_call"]

Array = NDArray[Any]

# The smallest positive double stands for a bound of zero in error / bound: then 0 / 0 is 0, and x / 0 is above 1
# for every x but this one.
SMALLEST = 5e-324


def compare(case: Case, offered: Offered, reference: Gradients, bounds: Bounds) -> tuple[Check, ...]:
    """One check per quantity of `reference`, in backward order: loss, then delta, bias, weight per layer, then input.

    All arrays of the case are laid end to end and judged at once by the first bound; only a quantity that does not
    agree by it is looked at on its own.
    """
    checks: list[Check | None] = []
    pairs: list[Pair] = []
    quantities = zip(reference.quantities(), bounds.limit().quantities(), strict=True)
    for (quantity, layer, wanted), (_, _, limit) in quantities:
        position = _position(layer, case.spec.depth)
        given = given_for(offered, quantity, layer)
        if given is not None and quantity == "loss" and given.size == 1 == wanted.size:
            given = given.reshape(wanted.shape)  # a loss of shape (1,) or (1, 1) is a scalar to every reader
        if given is not None and given.shape == wanted.shape:
            pairs.append(Pair(quantity, layer, position, given, wanted, limit))
            checks.append(None)
        else:
            checks.append(_without_numbers(quantity, layer, position, given, wanted))
    judged = iter(_judge_together(case, pairs, bounds))
    return tuple(next(judged) if check is None else check for check in checks)


def _position(layer: int | None, depth: int) -> str:
    if layer is None:
        return ""
    return "output" if layer == depth else "first" if layer == 1 else "hidden"


def _without_numbers(quantity: str, layer: int | None, position: str, given: Array | None, wanted: Array) -> Check:
    if given is not None:
        verdict, note = Verdict.SHAPE, f"got shape {given.shape}, wanted {wanted.shape}"
        if given.size == wanted.size and given.T.shape == wanted.shape:
            note += ": it looks transposed"
    elif quantity in ("weight", "bias"):
        verdict, note = Verdict.MISSING, f"got None, wanted an array of shape {wanted.shape}"
    else:
        verdict, note = Verdict.NOT_OFFERED, ""
    shape = None if given is None else given.shape
    return Check(
        quantity, layer, position, shape, None, None, verdict, None, None, None, None, None, None, None, None, note
    )


def _judge_together(case: Case, pairs: Sequence[Pair], bounds: Bounds) -> Iterator[Check]:
    if not pairs:
        return
    candidate = np.concatenate([pair.candidate.ravel() for pair in pairs], dtype=np.float64, casting="unsafe")
    reference = np.concatenate([pair.reference.ravel() for pair in pairs])
    limit = np.concatenate([pair.accurate.ravel() for pair in pairs])
    with np.errstate(all="ignore"):
        error = np.abs(candidate - reference)
        ratio = error / np.maximum(limit, SMALLEST)
    starts = [0]
    for pair in pairs:
        starts.append(starts[-1] + pair.candidate.size)
    worst = np.array([start + int(ratio[start:end].argmax()) for start, end in itertools.pairwise(starts)])
    first = np.array(starts[:-1])
    columns = zip(
        pairs,
        starts,
        worst.tolist(),
        ratio[worst].tolist(),
        limit[worst].tolist(),
        candidate[worst].tolist(),
        reference[worst].tolist(),
        np.maximum.reduceat(error, first).tolist(),
        np.maximum.reduceat(limit, first).tolist(),
        np.maximum.reduceat(np.abs(reference), first).tolist(),
        np.add.reduceat(reference != 0.0, first, dtype=np.int64).tolist(),
        strict=False,
    )
    dtype = np.dtype(case.spec.dtype)
    for pair, start, at, excess, bound, got, wanted, max_error, max_bound, size, nonzero in columns:
        if excess <= 1.0 and decides(max_bound, size) and pair.candidate.dtype == dtype:
            index = _index(at - start, pair.candidate.shape)
            if hides(max_bound, max_error, size, case.spec.dtype):
                bounds.wide.add((pair.quantity, pair.layer))
            yield Check(
                pair.quantity, pair.layer, pair.position, pair.candidate.shape, pair.candidate.size, nonzero,
                Verdict.AGREE, 0, max_error, bound, excess, index, got, wanted, None, "",
            )  # fmt: skip
        else:
            yield _judge_alone(case, pair, bounds)


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the entry at `flat` in C order: `np.unravel_index` on Python numbers, at a tenth of its cost."""
    index: list[int] = []
    for length in reversed(shape):
        flat, at = divmod(flat, length)
        index.append(at)
    return tuple(reversed(index))


class _Numbers:
    """Error against a limit, entry by entry, where infinities and NaNs may occur.

    The same infinity, or NaN, on both sides is no error; a limit of NaN or inf says nothing, so nothing exceeds it.
    """

    def __init__(self, pair: Pair, limit: Array) -> None:
        self.pair = pair
        self.candidate = pair.candidate.astype(np.float64)
        self.reference = pair.reference
        self.limit = np.where(np.isnan(limit), np.inf, limit)
        with np.errstate(all="ignore"):
            same = (self.candidate == self.reference) | (np.isnan(self.candidate) & np.isnan(self.reference))
            error = np.abs(self.candidate - self.reference)
            self.error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
            self.ratio = np.where(same | (self.limit == np.inf), 0.0, self.error / np.maximum(self.limit, SMALLEST))

    @property
    def within(self) -> bool:
        return bool((self.ratio <= 1.0).all())

    @property
    def decided(self) -> bool:
        return decides(float(self.limit.max()), self.pair.size)

    @property
    def bounded(self) -> bool:
        return bool((self.limit < np.inf).all())

    @property
    def same_pattern(self) -> bool:
        """Whether candidate and reference are finite in the same places, wherever the bound says anything."""
        agree = np.isfinite(self.candidate) == np.isfinite(self.reference)
        return bool((agree | (self.limit == np.inf)).all())

    def check(self, verdict: Verdict, note: str, exact: Array | None = None) -> Check:
        pair, at = self.pair, int(self.ratio.argmax())
        return Check(
            pair.quantity,
            pair.layer,
            pair.position,
            self.candidate.shape,
            self.candidate.size,
            int(np.count_nonzero(self.reference)),
            verdict,
            int(np.count_nonzero(self.ratio > 1.0)),
            float(self.error.max()),
            float(self.limit.flat[at]),
            float(self.ratio.flat[at]),
            _index(at, self.candidate.shape),
            float(self.candidate.flat[at]),
            float(self.reference.flat[at]),
            None if exact is None else float(exact.flat[at]),
            note,
        )


PROPAGATED = "by the propagated bound"
"""The note of an agreement that the chained bound could not have given."""

_LEVELS: tuple[tuple[Level, str], ...] = (
    ("accurate", ""),
    ("textbook", "lossy form"),
    ("kink", "another subgradient where the derivative does not exist"),
)


def _judge_alone(case: Case, pair: Pair, bounds: Bounds) -> Check:
    """The careful way, for a quantity that the first bound does not settle, or whose dtype is not the case's.

    The bounds are tried from the tightest to the widest. A result of another dtype is held to that dtype's bounds
    first; one that is wider than the case asks for, but only as accurate as the case's own dtype, agrees and is noted
    as that.
    """
    asked = case.spec.dtype
    own = own_dtype(pair.candidate)
    other = "" if pair.candidate.dtype == asked else f"{pair.candidate.dtype} result"
    dtypes = tuple(dict.fromkeys((own, asked) if own == "float64" else (own,)))
    lost = _overflowed(pair, bounds, dtypes[-1])
    if lost is not None:
        return lost
    plain = None if other else _plain(pair, bounds)
    if plain is not None:
        return plain
    for dtype in dtypes:
        accuracy = f"{other} with the accuracy of {dtype}" if other and dtype != own else other
        for level, level_note in _LEVELS:
            numbers = _Numbers(pair, bounds.tightest(pair, level, dtype=dtype))
            if not numbers.within:
                continue
            note = "; ".join(part for part in (level_note, accuracy) if part)
            if level == "kink":
                return _another_side(numbers, note)
            if not bounds.chained_is_enough(pair, level, dtype=dtype):
                note = "; ".join(part for part in (PROPAGATED, note) if part)
            if numbers.decided:
                if hides(float(numbers.limit.max()), float(numbers.error.max()), pair.size, dtype):
                    bounds.wide.add((pair.quantity, pair.layer))
                return numbers.check(Verdict.AGREE, note)
            same_side = _Numbers(pair, bounds.tightest(pair, "same side", dtype=dtype))
            if same_side.within and same_side.decided:
                return same_side.check(Verdict.AGREE, note)
            arithmetic = Arithmetic.of(dtype, forms="accurate" if level == "accurate" else "textbook")
            reason = doubts.reason(arithmetic, case, pair.quantity, pair.layer, pair.size)
            return numbers.check(Verdict.UNDECIDED, reason)
    return _arbitrate(pair, bounds, dtypes[-1], other)


def _another_side(numbers: _Numbers, note: str, exact: Array | None = None) -> Check:
    """What is right with some subgradient; no more is known where a bound without limit says so."""
    verdict = Verdict.KINK if numbers.bounded else Verdict.UNDECIDED
    return numbers.check(verdict, note if numbers.bounded else doubts.KINK, exact)


OVERFLOWED = "not finite, where the truth is and an accurate form would be"
"""The note of numbers that are not finite although the truth is, and every form accurate in the tails is as well."""


def _overflowed(pair: Pair, bounds: Bounds, dtype: str) -> Check | None:
    """A failure where the candidate is not finite, the truth is, and an accurate form is bounded; None elsewhere.

    exp(z) / (1 + exp(z)) is a right formula of a wrong program: rounding does not excuse a NaN that need not be.
    """
    candidate = pair.candidate
    if candidate.dtype.kind != "f" or np.isfinite(candidate).all():
        return None
    accurate = _Numbers(pair, bounds.tightest(pair, "accurate", dtype=dtype))
    lost = ~np.isfinite(candidate) & np.isfinite(pair.reference) & np.isfinite(accurate.limit)
    if not lost.any():
        return None
    middle = entry(bounds.exact().middle, pair.quantity, pair.layer)
    return accurate.check(Verdict.NON_FINITE, OVERFLOWED, middle) if np.isfinite(middle[lost]).all() else None


def _plain(pair: Pair, bounds: Bounds) -> Check | None:
    """A verdict that exact arithmetic is not needed for, where enough of its kind were held to exact values."""
    departs = _plainly_departs(pair, bounds) if Verdict.REFERENCE_WRONG in bounds.plain else None
    if departs is None and Verdict.DISAGREE in bounds.plain:
        return _plainly_wrong(pair, bounds)
    return departs


def _plainly_departs(pair: Pair, bounds: Bounds) -> Check | None:
    """A listed departure of PyTorch's, seen in float64; None where it is not seen there, or none is listed.

    The judge's own evaluation v errs by e_64 at most, the float64 bound against the truth, and so does PyTorch where it
    does not depart, since that bound is of forms as accurate as its kernels; where a kink may be hit exactly, of every
    form and subgradient. |reference - v| > 2 e_64 shows it wrong. Then v, which is as right as such a reference would
    be, stands in for it: the candidate agrees where it is within the bound of v.
    """
    named = deviation(bounds.case, pair.quantity, pair.layer)
    if named is None:
        return None
    own = entry(bounds.evaluation(), pair.quantity, pair.layer)
    level: Level = "kink" if bounds.may_tie() else "accurate"
    error = entry(bounds.limit(level, dtype="float64", against="truth"), pair.quantity, pair.layer)
    with np.errstate(all="ignore"):
        departs = np.isfinite(own) & np.isfinite(error) & ~(np.abs(pair.reference - own) <= 2.0 * error)
    if not departs.any():
        return None
    stand_in = pair._replace(reference=own)
    for level in ("accurate", "textbook"):
        limit = bounds.tightest(stand_in, level, dtype=bounds.case.spec.dtype)
        numbers = _Numbers(stand_in, limit)
        if numbers.within and numbers.decided:
            return _Numbers(pair, limit).check(Verdict.REFERENCE_WRONG, named)
    return None


def _plainly_wrong(pair: Pair, bounds: Bounds) -> Check | None:
    """A disagreement that is seen in float64; None where it is not.

    The judge's own evaluation v errs by e_64 at most, as in `_plainly_departs`, and a right candidate by e, its own. So
    |candidate - v| > e + e_64 shows it wrong; and that the reference lies within 2 e_64 of v shows nothing against the
    reference.
    """
    dtype = bounds.case.spec.dtype
    own = entry(bounds.evaluation(), pair.quantity, pair.layer)
    error = entry(bounds.limit("kink", dtype="float64", against="truth"), pair.quantity, pair.layer)
    apart = error + entry(bounds.limit("kink", dtype=dtype, against="truth"), pair.quantity, pair.layer)
    with np.errstate(all="ignore"):
        far = np.abs(pair.candidate - own) > apart
        near = np.abs(pair.reference - own) <= 2.0 * error
    if not (far.any() and near.all() and np.isfinite(pair.candidate).all()):
        return None
    numbers = _Numbers(pair, entry(bounds.limit("kink", dtype=dtype), pair.quantity, pair.layer))
    return None if numbers.within else numbers.check(Verdict.DISAGREE, "")


def _arbitrate(pair: Pair, bounds: Bounds, dtype: str, note: str) -> Check:
    """Candidate and reference differ by more than rounding: exact arithmetic says which of the two is wrong.

    Each holds where it is within its bound of the enclosure. An enclosure is wide where a number lies on a kink that no
    precision resolves (a tie of thirds, say); what is then within reach of both is undecided. Where the reference is
    wrong, a candidate that took another subgradient shows it against the enclosure alone.
    """
    numbers = _Numbers(pair, bounds.tightest(pair, "textbook", dtype=dtype))
    middle = entry(bounds.exact().middle, pair.quantity, pair.layer)
    radius = entry(bounds.exact().radius, pair.quantity, pair.layer)
    known = np.isfinite(middle) & np.isfinite(radius)

    def from_truth(values: Array, dtype: str, level: Level = "textbook") -> _Numbers:
        limit = bounds.tightest(pair, level, dtype=dtype, against="truth")
        truth = pair._replace(candidate=values, reference=middle)
        return _Numbers(truth, np.where(known, limit + radius, np.inf))

    reference_holds = from_truth(pair.reference, "float64").within
    if from_truth(pair.candidate, dtype).within:
        if not reference_holds:
            return numbers.check(Verdict.REFERENCE_WRONG, _named(pair, bounds), middle)
        if (known & (radius <= numbers.limit))[numbers.ratio > 1.0].all():
            return numbers.check(Verdict.AGREE, "within the bound of the exact value", middle)
        return numbers.check(Verdict.UNDECIDED, doubts.KINK, middle)
    if not reference_holds:
        either_side = from_truth(pair.candidate, dtype, "kink")
        if either_side.within and known.all():
            return _another_side(either_side, _LEVELS[-1][1], middle)
        note = "; ".join(part for part in (f"PyTorch is wrong here too ({_named(pair, bounds)})", note) if part)
    return numbers.check(Verdict.DISAGREE if numbers.same_pattern else Verdict.NON_FINITE, note, middle)


def _named(pair: Pair, bounds: Bounds) -> str:
    return deviation(bounds.case, pair.quantity, pair.layer) or "not a listed deviation"


def deviation(case: Case, quantity: str, layer: int | None, *, dtype: str = "float64") -> str | None:
    """The name of PyTorch's listed deviation that a quantity of this case meets in arithmetic of `dtype`, if any."""
    from backproof.truth.deviations import met

    return next((row.name for row in met(case, dtype=dtype, quantity=quantity, layer=layer)), None)

"""Whether a call leaves traces: what further calls of the same candidate show, beside whether its numbers are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backproof.candidates.contract import Answer
from backproof.cases.case import Case, build_case
from backproof.cases.gradients import Gradients
from backproof.comparison import Bounds, compare
from backproof.judging.verdicts import Check, Verdict, whole_call

Array = NDArray[Any]
Asked = Callable[[Case], Answer]
Reference = Callable[[Case], Gradients]

PARTS: Final = ("weights", "biases", "x", "y")
"""What a call may take from an earlier one."""


def traces(ask: Asked, case: Case, answer: Answer, bounds: Bounds, reference: Reference | None) -> Iterator[Check]:
    """What three further calls show: an answer that changes afterwards, numbers of an earlier call, a second answer.

    The first of them has other numbers, so that a buffer that is handed out twice shows, and what is kept by shapes;
    the second has other parameters and the same batch, as when training goes on, so that what is kept by the batch
    shows. They are held to the reference; None where the first call was at fault already.
    """
    before = [(name, array, array.tobytes()) for name, array in answer.arrays()]
    other = _other(case)
    between = ask(other)
    changed = next((name for name, array, held in before if array.tobytes() != held), between.altered)
    if changed:
        yield whole_call(
            Verdict.NONDETERMINISTIC, f"a later call changed {changed} of an earlier answer: return a copy"
        )
        return
    if reference is not None:
        trained = replace(other, x=case.x, y=case.y)
        further = (other, between, "arrays had the same shapes"), (trained, ask(trained), "x and y were the same")
        for asked, found, common in further:
            if kept := _kept(case, asked, found, reference):
                told = f"it computed with the {' and '.join(kept)} of an earlier call, whose {common}"
                yield whole_call(Verdict.NONDETERMINISTIC, told)
                return
    again = dict(ask(case).arrays())
    limits = dict(Answer.of(bounds.limit()).arrays())
    for name, array, held in before:
        second = again.get(name)
        if second is not None and second.shape == array.shape and second.tobytes() == held:
            continue
        # Another order of summation in the second call is no state; two right answers are two bounds apart at most.
        if second is None or second.shape != array.shape or _apart(array, second, limits.get(name)):
            yield whole_call(Verdict.NONDETERMINISTIC, f"a second call with the same arguments gives another {name}")
            return


def typed(ask: Asked, case: Case) -> Iterator[Check]:
    """What two further calls show: other numbers for data of an integer type than for the same numbers as floats.

    Then an array that was made like x keeps no fractions. An exception is no answer, and no fault: what is handed over
    anywhere else is floats.
    """
    whole = np.rint(case.x)
    if not np.abs(whole).max() < 2.0**31:
        return
    floats = replace(case, x=_locked(whole))
    integers = replace(case, x=_locked(whole.astype(np.int64)))
    first, second = ask(floats), ask(integers)
    if first.failure is not None or second.failure is not None:
        return
    # Whole numbers meet kinks, and integers times float32 are float64: either may choose another subgradient there.
    limits = dict(Answer.of(Bounds(floats, first.read_off).limit("kink")).arrays())
    others = dict(second.arrays())
    for name, array in first.arrays():
        other = others.get(name)
        if other is not None and other.shape == array.shape and _apart(array, other, limits.get(name)):
            yield whole_call(
                Verdict.ERROR,
                f"where x is an array of integers, {name} is another than with the same numbers as floats: an array "
                "like np.zeros_like(x) keeps no fractions",
            )
            return


def _other(case: Case) -> Case:
    """Other numbers of the same shapes; x of the other sign, since some fillings have no other numbers."""
    drawn = build_case(replace(case.spec, seed=case.spec.seed + 1))
    return replace(drawn, x=_locked(-drawn.x))


def _kept(case: Case, other: Case, answer: Answer, reference: Reference) -> tuple[str, ...]:
    """The fewest parts of `case` that the answer to `other` was computed with; none where that is not it.

    With them in their place the answer fits, and a right one would not.
    """
    if answer.failure is not None:
        return ()
    bounds, right = Bounds(other, answer.read_off), reference(other)
    bounds.plain = frozenset({Verdict.DISAGREE, Verdict.REFERENCE_WRONG})
    if not any(check.verdict.fails for check in compare(other, answer, right, bounds)):
        return ()
    given, wanted = dict(answer.arrays()), dict(Answer.of(right).arrays())
    wanted = {name: array for name, array in wanted.items() if name in given}
    for parts in (parts for size in range(1, len(PARTS) + 1) for parts in combinations(PARTS, size)):
        mixed = case if parts == PARTS else replace(other, **{part: getattr(case, part) for part in parts})
        found = dict(Answer.of(reference(mixed)).arrays())
        limits = dict(Answer.of(Bounds(mixed, answer.read_off).limit("textbook")).arrays())
        if _fit(given, found, limits) and not _fit(wanted, found, limits):
            return parts
    return ()


def _fit(given: Mapping[str, Array], found: Mapping[str, Array], limits: Mapping[str, Array]) -> bool:
    """Whether all that is given is as near as the limits allow; where there is no limit, nothing is."""
    with np.errstate(all="ignore"):
        return all(
            name in found
            and array.size == found[name].size
            and bool((np.abs(np.float64(array).ravel() - found[name].ravel()) <= limits[name].ravel()).all())
            and bool(np.isfinite(limits[name]).all())
            for name, array in given.items()
        )


def _locked(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _apart(first: Array, second: Array, limit: Array | None) -> bool:
    """Whether two answers to the same call differ by more than two right answers can."""
    if limit is None or first.shape != limit.shape:
        return not np.array_equal(first, second, equal_nan=True)
    with np.errstate(all="ignore"):
        same = (first == second) | (np.isnan(first) & np.isnan(second)) | (limit == np.inf)
        return bool((~same & ~(np.abs(np.float64(first) - second) <= 2.0 * limit)).any())

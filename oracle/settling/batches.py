"""A batch that no bound decides: whether each of its samples is right by itself, and the batch is made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from math import prod

import numpy as np

from backproof.candidates.contract import Answer
from backproof.cases.case import Case
from backproof.cases.gradients import Array
from backproof.comparison import deviation
from backproof.judging import doubts
from backproof.judging.offered import given_for
from backproof.judging.residuals import Residual, residuals
from backproof.judging.verdicts import Check, Verdict
from backproof.settling.arbiter import shares_are_true

ADDS_UP = "each sample is right by itself, and the samples make the batch"
"""The note of an agreement on a batch that no bound could have given."""

Shares = dict[int, tuple[float, Answer]]
"""Of each sample that counts, its factor in the batch and the answer to it alone."""


def is_left_to_its_samples(check: Check, case: Case) -> bool:
    """Whether a check of a batch is undecided for a reason that need not be one for single samples."""
    undecided = check.verdict is Verdict.UNDECIDED and check.note != doubts.UNDERFLOW
    return undecided and check.max_abs_error is not None and case.spec.batch_size > 1


def made_of_samples(
    case: Case, checks: tuple[Check, ...], opened: list[Check], given: Answer, shares: Shares
) -> tuple[Check, ...]:
    """The checks, with those of `opened` agreeing where each sample is right and the batch is made of them.

    A bound on a batch says little where its samples cancel, where one of them meets a kink, or where the bound has
    grown through the layers. Each sample by itself shows its share, c_n g_n with c_n = divisor(sample) /
    divisor(batch). The shares are right where every equation holds that made them, or where they are the true ones
    (`arbiter.shares_are_true`). The batch adds nothing but

        g = sum_n c_n g_n      a gradient of parameters, or a loss that is reduced
        g_n = c_n g_n          row n of a delta, of dC/dx, or of losses that are not

    which is asked of the candidate's own numbers on both sides: they agree to within `doubts.SHOWN` of the largest
    share. So a sample that is left out, counted twice or put in another's row shows, if its share does, and so does a
    wrong factor on all of them. What differs by more, be it by rounding or by the other side of a kink than the sample
    took alone, stays undecided; so does everything where there are no shares.
    """
    parts = [_Parts.of(check, given, shares, case) for check in opened] if shares else []
    made = [part for part in parts if part is not None and part.make_the_batch(case.spec.dtype)]
    if made and not _equations_hold(case, shares):
        made = [part for part in made if part.cancels and shares_are_true(case, part.check, part.shares)]
    right = {id(part.check) for part in made}
    return tuple(_right(check, case) if id(check) in right else check for check in checks)


def _right(check: Check, case: Case) -> Check:
    """A check that agrees; where PyTorch is further off than the bound, by a listed deviation, it is wrong instead."""
    name = None
    if check.error_over_bound is not None and check.error_over_bound > 1.0:
        name = deviation(case, check.quantity, check.layer)
    verdict = Verdict.AGREE if name is None else Verdict.REFERENCE_WRONG
    return check._replace(note=name or ADDS_UP, verdict=verdict)


@dataclass(frozen=True, slots=True)
class _Parts:
    """One quantity of a batch, and what each sample that counts gives to it: c_n g_n, in a row of its own."""

    check: Check
    whole: Array
    samples: list[int]
    shares: Array
    is_sum: bool

    @classmethod
    def of(cls, check: Check, given: Answer, shares: Shares, case: Case) -> _Parts | None:
        """The parts of a check; None where the batch, or a sample, does not offer the quantity in its shape."""
        whole = given_for(given, check.quantity, check.layer)
        own = [given_for(answer, check.quantity, check.layer) for _, answer in shares.values()]
        is_sum = check.quantity in ("weight", "bias") or (check.quantity == "loss" and case.spec.reduction != "none")
        if whole is None:
            return None
        shape = whole.shape if is_sum else whole.shape[1:]
        scaled = [
            scale * part.astype(np.float64).reshape(shape)
            for part, (scale, _) in zip(own, shares.values(), strict=True)
            if part is not None and part.size == prod(shape)
        ]
        complete = len(scaled) == len(shares)
        return cls(check, whole, list(shares), np.array(scaled), is_sum) if complete else None

    @property
    def cancels(self) -> bool:
        """Whether this is a sum smaller than its largest share: of any other, exact values have spoken already."""
        return self.is_sum and float(np.abs(self.whole).max()) < float(np.abs(self.shares).max())

    def make_the_batch(self, dtype: str) -> bool:
        """Whether the batch's quantity is made of the shares, but for what need not show beside the largest of them."""
        with np.errstate(all="ignore"):  # infinity less infinity shows nothing
            made = self.shares.sum(axis=0) if self.is_sum else np.zeros(self.whole.shape)
            if not self.is_sum:
                made[self.samples] = self.shares  # an ignored target's row is 0
            return doubts.shows(float(np.abs(self.whole - made).max()), float(np.abs(self.shares).max()), dtype)


def _equations_hold(case: Case, shares: Shares) -> bool:
    """Whether every equation of every sample holds, and could have failed: by an error that matters, and all over.

    An equation is the same for all samples, so that one which shows as much of it as must show is enough to see that it
    is the right one. What it made of the others is seen no better than their bounds: the tests of all samples count
    together, each as if its samples were the rows of one array, and their largest bound must be below their largest
    entry. A unit that is dead on one of them shows on others. Every sample has to show BP4, which is what it gives to
    dW, and the loss. Where the readings of a delta or an a are 0, the equations go on with what is predicted, and are
    tested further down.
    """
    found: dict[tuple[str, int | None, str], list[Residual]] = defaultdict(list)
    for sample, (_, answer) in shares.items():
        for test in residuals(case.sample(sample), answer):
            if not test.holds or test.bound == np.inf:
                return False
            found[test.equation, test.layer, test.quantity].append(test)
    shown = all(
        doubts.decides(max(test.bound for test in row), max(test.size for test in row))
        and any(doubts.shows(test.bound, test.size, case.spec.dtype) for test in row)
        and (len(row) == len(shares) or (equation != "BP4" and quantity != "loss"))
        for (equation, _, quantity), row in found.items()
    )
    return shown and _reached(found, case)


def _reached(found: Collection[tuple[str, int | None, str]], case: Case) -> bool:
    """Whether the way back was tested in every layer: one whose delta nothing shows is passed over otherwise."""
    return all(
        ("BP1" if number == case.spec.depth else "BP2", number, "delta") in found
        for number in range(1, case.spec.depth + 1)
    )

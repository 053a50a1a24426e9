"""Where the chained bound decides nothing: a case's samples one by one, each equation on the candidate's own values.

Whether backpropagation is right can be seen on one sample at a time, with one layer's bound, at any depth:
`residuals.py`. What fails there is wrong, provided that the candidate computes as the equations do; a correct one of
another kind (forward mode, dual numbers) may fail, by little. So a failure counts only where it is certain, and where
the same candidate passes the same tests on networks that the chained bound does decide, and agrees there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from backproof.candidates.contract import Answer, Candidate
from backproof.cases.case import Case, build_case
from backproof.cases.sampling import iterate_specs
from backproof.comparison import PROPAGATED
from backproof.judging import doubts
from backproof.judging.bounds import Key
from backproof.judging.offered import coarsest
from backproof.judging.residuals import Residual, residuals
from backproof.judging.verdicts import Check, Verdict
from backproof.settling.batches import Shares, is_left_to_its_samples, made_of_samples
from backproof.truth.divisors import divisor

CERTAIN: Final = 16.0
"""A residual so many times its bound is no rounding of a right program of any kind, be it forward mode."""
SAMPLES = 8
"""How many samples of a batch are looked at one by one, where the whole network is too deep or beside a kink."""
GLANCES = 2
"""How many at most, where all agree and only an error within the bound could still hide, or where numbers of the batch
saturate or cancel: single samples saturate as well."""
WITNESSES = 6
"""How many networks that the chained bound decides vouch for a candidate."""
SEARCHED = 60
"""How many networks of its domain are searched for them."""

Ask = Callable[[Candidate, Case], Answer]
Judge = Callable[[Case, Answer], tuple[Check, ...]]


@dataclass
class Settlement:
    """One candidate's local tests, and whether it is known to pass them.

    ask: how the candidate is called; judge: how an answer is compared by the chained bound.
    """

    candidate: Candidate
    ask: Ask
    judge: Judge
    _vouched: dict[str, bool] = field(default_factory=dict)

    def settle(self, case: Case, checks: tuple[Check, ...], wide: Collection[Key] = ()) -> tuple[Check, ...]:
        """The checks with what single samples show: a broken equation disagrees; on one sample, kept ones agree.

        wide: quantities that agree by a bound in which an error could hide. For them alone, no more samples are asked
        than it takes until one shows as much of their equation as must show, and GLANCES at most. Where a sample speaks
        against one without certainty, or of a candidate that nothing vouches for, it is undecided.
        """
        opened = tuple(check for check in checks if is_open(check) or (check.quantity, check.layer) in wide)
        unseen, last = opened, None
        samples = SAMPLES if any(check.note in (doubts.DEPTH, doubts.KINK) for check in opened) else GLANCES
        for sample, dtype, tests in self._tested(case, samples):
            broken = [residual for residual in tests if not residual.holds]
            if broken:
                certain = [residual for residual in broken if _is_certain(residual, dtype)]
                if certain and self.vouched(case.spec.dtype):
                    return _accused(checks, opened, sample, certain[0])
                return tuple(_doubted(check, wide, broken) for check in checks)
            unseen, last = tuple(check for check in unseen if not _seen(check, tests, dtype)), tests
            if not unseen:
                break
        if case.spec.batch_size == 1 and last is not None and all(residual.tells for residual in last):
            return tuple(_agreed(check) for check in checks)
        return checks

    def add_up(self, case: Case, checks: tuple[Check, ...], given: Answer) -> tuple[Check, ...]:
        """The checks, with undecided ones of a batch agreeing where its samples settle them: see `made_of_samples`.

        A penalty has no share in any sample; with one nothing is said.
        """
        opened = [check for check in checks if is_left_to_its_samples(check, case)]
        shares = self._shares(case) if opened and case.spec.penalty is None else {}
        return made_of_samples(case, checks, opened, given, shares)

    def _shares(self, case: Case) -> Shares:
        """n -> (c_n, the answer to sample n alone) for all samples that count; none unless every answer is legible."""
        shares: Shares = {}
        for sample in range(case.spec.batch_size):
            one = case.sample(sample)
            if divisor(one) == 0.0:
                continue  # an ignored target: the mean over none is no number, and has no share
            answer = self.ask(self.candidate, one) if self._may_ask(one, case) else None
            if answer is None or not answer.fits(one):
                return {}
            shares[sample] = divisor(one) / divisor(case), answer
        return shares

    def vouched(self, dtype: str) -> bool:
        """Whether the candidate keeps every equation on networks where the chained bound says that it is right."""
        if dtype not in self._vouched:
            self._vouched[dtype] = self._witnessed(dtype)
        return self._vouched[dtype]

    def _witnessed(self, dtype: str) -> bool:
        if dtype not in self.candidate.domain.dtypes:
            return False
        domain = replace(self.candidate.domain, dtypes=(dtype,))
        witnesses = 0
        for count, spec in enumerate(iterate_specs(domain, seed=0, shard=0)):
            if witnesses == WITNESSES or count == SEARCHED:
                break
            case = build_case(spec)
            one = case.sample(0)
            if not self._may_ask(one, case):
                continue
            answer = self.ask(self.candidate, one)
            if not answer.fits(one) or not _agrees(self.judge(one, answer)):
                continue
            if not all(residual.holds for residual in residuals(one, answer)):
                return False
            witnesses += 1
        return witnesses > 0

    def _tested(self, case: Case, samples: int) -> Iterator[tuple[int, str, list[Residual]]]:
        """(sample, the dtype of the answer to it, its residuals) for up to so many samples, evenly spaced."""
        for sample in range(0, case.spec.batch_size, -(-case.spec.batch_size // samples)):
            one = case.sample(sample)
            if self._may_ask(one, case):
                answer = self.ask(self.candidate, one)
                if answer.fits(one):
                    yield sample, coarsest(answer, case.spec.dtype), residuals(one, answer)

    def _may_ask(self, one: Case, case: Case) -> bool:
        """Whether the candidate supports a single sample, and that one counts: the mean over no target is no number.

        A case from outside the domain was asked for all the same; then so may be its samples.
        """
        domain = self.candidate.domain
        return (domain.contains(one.spec) or not domain.contains(case.spec)) and divisor(one) != 0.0


def is_open(check: Check) -> bool:
    """Whether a check is of the kind that single samples settle: undecided, or decided by the propagated bound alone.

    Numbers that underflow show nothing that could be read.
    """
    if check.verdict is Verdict.UNDECIDED:
        return check.note != doubts.UNDERFLOW
    return check.verdict is Verdict.AGREE and check.note.startswith(PROPAGATED)


def _seen(check: Check, tests: list[Residual], dtype: str) -> bool:
    """Whether a sample shows so much of a check's equation that it needs no other one; undecided ones take them all."""
    if check.verdict is Verdict.UNDECIDED:
        return False
    equation = "delta" if check.layer is not None else check.quantity
    found = [test for test in tests if test.layer == check.layer and test.quantity == equation]
    return any(test.equation != "BP3" and test.power <= doubts.SHOWN[dtype] for test in found)


def _accused(checks: tuple[Check, ...], opened: tuple[Check, ...], sample: int, broken: Residual) -> tuple[Check, ...]:
    where = "the loss" if broken.layer is None else f"layer {broken.layer}"
    note = (
        f"{broken.equation} does not hold at {where} on the candidate's own numbers: "
        f"{broken.excess:.3g} times what rounding explains, with sample {sample} alone"
    )
    return tuple(
        check._replace(verdict=Verdict.DISAGREE, note=note) if check in opened and _shows(check, broken) else check
        for check in checks
    )


def _is_certain(residual: Residual, dtype: str) -> bool:
    """Whether a broken equation accuses: by CERTAIN times its bound, or by as much as must show.

    A right program that does not compute as the equations do exceeds a bound by little, and by little of the numbers.
    """
    return residual.excess > CERTAIN or residual.excess * residual.power >= doubts.SHOWN[dtype]


def _doubted(check: Check, wide: Collection[Key], broken: Collection[Residual]) -> Check:
    """A check of `wide` that a broken equation shows in agrees no more."""
    agrees = check.verdict is Verdict.AGREE and (check.quantity, check.layer) in wide
    if not agrees or not any(_shows(check, residual) for residual in broken):
        return check
    return check._replace(verdict=Verdict.UNDECIDED, note=doubts.DEPTH)


def _shows(check: Check, broken: Residual) -> bool:
    """Whether a check is of a quantity in which the broken equation shows; an activation shows in dW above it."""
    if not check.max_abs_error:
        return False  # not offered, or the very numbers of the reference, be they NaN on both sides
    if broken.quantity == "activation":
        return check.quantity == "weight" and broken.layer is not None and check.layer == broken.layer + 1
    if broken.layer is None:
        return check.quantity == broken.quantity
    kinds = ("delta", "weight", "bias") if broken.quantity == "delta" else (broken.quantity,)
    return check.quantity in kinds and check.layer == broken.layer


def _agreed(check: Check) -> Check:
    if check.verdict is not Verdict.UNDECIDED:
        return check
    return check._replace(verdict=Verdict.AGREE, note="each equation holds on the candidate's own values")


def _agrees(checks: tuple[Check, ...]) -> bool:
    return all(check.verdict in (Verdict.AGREE, Verdict.NOT_OFFERED) for check in checks)

"""One case: the candidate's answer, the reference, the comparison, and whether a call leaves traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from backproof.candidates.contract import Answer, Candidate
from backproof.candidates.wording import said
from backproof.cases.case import Case
from backproof.cases.gradients import Gradients
from backproof.comparison import Bounds, compare, deviation
from backproof.judging.verdicts import Check, Verdict, whole_call
from backproof.settling.arbiter import arbitrate
from backproof.settling.certificate import Certificate
from backproof.settling.settle import Settlement, is_open
from backproof.settling.traces import traces, typed

if TYPE_CHECKING:
    from backproof.truth.vectors import Vectors

Truth = Literal["torch", "exact"]


ARBITRATED: Final = MappingProxyType({Verdict.DISAGREE: 20, Verdict.REFERENCE_WRONG: 2})
"""How many networks with this verdict are held to exact values, whatever it costs; then where float64 does not show it.

Of PyTorch's listed departures few are needed: each is documented, and a network in ten meets one.
"""


MISSING: Final = "PyTorch, the reference, is not installed: install backproof[torch]"


class ReferenceMissingError(RuntimeError):
    """What is to be held to be right cannot be had here."""


def reference_of(truth: Truth) -> Callable[[Case], Gradients]:
    """What is held to be right, case -> Gradients: PyTorch's autograd, or exact arithmetic, which needs no torch."""
    if truth == "torch":
        try:
            from backproof.truth import autograd
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise ReferenceMissingError(
                f'{MISSING}, or take --reference exact (truth="exact" in Python), which needs neither PyTorch nor a '
                "recording"
            ) from error
        return partial(_or_exact, autograd.reference)
    if truth != "exact":
        raise ValueError(f"the reference is torch or exact; got {truth!r}")
    from backproof.truth import exact

    return exact.reference


def _or_exact(reference: Callable[[Case], Gradients], case: Case) -> Gradients:
    """The reference; exact arithmetic where PyTorch refuses what an overflow made of its own numbers."""
    try:
        return reference(case)
    except RuntimeError:
        from backproof.truth import exact

        return exact.reference(case)


class Examiner:
    """One candidate before one reference, for many cases; it remembers what vouches for the candidate.

    With a certificate, every answer that can be read is held to exact arithmetic too, and noted there. With vectors,
    the reference and the bounds are those recorded; `truth` is the reference for cases that were not.
    """

    def __init__(
        self,
        candidate: Candidate,
        *,
        truth: Truth = "torch",
        certificate: Certificate | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        self.candidate = candidate
        self.certificate = certificate
        self.vectors = vectors
        self.reference = reference_of(truth)
        self.settlement = Settlement(candidate, ask, self._compared)
        self._arbitrated: Counter[Verdict] = Counter()
        self._asked_in_integers = False

    def examine(self, case: Case, *, repeat: bool = False) -> tuple[Check, ...]:
        """The verdict on every quantity of one case, in backward order; then on the call itself, where it is at fault.

        `repeat` calls the candidate twice more: does a second call give the same numbers, does an earlier answer stay?
        Raises SpecError where memory does not hold what it takes.
        """
        try:
            return self._examined(case, repeat=repeat)
        except MemoryError:
            raise case.spec.too_large("the reference and the bounds") from None

    def _examined(self, case: Case, *, repeat: bool) -> tuple[Check, ...]:
        answer = ask(self.candidate, case)
        if answer.failure is not None:
            return (whole_call(Verdict(answer.failure), answer.message),)
        if self.vectors is not None and case.spec.id in self.vectors:
            reference = self.vectors.reference(case)
            bounds = Bounds(case, answer.read_off, partial(self.vectors.limit, case))
        else:
            reference, bounds = self.reference(case), Bounds(case, answer.read_off)
        bounds.plain = frozenset(
            verdict for verdict, enough in ARBITRATED.items() if self._arbitrated[verdict] >= enough
        )
        checks = compare(case, answer, reference, bounds)
        if bounds.asked_exactly:
            self._arbitrated.update({check.verdict for check in checks})
        if bounds.wide or any(map(is_open, checks)):
            checks = self.settlement.settle(case, checks, bounds.wide)
        checks = arbitrate(case, checks, answer, reference, bounds)
        checks = self.settlement.add_up(case, checks, answer)
        if getattr(self.candidate, "deviates_as_listed", False):
            checks = tuple(_own_deviation(case, check) for check in checks)
        if self.certificate is not None:
            self.certificate.add(case, answer, bounds)
        checks += changes(answer)
        if repeat:
            checks += self._traces(case, answer, bounds, right=not any(check.verdict.fails for check in checks))
        return checks

    def _traces(self, case: Case, answer: Answer, bounds: Bounds, *, right: bool) -> tuple[Check, ...]:
        """What further calls show; once also with data of an integer type, which a program's digits do not have."""
        asked = partial(ask, self.candidate)
        found = tuple(traces(asked, case, answer, bounds, self.reference if right else None))
        if not found and not self._asked_in_integers:
            self._asked_in_integers = True
            if not getattr(self.candidate, "is_program", False):
                found = tuple(typed(asked, case))
        return found

    def _compared(self, case: Case, answer: Answer) -> tuple[Check, ...]:
        """The comparison, in which what agrees by a wide bound vouches for nothing."""
        bounds = Bounds(case, answer.read_off)
        checks = compare(case, answer, self.reference(case), bounds)
        return tuple(
            check._replace(verdict=Verdict.UNDECIDED) if (check.quantity, check.layer) in bounds.wide else check
            for check in checks
        )


def _own_deviation(case: Case, check: Check) -> Check:
    """A failure of PyTorch itself, as a candidate, is the listed deviation of its own that it meets."""
    if not check.verdict.fails:
        return check
    name = deviation(case, check.quantity, check.layer, dtype=case.spec.dtype)
    return check if name is None else check._replace(verdict=Verdict.REFERENCE_WRONG, note=name)


def examine(candidate: Candidate, case: Case, *, truth: Truth = "torch", repeat: bool = False) -> tuple[Check, ...]:
    """One case, once: see `Examiner.examine`."""
    return Examiner(candidate, truth=truth).examine(case, repeat=repeat)


def ask(candidate: Candidate, case: Case) -> Answer:
    """The candidate's answer; whatever it raises is a failed one."""
    try:
        return candidate.answer(case)
    except (Exception, SystemExit) as error:  # noqa: BLE001  a candidate's defect is a verdict, and the run goes on
        return Answer(failure="error", message=said(error))


def changes(answer: Answer) -> tuple[Check, ...]:
    """The verdict on a call that changed what it was handed; none where it did not."""
    return (whole_call(Verdict.MUTATED_INPUT, f"the call changed {answer.mutated}"),) if answer.mutated else ()

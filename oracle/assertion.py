"""One case inside somebody's own test: an assertion that fails with the diagnosis."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path

from backproof.candidates.callables import FunctionCandidate
from backproof.candidates.contract import Candidate, load
from backproof.cases.case import Case
from backproof.cases.spec import NetworkSpec
from backproof.diagnosis import card
from backproof.diagnosis.diagnosis import diagnose
from backproof.examine import examine, told
from backproof.verdicts import Check


class GradientError(AssertionError):
    """A candidate's answer to one case is wrong; the text says which quantities, by how much, and why.

    The diagnosis is made when the text is first read: a test that Hypothesis shrinks raises hundreds of these, and
    shows one.
    """

    def __init__(self, candidate: Candidate, case: Case, checks: tuple[Check, ...]) -> None:
        super().__init__(candidate.name, case.spec.id)
        self.candidate = candidate
        self.case = case
        self.checks = checks

    @cached_property
    def text(self) -> str:
        """The quantities that are wrong, line by line, then the diagnosis."""
        wrong = [check for check in self.checks if check.verdict.fails]
        lines = [f"{self.case.spec.id}: {len(wrong)} of {len(self.checks)} quantities are wrong"]
        lines += [told(check) for check in wrong]
        if NetworkSpec.parse(self.case.spec.id) == self.case.spec and self.candidate.domain.contains(self.case.spec):
            findings = diagnose(self.candidate, [self.case.spec], shrink=False)
            for label, what in card.lines(findings, candidate=self.candidate.name):
                lines.append(f"  {label:<{card.LABEL_WIDTH}}{what}".rstrip())
        return "\n".join(lines)

    def __str__(self) -> str:
        """The text."""
        return self.text


def check_gradients(candidate: object, case: Case) -> tuple[Check, ...]:
    """Examine one case and raise GradientError, an AssertionError, if any quantity is wrong; for use in tests.

        @given(cases(domain))
        def test_gradients(case):
            check_gradients(my_network.loss_and_gradients, case)

    `candidate` is a function `loss_and_gradients(network, x, y)`, a CANDIDATE text such as "scratch", or a Candidate.
    """
    checks: tuple[Check, ...] = ()
    for found in _loaded(candidate):
        judged = examine(found, case)
        if any(check.verdict.fails for check in judged):
            raise GradientError(found, case, judged)
        checks += judged
    return checks


def _loaded(candidate: object) -> tuple[Candidate, ...]:
    """The candidates; one process of a program for all the examples of a test, waited for anew in each."""
    if isinstance(candidate, str) and candidate.startswith("exec:"):
        loaded = _program(candidate, Path.cwd())
    else:
        loaded = load(candidate)
    for each in loaded:
        if isinstance(each, FunctionCandidate):
            each.patience.answered()
    return loaded


@lru_cache(maxsize=4)
def _program(text: str, here: Path) -> tuple[Candidate, ...]:
    return load(text)

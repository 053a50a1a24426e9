"""One case inside somebody's own test: an assertion that fails with the diagnosis."""

from __future__ import annotations

import unittest
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final, NoReturn

from backproof.candidates.callables import FunctionCandidate
from backproof.candidates.contract import Answer, Candidate, CandidateError, declares_nothing
from backproof.candidates.finding import text_of
from backproof.candidates.handed import Network
from backproof.candidates.loading import load
from backproof.cases.case import Case, build_case
from backproof.cases.spec import NetworkSpec
from backproof.diagnosis import card
from backproof.diagnosis.card import Hints, check_hints, told
from backproof.diagnosis.diagnosis import diagnose
from backproof.diagnosis.evidence import Exhibit, Inquiry
from backproof.examine import ReferenceMissingError, examine
from backproof.judging.verdicts import Check, Verdict
from backproof.narrowing import check_named, like
from backproof.sessions.witnesses import WITNESSES

KEPT: Final = 4
"""How many candidates that are named by a text stay loaded: of a program, its process."""

_LOADED: Final[dict[tuple[str, Path], tuple[Candidate, ...]]] = {}
"""By text and current directory, the last one asked at the end."""

_TOLD: Final[list[tuple[tuple[object, ...], str]]] = []
"""What was wrong last, and its text: Hypothesis raises the smallest failure twice, and reads both."""


class GradientError(AssertionError):
    """A candidate's answer to one case is wrong; the text says which quantities, by how much, and why.

    The diagnosis is made when the text is first read: a test that Hypothesis shrinks raises hundreds of these, and
    shows one. hints: how much of it the text tells, as for `check`.
    """

    def __init__(self, candidate: Candidate, case: Case, checks: tuple[Check, ...], hints: Hints = "all") -> None:
        super().__init__(candidate.name, case.spec.id)
        self.candidate = candidate
        self.case = case
        self.checks = checks
        self.hints = hints

    @cached_property
    def text(self) -> str:
        """The quantities that are wrong, line by line, then the diagnosis."""
        finding = self.candidate, self.case.spec, self.checks, self.hints
        if not _TOLD or _TOLD[0][0] != finding:
            _TOLD[:] = [(finding, self._made())]
        return _TOLD[0][1]

    def _made(self) -> str:
        wrong = [check for check in self.checks if check.verdict.fails]
        lines = [f"{self.case.spec.id}: {len(wrong)} of {len(self.checks)} quantities are wrong"]
        if self.hints == "none":
            return lines[0]
        lines += [told(check) if self.hints == "all" else f"  {check.name}: {check.verdict}" for check in wrong]
        beside = like([self.case.spec]) if declares_nothing(self.candidate) else self.candidate.domain
        if NetworkSpec.parse(self.case.spec.id) == self.case.spec and beside.contains(self.case.spec):
            findings = diagnose(self.candidate, [self.case.spec], domain=beside, shrink=False)
            # What is shown is the case at hand: Hypothesis has shrunk it.
            rate = Inquiry(self.candidate).learning_rate(self.case.spec.dtype)
            findings = replace(findings, shown=Exhibit(self.case, Answer(learning_rate=rate), self.checks))
            for label, what in card.lines(findings, candidate=address(self.candidate), hints=self.hints):
                if label == "Again" and text_of(self.candidate) is None:
                    continue  # no text finds it again
                lines.append(f"  {label:<{card.LABEL_WIDTH}}{what}".rstrip())
        return "\n".join(lines)

    def __str__(self) -> str:
        """The text."""
        return self.text


def check_gradients(candidate: object, case: Case, *, hints: Hints = "all") -> tuple[Check, ...]:
    """Examine one case and raise GradientError, an AssertionError, if any quantity is wrong; for use in tests.

        @given(cases(domain))
        def test_gradients(case):
            check_gradients(my_network.loss_and_gradients, case)

    `candidate` is a function `loss_and_gradients(network, x, y)`, a CANDIDATE text such as "scratch", or a Candidate.
    A program, as in "exec:./my_net", is started once for all examples; one that takes long to start wants Hypothesis'
    `settings(deadline=None)`. A case that the candidate says it does not support is no example of such a test, and
    skips any other. hints: how much the failure tells, "none" for the verdict alone, "where" for the equation and its
    place too, or "all". Raises CandidateError where there is no candidate, DomainError where the case is not of its
    declared Domain, ReferenceMissingError without PyTorch, TypeError for what is no case, ValueError for other hints.
    """
    __tracebackhide__ = True
    check_hints(hints)
    if not isinstance(case, Case):
        raise TypeError(f"case: wanted one of `cases(domain)`, or build_case(NetworkSpec.parse(id)); got {case!r:.60}")
    try:
        loaded = _loaded(candidate)
    except CandidateError as error:
        raise error.with_traceback(None) from None
    checks: tuple[Check, ...] = ()
    for found in loaded:
        if not declares_nothing(found):
            check_named(found.domain, case.spec)
        judged = examine(found, case)
        for witness in WITNESSES:
            witness(address(found), case.spec, judged)
        if any(check.verdict.fails for check in judged):
            raise GradientError(found, case, judged, hints)
        checks += judged
    if all(check.verdict is Verdict.UNSUPPORTED for check in checks):
        _pass_over(f"unsupported, says the candidate: {checks[0].note}")
    return checks


def address(candidate: Candidate) -> str:
    """The CANDIDATE text that finds a candidate again, where there is one; else its name."""
    return text_of(candidate) or candidate.name


def end_programs() -> None:
    """End the programs that candidates are; whoever asks one again starts it again."""
    while _LOADED:
        _end(_LOADED.popitem()[1])


def _loaded(candidate: object) -> tuple[Candidate, ...]:
    """The candidates; one process of a program for all the examples of a test, waited for anew in each."""
    loaded = _named(candidate) if isinstance(candidate, str) else load(candidate)
    for each in loaded:
        if isinstance(each, FunctionCandidate):
            each.patience.answered()
    return loaded


def _named(text: str) -> tuple[Candidate, ...]:
    key = text, Path.cwd()
    loaded = _LOADED.pop(key, None) or load(text)
    _LOADED[key] = loaded
    if len(_LOADED) > KEPT:
        _end(_LOADED.pop(next(iter(_LOADED))))
    return loaded


def _end(loaded: tuple[Candidate, ...]) -> None:
    for each in loaded:
        close = getattr(each, "close", None)
        if close is not None:
            close()


def _pass_over(reason: str) -> NoReturn:
    """Nothing was compared, so that nothing may pass: Hypothesis draws another case, any other test is skipped."""
    from hypothesis import currently_in_test_context, reject

    if currently_in_test_context():
        reject()
    raise unittest.SkipTest(reason)


def _warm_up() -> None:
    """Import PyTorch and go all the way once, with a wrong answer.

    Hypothesis gives an example a fifth of a second, and calls the first one unreliable if that takes longer.
    """

    def answer(network: Network, x: object, y: object) -> object:
        return {"weights": network.weights, "biases": network.biases}

    with suppress(ReferenceMissingError):
        examine(load(answer)[0], build_case(NetworkSpec.parse("1-1,sigmoid,mse,sum,n1,f64,normal,s0")))


_warm_up()

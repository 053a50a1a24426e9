"""What is measured: errors of known size in correct gradients, and every way of checking that may find them.

A checker is asked about one network at a time. `prepare` computes what does not depend on the error, such as a bound
or a difference quotient; the finder that it returns says whether an answer with that error is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer, Candidate
from backproof.cases.case import Case
from backproof.cases.domain import Domain
from backproof.cases.gradients import Gradients
from backproof.cases.spec import NetworkSpec
from backproof.comparison import compare
from backproof.examine import Examiner
from backproof.judging.bounds import Bounds
from backproof.judging.residuals import residuals
from backproof.judging.verdicts import Check
from backproof.power import rivals
from backproof.truth import autograd

Array = NDArray[Any]
Place = Literal["first layer", "every layer", "largest entry"]
SMOOTH: Final = ("sigmoid", "tanh", "gelu")
PIECEWISE_LINEAR: Final = ("relu", "leaky_relu", "hardtanh")

CORRECT: Final[Candidate] = Scratch()
"""Whose gradients are made wrong."""

PLACES: Final[tuple[Place, ...]] = ("first layer", "every layer", "largest entry")


@dataclass(frozen=True)
class Error:
    """Correct gradients made wrong: multiplied by `factor`, 1 + eps for a relative error eps, 0 or -1.

    place: dW and db of the first layer, of every layer, or the largest entry of one layer's dW alone, of the first one
    unless `layer`, counted from 1, says otherwise.
    """

    place: Place
    factor: float
    layer: int = 1

    def applied(self, answer: Answer) -> Answer:
        """The answer with the error in it; arrays that it spares are the same objects."""
        weights, biases = list(answer.weights), list(answer.biases)
        for index in range(len(weights)) if self.place == "every layer" else (self.layer - 1,):
            weights[index] = self._multiplied(weights[index], alone=self.place == "largest entry")
            if self.place != "largest entry":
                biases[index] = self._multiplied(biases[index])
        return replace(answer, weights=tuple(weights), biases=tuple(biases))

    def _multiplied(self, array: Array | None, *, alone: bool = False) -> Array | None:
        if array is None:
            return None
        factors = np.full(array.shape, 1.0 if alone else self.factor)
        if alone:
            factors.flat[np.abs(array).argmax()] = self.factor
        wrong: Array = (array * factors).astype(array.dtype)
        return wrong


@dataclass(frozen=True, eq=False)
class Subject:
    """One network, and scratch's answer to it, which is right."""

    case: Case
    answer: Answer

    @cached_property
    def reference(self) -> Gradients:
        """PyTorch's answer."""
        return autograd.reference(self.case)

    @cached_property
    def bounds(self) -> Bounds:
        """The bounds of all checkers: each is computed once, and so is the enclosure that arbitrates."""
        return Bounds(self.case)

    def with_error(self, error: Error | None) -> Answer:
        """The answer with the error, or as it is."""
        return self.answer if error is None else error.applied(self.answer)


Finder = Callable[[Error | None], bool]
"""Whether an error is found; asked about None, whether correct gradients are accused."""


def finest_of(dtype: str) -> int:
    """k for the smallest relative error 2^-k that every number of a dtype shows: 52 for float64, 23 for float32."""
    return -round(math.log2(np.finfo(dtype).eps))


def finest_found(finds: Finder, place: Place, finest: int, *, layer: int = 1, steps: int = 1) -> int:
    """The largest k <= finest for which a relative error of 2^(-k/steps) is found, -1 where even that of 1 is not.

    By bisection: a larger error of the same kind is taken to be no harder to find.
    """

    def found(exponent: int) -> bool:
        return finds(Error(place, 1.0 + 2.0 ** (-exponent / steps), layer))

    if finest < 0 or found(finest):
        return finest
    low, high = -1, finest
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if found(middle) else (low, middle)
    return low


@dataclass(frozen=True)
class Checker:
    """One way of checking gradients, under the name that it has in the table.

    why_not: why it is not run on such networks at all, "" where it is; only_alarms: why nothing but its false alarms is
    counted there.
    """

    name: str
    prepare: Callable[[Subject], Finder]
    why_not: Callable[[NetworkSpec], str] = lambda spec: ""
    only_alarms: Callable[[NetworkSpec], str] = lambda spec: ""


def _by_chained_bound(subject: Subject) -> Finder:
    # What goes beyond the widest of its levels is refused; less would be blessed by one of them, or left undecided.
    widest = [np.where(np.isnan(limit), np.inf, limit) for limit in _gradients(subject.bounds.limit("kink"))]
    wanted = list(_gradients(subject.reference))

    def finds(error: Error | None) -> bool:
        claimed = zip(_gradients(subject.with_error(error)), wanted, widest, strict=True)
        return any(bool((np.abs(array - right) > limit).any()) for array, right, limit in claimed)

    return finds


def _gradients(found: Answer | Gradients) -> Iterator[Array]:
    """dW and db of every layer, those that there are."""
    for array in (*found.weights, *found.biases):
        if array is not None:
            yield array


def by_bounds(subject: Subject) -> Finder:
    """The comparison as it is: the chained bound, and where that decides nothing the propagated one."""
    return lambda error: _fails(compare(subject.case, subject.with_error(error), subject.reference, subject.bounds))


def _fails(checks: tuple[Check, ...]) -> bool:
    return any(check.verdict.fails for check in checks)


@dataclass(eq=False)
class Erring:
    """Scratch, but for an error in its gradients of one network: on that and on its samples, and on no other."""

    name: str = "scratch with an error"
    domain: Domain = field(default_factory=Domain)
    network: Case | None = None
    error: Error | None = None
    _answers: dict[bytes, Answer] = field(default_factory=dict)

    def turn_to(self, case: Case) -> None:
        """From now on the error is in this network."""
        self.network = case
        self._answers.clear()

    def answer(self, case: Case) -> Answer:
        """Scratch's answer, each network's kept for as long as the error is in it."""
        if self.network is None or case.weights is not self.network.weights:
            return CORRECT.answer(case)
        key = case.x.tobytes()
        if key not in self._answers:
            self._answers[key] = CORRECT.answer(case)
        found = self._answers[key]
        return found if self.error is None else self.error.applied(found)


@cache
def _examiner() -> tuple[Examiner, Erring]:
    """One for the whole run: that the candidate is right on other networks is established once."""
    candidate = Erring()
    return Examiner(candidate), candidate


def _by_all(subject: Subject) -> Finder:
    refused = by_bounds(subject)
    examiner, candidate = _examiner()

    def finds(error: Error | None) -> bool:
        # What the bounds refuse, the examination refuses; asked first, they need not be computed again.
        if refused(error):
            return True
        if candidate.network is not subject.case:
            candidate.turn_to(subject.case)
        candidate.error = error
        return _fails(examiner.examine(subject.case))

    return finds


def _by_residuals(subject: Subject) -> Finder:
    case = subject.case
    samples = [case.sample(index) for index in range(case.spec.batch_size)]
    answers = [CORRECT.answer(sample) for sample in samples]

    def finds(error: Error | None) -> bool:
        given = (answer if error is None else error.applied(answer) for answer in answers)
        tests = (residuals(sample, answer) for sample, answer in zip(samples, given, strict=True))
        return any(not residual.holds for found in tests for residual in found)

    return finds


def _by_gradcheck(*, fast: bool) -> Callable[[Subject], Finder]:
    def prepare(subject: Subject) -> Finder:
        case = subject.case

        def finds(error: Error | None) -> bool:
            claimed = subject.with_error(error)
            layers = _changed(subject.answer, claimed) or list(range(case.spec.depth))
            if fast or error is None:
                return not rivals.gradcheck(case, claimed, layers=layers, fast=fast)
            # Slow mode takes seconds and each layer counts by itself: the layers with the largest gradients come first.
            return any(not rivals.gradcheck(case, claimed, layers=[layer], fast=False) for layer in reversed(layers))

        return finds

    return prepare


def _changed(before: Answer, after: Answer) -> list[int]:
    """The layers, from 0, of which a gradient is another array than before."""
    layers = zip(before.weights, after.weights, before.biases, after.biases, strict=True)
    return [at for at, (w, other_w, b, other_b) in enumerate(layers) if w is not other_w or b is not other_b]


def _by_assert_close(subject: Subject) -> Finder:
    wanted = Answer.of(subject.reference)
    return lambda error: not rivals.assert_close(subject.with_error(error), wanted)


def _by_course_notes(subject: Subject) -> Finder:
    differences = rivals.central_differences(subject.case)
    return lambda error: not rivals.course_notes(subject.with_error(error), differences)


LAYERS_IN_TIME: Final = 3_500
"""Slow gradcheck is run where forward passes for all parameters, times the cost of one in layers, are no more."""

PARAMETERS_IN_TIME: Final = 4_400
"""Central differences of all parameters are taken of so many at most."""


def parameters(spec: NetworkSpec) -> int:
    """How many weights and biases the network has."""
    pairs = zip(spec.widths, spec.widths[1:], spec.biases, strict=False)
    return sum(outputs * (inputs + has_bias) for inputs, outputs, has_bias in pairs)


def _slow(spec: NetworkSpec) -> str:
    # Calling a function through autograd costs about as much as four small layers.
    if parameters(spec) * (spec.depth + 4) <= LAYERS_IN_TIME:
        return ""
    return f"not run: {2 * parameters(spec):,} forward passes"


def _many(spec: NetworkSpec) -> str:
    if parameters(spec) <= PARAMETERS_IN_TIME:
        return ""
    return f"not run: {2 * parameters(spec):,} forward passes"


def _single(spec: NetworkSpec) -> str:
    return "not run: it demands float64" if spec.dtype != "float64" else ""


BACKPROOF: Final = "Backproof"

CHECKERS: Final = MappingProxyType(
    {
        checker.name: checker
        for checker in (
            Checker("chained bound", _by_chained_bound),
            Checker("and propagated", by_bounds),
            Checker("local tests alone", _by_residuals),
            Checker(BACKPROOF, _by_all),
            Checker("gradcheck", _by_gradcheck(fast=False), _slow, _single),
            Checker("gradcheck, fast", _by_gradcheck(fast=True), only_alarms=_single),
            Checker("assert_close", _by_assert_close),
            Checker("course notes, 1e-7", _by_course_notes, _many),
        )
    }
)

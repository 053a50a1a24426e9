"""Evidence for a diagnosis: small cases under which faults differ, with the candidate's answers and their verdicts.

Many mistakes show only under a condition: a batch above 1, or of exactly 1, layers of equal width, several outputs, an
inactive unit. So cases are not left to chance: each failing network is stated again in a few shapes in which N, O, I
and 2 are told apart, in which neighbouring widths are equal and are not, with one output and with several, one sample
and several, as far as the candidate's domain has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np

from backproof.candidates.contract import Answer, Candidate
from backproof.candidates.steps import rates
from backproof.cases.case import Case, build_case
from backproof.cases.domain import Domain
from backproof.cases.gradients import Array
from backproof.cases.sampling import iterate_specs
from backproof.cases.spec import NetworkSpec, SpecError
from backproof.comparison import compare
from backproof.examine import Truth, ask, changes, reference_of
from backproof.judging.bounds import Bounds
from backproof.judging.verdicts import Check, Verdict, whole_call
from backproof.truth.arithmetic import Arithmetic
from backproof.truth.divisors import divisor
from backproof.truth.objective_bounds import penalty_gradient

SHAPES: Final = (
    # widths, batch size: the first ones tell N, O, I and 2 apart and have no square layer
    ((3, 5, 4, 6), 7),
    ((2, 4, 3), 5),
    ((4, 3), 5),
    ((3, 5, 4, 6), 1),
    ((2, 4, 3), 1),
    ((3, 3, 3, 3), 4),
    ((4, 4, 4), 1),
    ((2, 5, 3, 1), 4),
    ((3, 1), 3),
    ((1, 3, 2), 2),
    ((2, 3, 3, 4, 5), 6),
)
"""Networks under which faults differ: (n0, ..., nL) and N."""

FOCUSES: Final = 4
"""How many failing networks of different kinds are stated again in these shapes."""
ORIGINALS: Final = 12
"""How many of the failing networks themselves are looked at."""
OTHERS: Final = 12
"""How many networks of the domain are looked at besides, whether they fail or not."""
LARGEST: Final = 4096
"""Networks with more numbers than this, parameters and data, are evidence only where there is no smaller one."""


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One case, the candidate's answer to it, and the verdicts on it.

    repeats: how often a single sample was stated to a candidate that takes no single one; its answer is divided here.
    """

    case: Case
    answer: Answer
    checks: tuple[Check, ...]
    repeats: int = 1

    @property
    def wrong(self) -> bool:
        """Whether any quantity of it fails."""
        return any(check.verdict.fails for check in self.checks)

    @property
    def legible(self) -> bool:
        """Whether every weight and bias gradient is there in its shape."""
        if self.answer.failure is not None or not self.answer.weights:
            return False
        read = (check for check in self.checks if check.quantity in ("weight", "bias"))
        return not any(check.verdict in (Verdict.SHAPE, Verdict.MISSING) for check in read)

    @property
    def nothing(self) -> bool:
        """Whether every weight and bias gradient is there, and 0."""
        given = (*self.answer.weights, *self.answer.biases)
        return self.legible and not any(array.any() for array in given if array is not None)

    def wrong_quantities(self) -> frozenset[tuple[str, int | None]]:
        """(quantity, layer) of everything that fails."""
        return frozenset((check.quantity, check.layer) for check in self.checks if check.verdict.fails)


class Inquiry:
    """A candidate before the reference, asked about each case once."""

    def __init__(self, candidate: Candidate, *, domain: Domain | None = None, truth: Truth = "torch") -> None:
        self.candidate = candidate
        self.domain = candidate.domain if domain is None else domain
        self.truth: Truth = truth
        self.reference = reference_of(truth)
        self._exhibits: dict[str, Exhibit] = {}

    def learning_rate(self, dtype: str) -> float | None:
        """The rate of the steps from which the candidate's gradients are read off; None where it returns gradients."""
        planted = getattr(self.candidate, "learning_rate", None)
        if planted is not None:
            return float(planted)
        declaration = getattr(self.candidate, "declaration", None)
        if declaration is None or declaration.kind != "step":
            return None
        return rates(declaration, dtype)[0]

    def exhibit(self, case: Case) -> Exhibit:
        """The answer to a case that `build_case` made, with its verdicts."""
        known = self._exhibits.get(case.spec.id)
        if known is None:
            known = self._exhibits[case.spec.id] = self.judged(case, ask(self.candidate, case))
        return known

    def judged(self, case: Case, answer: Answer) -> Exhibit:
        """An answer with its verdicts."""
        if answer.failure is not None:
            return Exhibit(case, answer, (whole_call(Verdict(answer.failure), answer.message),))
        checks = compare(case, answer, self.reference(case), Bounds(case, answer.read_off))
        return Exhibit(case, answer, (*checks, *changes(answer)))

    def single(self, exhibit: Exhibit, sample: int) -> Exhibit | None:
        """One sample of a case by itself, with the answer to it; None where it has no weight in the loss.

        A candidate that takes no batch of one is asked for a batch of this sample alone, as large as it takes.
        """
        case = exhibit.case
        repeats = case.spec.batch_size
        if repeats == 1:
            return exhibit
        one = case.sample(sample)
        if divisor(one) == 0.0:
            return None
        if self.domain.contains(one.spec):
            return self.judged(one, ask(self.candidate, one))
        stated = case.rows([sample] * repeats)
        answer = ask(self.candidate, stated)
        if answer.failure is None:
            answer = _of_one(answer, stated, one)
        return replace(self.judged(one, answer), repeats=repeats)


def _of_one(answer: Answer, stated: Case, one: Case) -> Answer:
    """What an answer to one sample stated N times says of the sample itself; its deltas and dC/dx are left out.

    dC_1 = dC_N / N * D_N / D_1 without the penalties, where D is what the reduction divides by.
    """
    factor = divisor(stated) / (stated.spec.batch_size * divisor(one))

    def share(gradient: Array | None, parameter: Array | None, *, is_bias: bool) -> Array | None:
        if gradient is None or parameter is None or gradient.shape != parameter.shape:
            return gradient
        whole, own = (penalty_gradient(case, parameter, arithmetic, is_bias=is_bias) for case in (stated, one))
        if whole is None or own is None:
            return np.asarray(gradient * factor, dtype=gradient.dtype)
        return np.asarray((gradient - whole.value) * factor + own.value, dtype=gradient.dtype)

    arithmetic = Arithmetic.of(stated.spec.dtype)
    with np.errstate(all="ignore"):
        return replace(
            answer,
            loss=_loss_of_one(answer.loss, factor, one),
            weights=tuple(share(*both, is_bias=False) for both in zip(answer.weights, stated.weights, strict=True)),
            biases=tuple(share(*both, is_bias=True) for both in zip(answer.biases, stated.biases, strict=True)),
            inputs=None,
            deltas=None,
        )


def _loss_of_one(loss: Array | None, factor: float, one: Case) -> Array | None:
    """The first of the unreduced losses; a loss that is a number, divided; none where a penalty is part of it."""
    if loss is None or one.spec.penalty is not None:
        return None
    return loss[:1] if loss.ndim else np.asarray(loss * factor, dtype=loss.dtype)


def gather(inquiry: Inquiry, failing: Sequence[NetworkSpec]) -> list[Exhibit]:
    """Exhibits from failing networks on: telling shapes of them first, then themselves, then others of the domain.

    Without failing ones, from any network of the domain.
    """
    domain = inquiry.domain
    if not failing:
        failing = list(islice(iterate_specs(domain, seed=0, shard=0), 1))
    focuses = list(islice(_kinds(failing), FOCUSES))
    specs: dict[str, NetworkSpec] = {}
    for number, focus in enumerate(focuses):
        # All shapes of the first kind; of the others the three that tell most.
        for spec in restated(focus, SHAPES if number == 0 else SHAPES[:4:2] + SHAPES[5:6]):
            if domain.contains(spec):
                specs[spec.id] = spec
    small = [spec for spec in failing if _size(spec) <= LARGEST] or list(failing[:1])
    for spec in small[:ORIGINALS]:
        specs[spec.id] = spec
    for spec in islice(iterate_specs(domain, seed=1, shard=0), OTHERS):
        if _size(spec) <= LARGEST:
            specs[spec.id] = spec
    return [inquiry.exhibit(build_case(spec)) for spec in specs.values()]


def _kinds(failing: Iterable[NetworkSpec]) -> Iterator[NetworkSpec]:
    """The first failing network of each kind: loss, output activation, reduction."""
    seen = set()
    for spec in failing:
        kind = spec.loss.name, spec.activations[-1].name, spec.penalty is None
        if kind not in seen:
            seen.add(kind)
            yield spec


def restated(spec: NetworkSpec, shapes: Sequence[tuple[tuple[int, ...], int]] = SHAPES) -> Iterator[NetworkSpec]:
    """A network of the same kind in other shapes: its loss, its output activation, its hidden ones in turn."""
    hidden = spec.activations[:-1] or spec.activations
    # An output activation that is row-wise, or fits its loss alone, is no hidden one.
    for widths, batch_size in shapes:
        depth = len(widths) - 1
        if depth > 1 and spec.depth == 1:
            activations = (*[spec.activations[0]] * (depth - 1), spec.activations[-1])
        else:
            activations = (*[hidden[at % len(hidden)] for at in range(depth - 1)], spec.activations[-1])
        biases = tuple(spec.biases[min(at, spec.depth - 1)] for at in range(depth))
        try:
            yield replace(spec, widths=widths, batch_size=batch_size, activations=activations, biases=biases)
        except SpecError:
            continue  # the loss needs more outputs than this shape has


def _size(spec: NetworkSpec) -> int:
    parameters = sum(inputs * outputs for inputs, outputs in zip(spec.widths, spec.widths[1:], strict=False))
    return parameters + spec.batch_size * sum(spec.widths)

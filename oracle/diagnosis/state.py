"""State: whether a call leaves something behind that changes the next one, and what.

A function of its arguments answers the same question the same way, whatever it was asked in between, and another
question differently. One that does not is asked a sequence of questions from the start, where it can be had afresh, and
each fault of the catalogue that keeps a state is asked the same sequence. Where it cannot, what it kept before is not
known, and what two calls differ by is compared. What is left beside the state is diagnosed on such differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from backproof.candidates.contract import Answer, Candidate
from backproof.candidates.loading import load
from backproof.cases.case import Array, Case, build_case
from backproof.cases.domain import Domain
from backproof.diagnosis.evidence import Exhibit
from backproof.diagnosis.faults import FAULTS
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.diagnosis.hypotheses import Arrays, Hypothesis, agree, arrays
from backproof.examine import ask

ASKED: Final = 16
"""How often the same question is asked to see whether the answers have a pattern."""
ORDER: Final = 4
"""How many changes before it may make a change, where there is one."""
UNEXPLAINED: Final = 0.1
"""The share of the changes that must be left without a pattern."""


class Differences:
    """A candidate whose answer is what one call adds to the call before it, in everything that changes between them."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.name = candidate.name

        # What says that it is a training step, and with which learning rate.
        self.declaration = getattr(candidate, "declaration", None)
        self.learning_rate = getattr(candidate, "learning_rate", None)

    @property
    def domain(self) -> Domain:
        """The domain of the candidate itself."""
        return self.candidate.domain

    def answer(self, case: Case) -> Answer:
        """The second of two answers to the same question; less the first, where the two are not the same."""
        first, second = ask(self.candidate, case), ask(self.candidate, case)
        if first.failure is not None or second.failure is not None:
            return second
        return replace(
            second,
            loss=_added(second.loss, first.loss),
            weights=_all_added(second.weights, first.weights),
            biases=_all_added(second.biases, first.biases),
            inputs=_added(second.inputs, first.inputs),
            deltas=None if first.deltas is None or second.deltas is None else _all_added(second.deltas, first.deltas),
        )


def _all_added(second: Sequence[Array | None], first: Sequence[Array | None]) -> tuple[Array | None, ...]:
    return tuple(_added(after, before) for after, before in zip(second, first, strict=True))


def _added(after: Array | None, before: Array | None) -> Array | None:
    if after is None or before is None or after.shape != before.shape:
        return after
    with np.errstate(all="ignore"):
        return after if np.array_equal(after, before, equal_nan=True) else np.asarray(after - before)


def questions(case: Case) -> list[Case]:
    """A case, again, with other data of the same shapes, again, and with other data once more."""
    second, third = (build_case(replace(case.spec, seed=case.spec.seed + further)) for further in (1, 2))
    return [case, case, second, case, third]


def answers(candidate: Candidate, cases: Sequence[Case]) -> list[Arrays]:
    """What the candidate answers to the questions, one after the other."""
    return [_copied(arrays(ask(candidate, case))) for case in cases]


def _copied(found: Arrays) -> Arrays:
    return {key: np.array(array) for key, array in found.items()}


def keeps_state(candidate: Candidate, case: Case) -> bool:
    """Whether the same question gets different answers: now and later, or now and by a candidate just made."""
    cases = questions(case)
    first, again, second, later, _ = answers(candidate, cases)
    if not (_alike(first, again) and _alike(first, later)):
        return True
    fresh = afresh(candidate)
    return fresh is not None and not _alike(second, answers(fresh, cases[2:3])[0])


def is_random(candidate: Candidate, case: Case) -> bool:
    """Whether answers to one and the same question differ by no pattern of calls.

    What two candidates just made answer first has no calls before it: where that differs, nothing was kept.
    """
    one, other = afresh(candidate), afresh(candidate)
    if one is not None and other is not None and not _alike(*(answers(each, [case])[0] for each in (one, other))):
        return True
    given = answers(candidate, [case] * ASKED)
    return any(_patternless([each[key] for each in given]) for key in given[0] if all(key in each for each in given))


def _patternless(given: Sequence[Array]) -> bool:
    """Whether the numbers go up and down, and the changes before a change do not make it.

    What is added up, decays, swings out or takes turns changes by d_t = c_1 d_{t-1} + ... + c_4 d_{t-4}.
    """
    if any(array.shape != given[0].shape for array in given):
        return False
    with np.errstate(all="ignore"):
        numbers = np.array([array.ravel() for array in given], dtype=np.float64)
        changes = np.diff(numbers, axis=0)
        if not np.isfinite(changes).all() or not ((changes.max(axis=0) > 0.0) & (changes.min(axis=0) < 0.0)).any():
            return False
        count = len(changes) - ORDER
        before = np.stack([changes[lag : lag + count].ravel() for lag in range(ORDER)], axis=1)
        after = changes[ORDER:].ravel()
        left = after - before @ np.linalg.lstsq(before, after, rcond=None)[0]
    return bool(np.linalg.norm(left) > UNEXPLAINED * np.linalg.norm(after))


def afresh(candidate: Candidate) -> Candidate | None:
    """The candidate as it is before its first call: made again, or loaded again; None where it cannot be."""
    again = getattr(candidate, "afresh", None)
    if callable(again):
        fresh: Candidate = again()
        return fresh
    text = getattr(candidate, "text", None)
    found = () if text is None else load(text)
    return found[0] if len(found) == 1 else None


def named(candidate: Candidate, exhibits: Sequence[Exhibit], rate: float | None) -> tuple[Hypothesis, ...]:
    """The faults of the catalogue that remember, and answer a sequence of questions as the candidate does.

    rate: the learning rate of the steps that the gradients are read off; None where there are none.
    """
    faults = [fault for fault in FAULTS if fault.remembers and not (fault.only_steps and rate is None)]
    return tuple(
        hypothesis
        for hypothesis in (Hypothesis((Plant(fault),), 1.0 if rate is None else rate) for fault in faults)
        if exhibits and all(_reproduces(hypothesis, candidate, each.case) for each in exhibits)
    )


def _reproduces(hypothesis: Hypothesis, candidate: Candidate, case: Case) -> bool:
    cases, fresh = questions(case), afresh(candidate)
    planted = Planted(hypothesis.plants, learning_rate=hypothesis.learning_rate)
    if fresh is None:
        return _changes_alike(candidate, planted, [case] * 3)
    own, other = answers(fresh, cases), answers(planted, cases)
    return all(_alike(given, _restricted(made, given)) for given, made in zip(own, other, strict=True))


def _restricted(made: Arrays, given: Arrays) -> Arrays:
    return {key: array for key, array in made.items() if key in given}


def _changes_alike(candidate: Candidate, planted: Planted, cases: Sequence[Case]) -> bool:
    own, other = answers(candidate, cases), answers(planted, cases)
    return all(_alike(_change(own, at), _restricted(_change(other, at), own[0])) for at in range(1, len(cases)))


def _change(found: Sequence[Arrays], at: int) -> Arrays:
    before, after = found[at - 1], found[at]
    with np.errstate(all="ignore"):
        return {
            key: after[key] - before[key] if before[key].shape == after[key].shape else after[key]
            for key in after
            if key in before
        }


def _alike(first: Arrays, second: Arrays) -> bool:
    return first.keys() == second.keys() and agree(first, second)

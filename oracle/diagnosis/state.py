"""State: whether a call leaves something behind that changes the next one, and what.

Asked the same thing three times, a function of its arguments answers the same three times. One that adds to what it
returned before shows its true answer in the difference of two calls: what is left is diagnosed on these differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from backproof.candidates.contract import Answer, Candidate
from backproof.cases.case import Array, Case
from backproof.cases.domain import Domain
from backproof.diagnosis.evidence import Exhibit
from backproof.diagnosis.faults import FAULTS
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.diagnosis.hypotheses import Arrays, Hypothesis, arrays, same, sizes
from backproof.examine import ask

CALLS: Final = 3
"""How often the same thing is asked."""


class Differences:
    """A candidate whose answer is what one call adds to the call before it, in everything that changes between them."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.name = candidate.name

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


def answers(candidate: Candidate, case: Case) -> list[Arrays]:
    """What the candidate answers to the same question, asked CALLS times."""
    return [_copied(arrays(ask(candidate, case))) for _ in range(CALLS)]


def _copied(found: Arrays) -> Arrays:
    return {key: np.array(array) for key, array in found.items()}


def keeps_state(candidate: Candidate, case: Case) -> bool:
    """Whether the same question is answered differently, by more than half of the digits."""
    first, *others = answers(candidate, case)
    return any(not _alike(first, other) for other in others)


def named(candidate: Candidate, exhibits: Sequence[Exhibit]) -> tuple[Hypothesis, ...]:
    """The faults of the catalogue that keep a state and change from call to call as the candidate does.

    What a candidate kept before it was first asked is not known, so that the changes are compared, not the answers.
    """
    found = []
    for fault in FAULTS:
        if fault.equation != "state":
            continue
        hypothesis = Hypothesis((Plant(fault),))
        if exhibits and all(_changes_alike(candidate, Planted(hypothesis.plants), each.case) for each in exhibits):
            found.append(hypothesis)
    return tuple(found)


def _changes_alike(candidate: Candidate, planted: Planted, case: Case) -> bool:
    own, other = answers(candidate, case), answers(planted, case)
    with np.errstate(all="ignore"):
        return all(
            _alike(_change(own, at), {key: array for key, array in _change(other, at).items() if key in own[0]})
            for at in range(1, CALLS)
        )


def _change(found: Sequence[Arrays], at: int) -> Arrays:
    before, after = found[at - 1], found[at]
    return {
        key: after[key] - before[key] if before[key].shape == after[key].shape else after[key]
        for key in after
        if key in before
    }


def _alike(first: Arrays, second: Arrays) -> bool:
    size = sizes(first)
    with np.errstate(all="ignore"):
        return first.keys() == second.keys() and all(same(first[key], second[key], size[key]) for key in first)

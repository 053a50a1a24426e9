"""Which faults reproduce a candidate's numbers: one, several independent ones, all that fit equally, or none.

A hypothesis fits an exhibit when the handwritten network with its faults returns what the candidate returned. It is the
diagnosis when it fits every exhibit: where the candidate is wrong by being as wrong, where it is right by changing
nothing. A fault that the candidate has only at times is one with a condition, which must hold on every exhibit that is
wrong and on none of those that are right and that the fault would change. What still fits is told apart on further
networks, drawn until one is found on which two hypotheses differ; what never differs is listed side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from backproof.cases.case import build_case
from backproof.cases.sampling import iterate_specs
from backproof.cases.spec import NetworkSpec
from backproof.diagnosis.evidence import Exhibit, Inquiry, restated
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.faults.factors import FACTORS
from backproof.diagnosis.faults.planting import CONDITIONS, Plant
from backproof.diagnosis.hypotheses import RIGHT, Arrays, Hypothesis, agree, arrays, same, singles, sizes, together

PARTNERS: Final = 12
"""How many single faults that explain a part are combined with every other."""
WITNESSES: Final = 4
"""On how many exhibits it is counted how much a single fault explains: on one of them, a zero may have many reasons."""
EVERY: Final = 3
"""Every so many exhibits are searched for one that shows a single one of two faults: all of them take seconds."""
OVERLAPPING: Final = ("BP0", "loss", "BP1", "scale", "penalty")
"""Equations whose mistakes may meet in every array that they reach: in the loss, or on the way to every delta."""
SEARCHED: Final = 80
"""How many further networks are searched for one on which two hypotheses differ."""
RIVALS: Final = 24
"""How many hypotheses are told apart there."""


@dataclass(frozen=True)
class Named:
    """The hypotheses that fit, the simplest first; those of other names with it are what fits equally."""

    hypotheses: tuple[Hypothesis, ...]

    @property
    def best(self) -> Hypothesis | None:
        """The simplest that fits; None for unexplained."""
        return self.hypotheses[0] if self.hypotheses else None


class _Read:
    """An exhibit as hypotheses are held against it: the candidate's arrays, and the right ones."""

    def __init__(self, exhibit: Exhibit) -> None:
        self.exhibit = exhibit
        self.case = exhibit.case
        self.failed = exhibit.answer.failure is not None
        self.right: Arrays = arrays(RIGHT.answer(exhibit.case))
        # What a network does not have, a bias that is None, is not looked at.
        self.own: Arrays = {key: array for key, array in arrays(exhibit.answer).items() if key in self.right}
        self.sizes = sizes(self.right)
        self.off = {key for key, array in self.own.items() if not self._same(array, self.right.get(key), key)}

    def _same(self, own: np.ndarray, other: np.ndarray | None, key: tuple[str, int]) -> bool:
        """Not `agree`: the size is that of the right array, and one that a hypothesis does not have is another."""
        with np.errstate(all="ignore"):
            return other is not None and same(own, other, self.sizes.get(key, 0.0))

    @property
    def visible(self) -> bool:
        """Whether the candidate failed here, or is wrong by more than half of the digits: then a fault shows."""
        return self.failed or bool(self.off)

    def fits(self, hypothesis: Hypothesis) -> bool:
        """Whether the hypothesis returns what the candidate did, in everything that it returned."""
        answer = hypothesis.answer(self.case)
        if self.failed or answer.failure is not None:
            return self.failed and answer.failure is not None
        planted = arrays(answer)
        return all(self._same(array, planted.get(key), key) for key, array in self.own.items())

    @property
    def loss_is_off(self) -> bool:
        """Whether the loss is wrong."""
        return ("loss", 0) in self.off

    def has_loss_of(self, hypothesis: Hypothesis) -> bool:
        """Whether the hypothesis returns the candidate's loss; where there is none to compare, it may."""
        if self.failed or ("loss", 0) not in self.own:
            return not self.failed
        planted = arrays(hypothesis.answer(self.case))
        return self._same(self.own["loss", 0], planted.get(("loss", 0)), ("loss", 0))

    def seen(self, hypothesis: Hypothesis) -> _Seen | None:
        """What the hypothesis does here by itself; None where it cannot be computed."""
        answer = hypothesis.answer(self.case)
        if answer.failure is not None or self.failed:
            return None
        planted = arrays(answer)
        changed = {key for key in self.own if not self._same(self.right[key], planted.get(key), key)}
        explained = {key for key in self.off if self._same(self.own[key], planted.get(key), key)}
        return _Seen(hypothesis, frozenset(changed), len(explained))


class _Seen(NamedTuple):
    """A hypothesis on one exhibit: the arrays that it changes, and how many it returns as the candidate did."""

    hypothesis: Hypothesis
    changed: frozenset[tuple[str, int]]
    explained: int


def name(inquiry: Inquiry, exhibits: Sequence[Exhibit]) -> Named:
    """The hypotheses that explain all exhibits, the simplest first; none where nothing of the catalogue does."""
    read = [_Read(exhibit) for exhibit in exhibits]
    wrong = [each for each in read if each.exhibit.wrong and each.visible]
    clean = [each for each in read if not each.exhibit.wrong]
    if not wrong:
        return Named(())
    wrong.sort(key=_telling)
    alone = list(singles(inquiry.learning_rate(wrong[0].case.spec.dtype)))
    fitting = _conditioned(_fitting(alone, wrong), wrong, clean)
    if not fitting:
        fitting = _conditioned(_pairs(alone, wrong), wrong, clean)
    if not fitting:
        fitting = _beside_a_cost(alone, wrong, clean)
    told = _told_apart(inquiry, sorted(fitting, key=lambda each: each.rank)[:RIVALS], [each.exhibit for each in wrong])
    return Named(tuple(told))


def _telling(read: _Read) -> tuple[bool, bool, bool, int]:
    """The order in which exhibits are tried: first those that most faults change, each in its own way."""
    spec = read.case.spec
    return read.failed, spec.batch_size < 3, spec.depth < 3, sum(spec.widths)


def _fitting(hypotheses: Iterable[Hypothesis], wrong: Sequence[_Read]) -> list[Hypothesis]:
    """The hypotheses that fit every exhibit; nearly all of them fall at the first."""
    return [hypothesis for hypothesis in hypotheses if all(read.fits(hypothesis) for read in wrong)]


def _conditioned(fitting: Iterable[Hypothesis], wrong: Sequence[_Read], clean: Sequence[_Read]) -> list[Hypothesis]:
    """The hypotheses that leave right what is right: by themselves, or under a condition that tells the two apart."""
    found = []
    for hypothesis in fitting:
        changed = [read for read in clean if not read.fits(hypothesis)]
        if not changed:
            found.append(hypothesis)
            continue
        for condition, holds in CONDITIONS.items():
            if any(holds(read.case) for read in changed) or not all(holds(read.case) for read in wrong):
                continue
            plants = tuple(replace(plant, condition=condition) for plant in hypothesis.plants)
            found.append(replace(hypothesis, plants=plants))
    return found


def _pairs(alone: Sequence[Hypothesis], wrong: Sequence[_Read]) -> list[Hypothesis]:
    """Two faults together: one explains a part by itself, or both are on the way of every delta.

    As a rule together they change all that is wrong on the leading exhibit, and nothing that is right; but two factors
    may cancel, so that in the end those that explain a part, or some other exhibit wholly, are tried with all others.
    """
    lead = wrong[0]
    seen = [each for hypothesis in alone if (each := lead.seen(hypothesis)) is not None]
    parts = _most_telling([each for each in seen if each.explained], wrong)[:PARTNERS]
    everywhere = [each for each in seen if each.hypothesis.plants[0].position == "all"]
    limited = [each for each in seen if each.hypothesis.plants[0].position != "all"]
    chain = [each for each in everywhere if each.hypothesis.plants[0].fault.equation in OVERLAPPING]
    for some, others in ((parts, everywhere), (parts, limited), (chain, chain)):
        fitting = _fitting(_joined(some, others, lead.off), wrong)
        if fitting:
            return fitting
    searched = wrong[1::EVERY]
    whole = [each for each in everywhere if any(read.fits(each.hypothesis) for read in searched)]
    return _fitting(_joined([*whole, *parts], everywhere, None), wrong)


def _beside_a_cost(alone: Sequence[Hypothesis], wrong: Sequence[_Read], clean: Sequence[_Read]) -> list[Hypothesis]:
    """One fault beside a factor on the cost: on the loss and on its slope, which are two faults; or on one of them.

    A factor of the mean is met under that reduction alone: then the fault itself explains all other exhibits.
    """
    others = [read for read in wrong if not CONDITIONS["mean"](read.case)]
    found = []
    for condition in ("mean", None):
        if condition is None:
            single, tells = alone, any(read.loss_is_off for read in wrong)
        else:
            single, tells = _fitting(alone, others), 0 < len(others) < len(wrong)
        for cost in _costs(condition, alone[0].learning_rate) if single and tells else ():
            if all(read.has_loss_of(cost) for read in wrong):
                joined = (together(fault, cost) for fault in single if fault.names[0] not in cost.names)
                found += _fitting(filter(None, joined), (*wrong, *clean))
    return found


def _costs(condition: str | None, rate: float) -> Iterator[Hypothesis]:
    """Each factor on the loss and the gradient; under a condition on one of them alone, too."""
    for factor in FACTORS:
        plants = [Plant(BY_NAME[f"{kind}_{factor.slug}"], condition=condition) for kind in ("loss", "gradient")]
        for some in (plants, plants[:1], plants[1:]) if condition else (plants,):
            yield Hypothesis(tuple(some), rate)


def _most_telling(parts: Sequence[_Seen], wrong: Sequence[_Read]) -> list[_Seen]:
    """Single faults by how many arrays they explain on the first few exhibits, those that explain most in front."""
    further = wrong[1:WITNESSES]

    def explained(part: _Seen) -> int:
        others = (read.seen(part.hypothesis) for read in further)
        return part.explained + sum(other.explained for other in others if other is not None)

    return sorted(parts, key=explained, reverse=True)


def _joined(parts: Sequence[_Seen], others: Sequence[_Seen], off: set[tuple[str, int]] | None) -> Iterator[Hypothesis]:
    """Pairs of different faults; where `off` is given, those that together change just that."""
    tried: set[frozenset[Plant]] = set()
    for part in parts:
        for other in others:
            first, second = part.hypothesis, other.hypothesis
            plants = frozenset((*first.plants, *second.plants))
            if first.plants[0].fault is second.plants[0].fault or plants in tried:
                continue
            if off is not None and part.changed | other.changed != off:
                continue
            tried.add(plants)
            both = together(first, second)
            if both is not None:
                yield both


def _told_apart(inquiry: Inquiry, rivals: list[Hypothesis], wrong: Sequence[Exhibit]) -> list[Hypothesis]:
    """The rivals that still fit after further networks on which they differ."""
    if len(rivals) < 2:
        return rivals
    for spec in islice(_further(inquiry, wrong), SEARCHED):
        case = build_case(spec)
        answers = [arrays(rival.answer(case)) for rival in rivals]
        if not _differ(answers):
            continue
        read = _Read(inquiry.exhibit(case))
        left = [rival for rival in rivals if read.fits(rival)]
        # A network on which none fits shows something else; what fitted so much before stays.
        rivals = left or rivals
        if len(rivals) == 1:
            break
    return rivals


def _further(inquiry: Inquiry, wrong: Sequence[Exhibit]) -> Iterable[NetworkSpec]:
    """Networks of the failing kind with other numbers, then any of the domain."""
    domain = inquiry.domain
    first = wrong[0].case.spec
    for seed in range(1, 4):
        for spec in restated(replace(first, seed=seed)):
            if domain.contains(spec):
                yield spec
    yield from iterate_specs(domain, seed=2, shard=0)


def _differ(answers: Sequence[Arrays]) -> bool:
    first = answers[0]
    return any(other.keys() != first.keys() or not agree(first, other) for other in answers[1:])

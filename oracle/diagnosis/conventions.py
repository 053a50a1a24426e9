"""Which loss and which reduction a candidate's numbers belong to: its loss value, its gradient, and whether they agree.

A loss that is not the one asked for, or is averaged over something else, may still be consistent: its gradient is the
gradient of its value. Worse is a value of one convention with the gradient of another; then training minimises what
nobody ever prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backproof.cases.case import Case
from backproof.cases.catalogue import LOSSES
from backproof.cases.formula import Formula, accepts, target_kind
from backproof.cases.spelling import SpecError
from backproof.diagnosis.evidence import Exhibit
from backproof.diagnosis.hypotheses import RIGHT, Arrays, agree, arrays

FACTORS: Final = ((1.0, ""), (0.5, "1/2 "), (2.0, "2 "), (-1.0, "-"))
"""Constant factors that people write before a loss, with how they are told."""

REDUCTIONS: Final = ("sum", "mean", "batchmean")


@dataclass(frozen=True)
class Conventions:
    """What a candidate's loss value and its gradient are, as "mse/mean" or "1/2 mse/sum"; None for nothing known.

    asked: what the first exhibit asked for.
    """

    asked: str
    loss_value: str | None
    gradient: str | None

    @property
    def contradict(self) -> bool:
        """Whether value and gradient are known and belong to two different conventions."""
        return self.loss_value is not None and self.gradient is not None and self.loss_value != self.gradient

    @property
    def told(self) -> str:
        """The finding in one sentence."""
        if self.contradict:
            return f"your loss is {self.loss_value}, your gradient is that of {self.gradient}"
        if self.loss_value is not None and self.gradient is not None:
            return f"your loss and your gradient are those of {self.loss_value}; {self.asked} was asked for"
        known = f"loss is {self.loss_value}" if self.loss_value is not None else f"gradient is that of {self.gradient}"
        return f"your {known}; {self.asked} was asked for"


@dataclass(frozen=True)
class _Convention:
    loss: Formula | None  # None: the loss that was asked for
    reduction: str | None  # None: the reduction that was asked for
    factor: float
    label: str

    def arrays(self, case: Case) -> Arrays | None:
        """The right answer under this convention; None where it has none for this case."""
        spec = case.spec
        try:
            loss = self.loss or spec.loss
            spec = replace(spec, loss=loss, reduction=self.reduction or spec.reduction)
        except SpecError:
            return None
        answer = RIGHT.answer(replace(case, spec=spec))
        if answer.failure is not None:
            return None
        return {key: self.factor * array for key, array in arrays(answer).items()}


def conventions(exhibits: Sequence[Exhibit]) -> Conventions | None:
    """What loss value and gradient are on all exhibits of one kind, the first where they are not as asked; else None.

    Exhibits with a penalty, and those under the reduction none, say nothing about conventions.
    """
    return next(filter(None, map(_other, _kinds(exhibits))), None)


def loss_is_known(exhibits: Sequence[Exhibit]) -> bool:
    """Whether every loss that tells is that of some convention: then it is computed from the right outputs."""
    found = [_known(telling).loss_value for telling in _kinds(exhibits)]
    return bool(found) and None not in found


def _kinds(exhibits: Sequence[Exhibit]) -> list[list[Exhibit]]:
    """The exhibits that tell, by kind of network: a convention is a statement about one loss and one reduction."""
    found: dict[tuple[Formula, str], list[Exhibit]] = {}
    for each in exhibits:
        spec = each.case.spec
        if each.legible and spec.penalty is None and spec.reduction != "none":
            found.setdefault((spec.loss, spec.reduction), []).append(each)
    return list(found.values())


def _other(telling: Sequence[Exhibit]) -> Conventions | None:
    """What is known of one kind of network; None where that is as asked, or nothing."""
    found = _known(telling)
    return None if {found.loss_value, found.gradient} <= {found.asked, None} else found


def _known(telling: Sequence[Exhibit]) -> Conventions:
    """What loss value and gradient of one kind of network are."""
    asked = telling[0].case.spec
    value = gradient = None
    offered = any(each.answer.loss is not None for each in telling)
    for convention in _conventions(telling[0].case):
        if gradient is not None and (value is not None or not offered):
            break
        answers = [(each, convention.arrays(each.case)) for each in telling]
        if value is None and all(_fits(each, answer, gradients=False) for each, answer in answers):
            value = convention.label
        if gradient is None and all(_fits(each, answer, gradients=True) for each, answer in answers):
            gradient = convention.label
    return Conventions(f"{asked.loss.id}/{asked.reduction}", value, gradient)


def _conventions(case: Case) -> Iterator[_Convention]:
    """As asked, then the same loss with another reduction or factor, then other losses on the same targets."""
    spec = case.spec
    kind = target_kind(spec.loss)
    others = [
        Formula.parse(name, LOSSES, "loss") for name in LOSSES if name not in (spec.loss.name, "linear", "gaussian_nll")
    ]
    others = [
        loss for loss in others if target_kind(loss) == kind and accepts(loss, spec.activations[-1]) and kind == "real"
    ]
    for loss in (spec.loss, *others):
        for factor, told in FACTORS:
            for reduction in (spec.reduction, *(each for each in REDUCTIONS if each != spec.reduction)):
                yield _Convention(loss, reduction, factor, f"{told}{loss.id}/{reduction}")


def _fits(exhibit: Exhibit, answer: Arrays | None, *, gradients: bool) -> bool:
    """Whether the candidate's loss, or all its gradients, are those of the convention."""
    if answer is None:
        return False
    own = {
        key: array for key, array in arrays(exhibit.answer).items() if (key[0] != "loss") == gradients and key in answer
    }
    return bool(own) and agree(own, answer)

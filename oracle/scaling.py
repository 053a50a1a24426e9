"""What `mean` and `batchmean` divide by, and what a repeated batch adds up to: a candidate held against itself.

For every loss of the domain, on one small network with N != O: its answers to the same arrays under two reductions, and
to a batch that is stated twice or in another order. No reference takes part, only the definition of the reductions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from backproof.candidates.contract import Answer, Candidate
from backproof.cases.case import Array, Case, build_case
from backproof.cases.catalogue import LOSSES
from backproof.cases.domain import Domain, DomainError
from backproof.cases.sampling import sample_specs
from backproof.cases.spec import NetworkSpec, Penalty
from backproof.examine import ask
from backproof.judging.bounds import Bounds
from backproof.truth.arithmetic import own_dtype
from backproof.truth.divisors import divisor

WIDE: Final = 16
"""A wider network shows nothing more about a divisor."""


class Scaling(NamedTuple):
    """One row of the table `scaling`."""

    loss: str
    case: str
    batch_size: int
    outputs: int
    compared: str
    expected: float
    divisor: str
    loss_ratio: float | None
    gradient_ratio: float | None
    verdict: str
    differs: str = ""

    @property
    def fails(self) -> bool:
        """Whether the candidate contradicts itself, or did not answer."""
        return self.verdict not in ("agree", "undecided", "unsupported")

    @property
    def told(self) -> str:
        """The row as a sentence: what was to be, what is, and the verdict."""
        must = f"{self.expected:g}"
        must += f" ({self.divisor})" if self.divisor != must else ""
        off = f", {self.differs}" if self.differs else ""
        return f"{self.loss}: {self.compared} must be {must}{off}: {self.verdict}"


class _Side:
    """One case and the candidate's answer to it, which several rows may share."""

    def __init__(self, candidate: Candidate, case: Case) -> None:
        self.candidate, self.case = candidate, case

    @cached_property
    def answer(self) -> Answer:
        """What the candidate says."""
        return ask(self.candidate, self.case)

    @cached_property
    def limits(self) -> list[Array | None]:
        """How far each array of the answer may be from the truth, in arithmetic of the answer's own dtype."""
        narrow = any(array is not None and own_dtype(array) == "float32" for array in _arrays(self.answer))
        limit = Bounds(self.case, self.answer.read_off).limit(
            "textbook", dtype="float32" if narrow else None, against="truth"
        )
        return _arrays(Answer.of(limit))


class _Relation(NamedTuple):
    """Two sides, and the factor between their answers: numerator = expected * denominator."""

    compared: str
    numerator: _Side
    denominator: _Side
    expected: float
    words: str


def scaling(candidate: Candidate, domain: Domain, *, seed: int) -> Iterator[Scaling]:
    """All rows, loss by loss in the order of the catalogue; a loss that no network of the domain has is left out."""
    narrowed = _narrowed(domain)
    for loss in domain.losses:
        if not domain.plan.outputs[loss].names:
            continue
        case = build_case(_network(replace(narrowed, losses=(loss,)), domain, seed))
        for relation in _relations(candidate, case, domain):
            yield _held(relation)


def _narrowed(domain: Domain) -> Domain:
    """The domain with one dtype and filling, narrow networks, and no penalties that need not be."""
    dtypes = ("float64",) if "float64" in domain.dtypes else domain.dtypes[:1]
    narrowed = replace(domain, dtypes=dtypes, values=domain.values[:1])
    if domain.widths is None:
        with suppress(DomainError):  # data of a width of its own, say
            low, high = domain.width
            narrowed = replace(narrowed, width=(low, max(low, min(high, WIDE))))
    return narrowed if isinstance(domain.penalties, Penalty) else replace(narrowed, penalties="none")


def _network(narrowed: Domain, domain: Domain, seed: int) -> NetworkSpec:
    """A small network, with unequal N and O above 1 where a few draws hold one, and of a batch that may be doubled."""

    def rank(spec: NetworkSpec) -> tuple[bool, bool, int, int]:
        telling = spec.batch_size != spec.outputs and min(spec.batch_size, spec.outputs) > 1
        doubles = 2 * spec.batch_size <= domain.batch_size[1]
        return (not telling, not doubles, sum(spec.widths), spec.batch_size)

    return min(sample_specs(narrowed, seed=seed, shard=0, count=8), key=rank)


def _relations(candidate: Candidate, case: Case, domain: Domain) -> Iterator[_Relation]:
    """What must hold between the answers that the domain lets one ask for."""
    count = case.spec.batch_size
    reduced = {
        name: _Side(candidate, replace(case, spec=replace(case.spec, reduction=name), upstream=None))
        for name in ("sum", "mean", "batchmean")
        if name in domain.reductions
    }
    if not reduced:
        return  # only unreduced losses: nothing is added up or divided
    total = reduced.get("sum")
    if case.spec.penalty is not None:
        total = None  # what it adds is not reduced: nothing is a multiple of anything
    for name in ("mean", "batchmean"):
        if total is not None and name in reduced:
            yield _Relation(f"sum / {name}", total, reduced[name], divisor(case, name), _words(case, name))
    first = next(iter(reduced.values()))
    backwards = _Side(candidate, first.case.rows(range(count)[::-1]))
    yield _Relation("reversed / as given", backwards, first, 1.0, "1")
    if total is not None:
        twice = _Side(candidate, total.case.rows([*range(count)] * 2))
        if domain.contains(twice.case.spec):
            yield _Relation("stated twice / once", twice, total, 2.0, "2")


def _words(case: Case, reduction: str) -> str:
    """What the reduction divides by, in words."""
    entry, options = LOSSES[case.spec.loss.name], case.loss_options
    if reduction == "batchmean":
        return "N"
    if not entry.per_sample:
        return "N*O"
    if "ignore_index" not in options or case.y.ndim != 1:
        return "N"
    return "targets not ignored" if options["weight"] is None else "class weights of the targets not ignored"


def _held(relation: _Relation) -> Scaling:
    """One row: both answers, their ratios, and whether all quantities keep them within rounding."""
    above, below = relation.numerator.answer, relation.denominator.answer
    failure = above.failure or below.failure
    spec = relation.denominator.case.spec
    return Scaling(
        loss=spec.loss.id,
        case=spec.id,
        batch_size=spec.batch_size,
        outputs=spec.outputs,
        compared=relation.compared,
        expected=relation.expected,
        divisor=relation.words,
        loss_ratio=None if failure else _loss_ratio(above, below),
        gradient_ratio=None if failure else _gradient_ratio(above, below),
        **({"verdict": failure} if failure else _judged(relation)),
    )


def _judged(relation: _Relation) -> dict[str, str]:
    """|numerator - r denominator| <= e + r e', with the textbook bounds e, e' of both answers against the truth.

    The verdict; and where it is disagree, which ratios differ: that of the loss, and that of the worst gradient entry.
    """
    above, below = relation.numerator, relation.denominator
    decided = False
    worst: dict[str, tuple[float, str]] = {}
    arrays = (_names(above.answer), _arrays(above.answer), _arrays(below.answer), above.limits, below.limits)
    for name, top, bottom, top_limit, bottom_limit in zip(*arrays, strict=True):
        if top is None or bottom is None or top_limit is None or bottom_limit is None:
            continue
        if not top.shape == bottom.shape == top_limit.shape:
            return {"verdict": "shape"}
        with np.errstate(all="ignore"):
            wanted = relation.expected * bottom.astype(np.float64)
            limit = top_limit + relation.expected * bottom_limit + np.finfo(np.float64).eps * np.abs(wanted)
            same = (top == wanted) | (np.isnan(top) & np.isnan(wanted)) | ~(limit < np.inf)
            off = np.where(same, 0.0, np.abs(top - wanted) / limit)
            off = np.where(np.isnan(off), np.inf, off)
            if (off > 1.0).any():
                at = np.unravel_index(int(off.argmax()), off.shape)
                kind = "loss" if name == "loss" else "gradient"
                found = float(off[at]), _told(name, at, float(top[at]), float(bottom[at]), relation.expected)
                worst[kind] = max(worst.get(kind, (0.0, "")), found)
            decided |= bool(limit.max() < np.abs(wanted).max() < np.inf)
    if worst:
        return {"verdict": "disagree", "differs": ", ".join(text for _, text in worst.values())}
    return {"verdict": "agree" if decided else "undecided"}


def _told(name: str, at: tuple[np.intp, ...], top: float, bottom: float, expected: float) -> str:
    """The ratio at an entry in words, with the digits that tell it from the expected one; both numbers without one."""
    entry = f"{name}[{', '.join(map(str, at))}]" if at else name
    if bottom == 0.0 or not np.isfinite(top / bottom):
        return f"the numbers of the {entry} are {top:.6g} and {bottom:.6g}"
    digits = next((count for count in range(6, 17) if float(f"{top / bottom:.{count}g}") != expected), 17)
    return f"that of the {entry} is {top / bottom:.{digits}g}"


def _names(answer: Answer) -> list[str]:
    """What `_arrays` lists, in words."""
    layers = range(1, len(answer.weights) + 1)
    return ["loss", *(f"{kind} gradient of layer {layer}" for kind in ("weight", "bias") for layer in layers)]


def _arrays(answer: Answer) -> list[Array | None]:
    """What a reduction scales and the order of the samples leaves alone: the loss, weight and bias gradients."""
    loss = answer.loss
    if loss is not None and loss.size == 1:
        loss = loss.reshape(())  # as the comparison takes it
    return [loss, *answer.weights, *answer.biases]


def _gradient_ratio(above: Answer, below: Answer) -> float | None:
    """The ratio at the entry of the weight gradients that is largest in the denominator."""
    largest, ratio = 0.0, None
    for top, bottom in zip(above.weights, below.weights, strict=True):
        if top is not None and bottom is not None and top.shape == bottom.shape:
            at = int(np.abs(bottom).argmax())
            if abs(bottom.flat[at]) > largest:
                largest, ratio = float(abs(bottom.flat[at])), float(top.flat[at]) / float(bottom.flat[at])
    return ratio


def _loss_ratio(above: Answer, below: Answer) -> float | None:
    if above.loss is None or below.loss is None or above.loss.size != 1 or not below.loss.any():
        return None
    return float(above.loss.reshape(())) / float(below.loss.reshape(()))

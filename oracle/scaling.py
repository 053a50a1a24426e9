"""What `mean` and `batchmean` divide by, and what a repeated batch adds up to: a candidate held against itself.

For every loss of the domain, on one small network with N != O: its answers to the same arrays under two reductions, and
to a batch that is stated twice or in another order. No reference takes part, only the definition of the reductions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from backproof.candidates.contract import Answer, Candidate
from backproof.cases.case import Array, Case, build_case
from backproof.cases.catalogue import LOSSES, Formula
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.cases.spec import NetworkSpec
from backproof.comparison import Bounds
from backproof.examine import ask
from backproof.truth.divisors import divisor


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

    @property
    def fails(self) -> bool:
        """Whether the candidate contradicts itself, or did not answer."""
        return self.verdict not in ("agree", "undecided", "unsupported")


class _Relation(NamedTuple):
    """Two cases, and the factor between their answers: numerator = expected * denominator."""

    compared: str
    numerator: Case
    denominator: Case
    expected: float
    words: str


def scaling(candidate: Candidate, domain: Domain, *, seed: int) -> Iterator[Scaling]:
    """All rows, loss by loss in the order of the catalogue."""
    for loss in domain.losses:
        case = build_case(_network(domain, loss, seed))
        for relation in _relations(case, domain):
            yield _held(candidate, relation)


def _network(domain: Domain, loss: Formula, seed: int) -> NetworkSpec:
    """A small network with that loss, and with unequal N and O above 1 where a few draws from the domain hold one."""
    dtypes = ("float64",) if "float64" in domain.dtypes else domain.dtypes[:1]
    narrowed = replace(domain, losses=(loss,), dtypes=dtypes, values=domain.values[:1], penalties="none")

    def rank(spec: NetworkSpec) -> tuple[bool, bool, int, int]:
        telling = spec.batch_size != spec.outputs and min(spec.batch_size, spec.outputs) > 1
        doubles = 2 * spec.batch_size <= domain.batch_size[1]
        return (not telling, not doubles, sum(spec.widths), spec.batch_size)

    return min(sample_specs(narrowed, seed=seed, shard=0, count=8), key=rank)


def _relations(case: Case, domain: Domain) -> Iterator[_Relation]:
    reductions = domain.reductions
    count = case.spec.batch_size
    first = _reduced(case, next((name for name in ("sum", "mean", "batchmean") if name in reductions), None))
    if first is None:
        return  # only unreduced losses: nothing is added up or divided
    total = _reduced(case, "sum") if "sum" in reductions else None
    for name in ("mean", "batchmean"):
        divided = _reduced(case, name) if name in reductions else None
        if total is not None and divided is not None:
            yield _Relation(f"sum / {name}", total, divided, divisor(case, name), _words(case, name))
    yield _Relation("reversed / as given", first.rows(range(count)[::-1]), first, 1.0, "1")
    if total is not None and 2 * count <= domain.batch_size[1]:
        yield _Relation("stated twice / once", total.rows([*range(count)] * 2), total, 2.0, "2")


def _reduced(case: Case, reduction: str | None) -> Case | None:
    """The same arrays under another reduction."""
    if reduction is None:
        return None
    return replace(case, spec=replace(case.spec, reduction=reduction), upstream=None)


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


def _held(candidate: Candidate, relation: _Relation) -> Scaling:
    """One row: both answers, their ratios, and whether all quantities keep them within rounding."""
    above, below = ask(candidate, relation.numerator), ask(candidate, relation.denominator)
    failure = above.failure or below.failure
    spec = relation.denominator.spec
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
        verdict=failure or _verdict(relation, above, below),
    )


def _verdict(relation: _Relation, above: Answer, below: Answer) -> str:
    """|numerator - r denominator| <= e + r e', with the textbook bounds e, e' of both answers against the truth."""
    limits = [
        Answer.of(Bounds(case).limit("textbook", against="truth"))
        for case in (relation.numerator, relation.denominator)
    ]
    decided = False
    for top, bottom, top_limit, bottom_limit in zip(*map(_arrays, (above, below, *limits)), strict=True):
        if top is None or bottom is None or top_limit is None or bottom_limit is None:
            continue
        if not top.shape == bottom.shape == top_limit.shape:
            return "shape"
        with np.errstate(all="ignore"):
            wanted = relation.expected * bottom.astype(np.float64)
            limit = top_limit + relation.expected * bottom_limit + np.finfo(np.float64).eps * np.abs(wanted)
            same = (top == wanted) | (np.isnan(top) & np.isnan(wanted)) | ~(limit < np.inf)
            if not (same | (np.abs(top - wanted) <= limit)).all():
                return "disagree"
            decided |= bool(limit.max() < np.abs(wanted).max() < np.inf)
    return "agree" if decided else "undecided"


def _arrays(answer: Answer) -> list[Array | None]:
    """What a reduction scales and the order of the samples leaves alone: the loss, weight and bias gradients."""
    return [answer.loss, *answer.weights, *answer.biases]


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

"""A candidate held against itself: what `mean` divides by, and what a repeated or reordered batch gives."""

import re
from dataclasses import replace

import numpy as np
import pytest

from backproof.candidates.contract import Answer
from backproof.candidates.loading import load
from backproof.cases.catalogue import LOSSES
from backproof.cases.domain import Domain
from backproof.cases.spec import NetworkSpec
from backproof.scaling import Scaling, scaling

(SCRATCH,) = load("scratch")
NARROW = Domain(depth=(1, 2), width=(2, 5), batch_size=(2, 20), activations="sigmoid", losses="mse")


class Wrong:
    """scratch with its answer bent by a function of (answer, case)."""

    name = "wrong"
    domain = NARROW

    def __init__(self, bend) -> None:
        self.bend = bend

    def answer(self, case):
        return self.bend(SCRATCH.answer(case), case)


def rows(candidate, domain: Domain = NARROW) -> dict[str, Scaling]:
    """The rows for one loss, by what is compared."""
    return {row.compared: row for row in scaling(candidate, domain, seed=0)}


def scaled(answer: Answer, factor: float) -> Answer:
    """An answer whose gradients are multiplied."""
    return replace(answer, weights=tuple(factor * weight for weight in answer.weights))


def test_scaling_shows_every_loss_divided_as_defined():
    """N for one loss per sample, N*O for elementwise ones, the weights of the counted targets for class indices."""
    found = list(scaling(SCRATCH, Domain(), seed=0))
    assert {row.verdict for row in found} <= {"agree", "undecided"}
    assert {row.loss.partition("=")[0] for row in found} == set(LOSSES)
    divisors = {row.loss: row.divisor for row in found if row.compared == "sum / mean"}
    assert divisors["mse"] == "N*O"
    assert divisors["half_squared_error"] == "N"
    assert divisors["multi_margin"] == "N"
    assert divisors["cross_entropy"] == divisors["nll"] == "targets not ignored"
    assert divisors["nll=weighted"] == "class weights of the targets not ignored"
    assert divisors["cross_entropy=probabilities"] == "N"
    assert {row.divisor for row in found if row.compared == "sum / batchmean"} == {"N"}


@pytest.mark.parametrize(
    "bend",
    [
        lambda answer, case: replace(answer, weights=tuple(weight.astype(np.float32) for weight in answer.weights)),
        lambda answer, case: replace(answer, loss=np.reshape(answer.loss, (1,))),
    ],
    ids=["float32 arrays", "a loss of shape (1,)"],
)
def test_what_the_comparison_takes_has_the_right_divisor(bend):
    """Each is held to its own dtype, and to its one entry."""
    assert {row.verdict for row in rows(Wrong(bend)).values()} == {"agree"}


def test_scaling_tells_n_from_o():
    """N and O differ and are above 1, so that N, O and N*O are three numbers."""
    row = rows(SCRATCH)["sum / mean"]
    assert 1 < row.outputs != row.batch_size > 1
    assert row.expected == row.batch_size * row.outputs
    assert rows(SCRATCH)["sum / batchmean"].expected == row.batch_size
    assert rows(SCRATCH)["stated twice / once"].expected == 2.0
    assert rows(SCRATCH)["reversed / as given"].expected == 1.0


@pytest.mark.parametrize(
    ("bend", "broken"),
    [
        (
            lambda answer, case: scaled(answer, case.spec.outputs if case.spec.reduction == "mean" else 1.0),
            {"sum / mean"},
        ),
        (
            lambda answer, case: scaled(answer, 1.0 / case.spec.batch_size if case.spec.reduction == "sum" else 1.0),
            {"sum / mean", "sum / batchmean", "stated twice / once"},
        ),
        (
            lambda answer, case: replace(
                answer, biases=tuple(b + case.x[0, 0] for b in answer.biases if b is not None)
            ),
            {"reversed / as given", "sum / mean", "sum / batchmean", "stated twice / once"},
        ),
    ],
    ids=["mean divided by N alone", "sum divided by N", "first sample counts more"],
)
def test_scaling_finds_a_candidate_that_contradicts_itself(bend, broken: set[str]):
    """Each mistake breaks the relations that it must, and no other."""
    found = rows(Wrong(bend), replace(NARROW, biases="always"))
    assert {name for name, row in found.items() if row.fails} == broken
    assert {row.verdict for row in found.values() if not row.fails} <= {"agree"}


def test_scaling_shows_the_observed_ratio():
    """What was expected, and what came."""
    wrong = Wrong(lambda answer, case: scaled(answer, 3.0 if case.spec.reduction == "mean" else 1.0))
    row = rows(wrong)["sum / mean"]
    assert row.verdict == "disagree"
    # Rounded to an integer: a ratio of two sums carries their rounding.
    assert round(row.gradient_ratio) == round(row.expected / 3.0)
    assert round(row.loss_ratio) == row.expected


@pytest.mark.parametrize(
    ("bend", "differs"),
    [
        (lambda answer: replace(answer, loss=3.0 * answer.loss), r"that of the loss is 6(\.0\d*)?"),
        (
            lambda answer: replace(answer, biases=(*answer.biases[:-1], 3.0 * answer.biases[-1])),
            r"that of the bias gradient of layer \d\[\d\] is 6(\.0\d*)?",
        ),
        (
            lambda answer: replace(answer, weights=tuple(weight + 100.0 for weight in answer.weights)),
            r"that of the weight gradient of layer \d\[\d, \d\] is .*",
        ),
    ],
    ids=["loss", "one bias", "weights"],
)
def test_what_disagrees_is_named_with_its_own_ratio(bend, differs):
    """Not with that of a gradient that is right."""
    batch = []

    def bent(answer, case):
        batch.append(case.spec.batch_size)
        return bend(answer) if case.spec.batch_size == max(batch) > min(batch) else answer

    row = rows(Wrong(bent), replace(NARROW, biases="always", reductions="sum"))["stated twice / once"]
    assert row.verdict == "disagree"
    assert re.fullmatch(differs, row.differs), row.differs
    assert rows(SCRATCH)["sum / mean"].differs == ""


def test_numbers_without_a_ratio_are_told_themselves():
    """A loss of 0 has none."""
    wrong = Wrong(lambda answer, case: replace(answer, loss=np.asarray(float(case.spec.reduction == "sum"))))
    assert rows(wrong)["sum / mean"].differs == "the numbers of the loss are 1 and 0"


def test_scaling_asks_for_nothing_outside_the_domain():
    """One reduction has nothing to be compared with, and a batch that may not double is not doubled."""
    assert set(rows(SCRATCH, replace(NARROW, reductions="mean"))) == {"reversed / as given"}
    assert rows(SCRATCH, replace(NARROW, reductions="none")) == {}
    fixed = rows(SCRATCH, replace(NARROW, batch_size=7))
    assert "stated twice / once" not in fixed
    assert {row.batch_size for row in fixed.values()} == {7}


@pytest.mark.parametrize(
    ("domain", "widest"),
    [
        (Domain(width=(2, 512), losses="mse", activations="tanh"), 16),
        (Domain(width=(40, 512), losses="mse", activations="tanh"), 40),
        (Domain(width=(2, 64), losses="mse", activations="tanh", values="digits"), 64),
    ],
    ids=["wide", "nothing small", "data of 64 inputs"],
)
def test_scaling_asks_for_small_networks_where_the_domain_has_them(domain: Domain, widest: int):
    """A divisor shows as well in one of 16 neurons as in one of 512."""
    cases = {row.case for row in scaling(SCRATCH, domain, seed=0)}
    assert cases
    assert all(max(NetworkSpec.parse(case).widths) <= widest for case in cases)


def test_scaling_leaves_out_a_loss_that_no_network_of_the_domain_has():
    """nll wants log-probabilities, and sigmoid gives none."""
    found = list(scaling(SCRATCH, replace(NARROW, losses=("mse", "nll", "cross_entropy")), seed=0))
    assert {row.loss for row in found} == {"mse"}


def test_scaling_reports_a_failed_answer_and_a_wrong_shape():
    """As what they are; an unsupported network is no failure."""
    for failure, fails in (("error", True), ("unsupported", False)):
        found = rows(Wrong(lambda answer, case, failure=failure: Answer(failure=failure)))
        assert {row.verdict for row in found.values()} == {failure}
        assert all(row.fails is fails for row in found.values())
        assert all(row.gradient_ratio is None for row in found.values())
    shapes = rows(Wrong(lambda answer, case: replace(answer, weights=tuple(w.T[:1] for w in answer.weights))))
    assert {row.verdict for row in shapes.values()} == {"shape"}


def test_scaling_does_not_need_what_is_not_offered():
    """No loss, no bias gradients: the weight gradients alone are held to it."""
    bare = Wrong(lambda answer, case: Answer(weights=answer.weights, biases=(None,) * case.spec.depth))
    found = rows(bare)
    assert {row.verdict for row in found.values()} == {"agree"}
    assert {row.loss_ratio for row in found.values()} == {None}


def test_scaling_takes_an_infinite_loss_as_it_is():
    """inf / inf is no contradiction."""

    def infinite(answer, case):
        return replace(answer, loss=np.asarray(np.inf))

    found = rows(Wrong(infinite))
    assert all(row.verdict == "agree" for name, row in found.items())


def test_scaling_keeps_a_penalty_that_the_domain_fixes():
    """It is asked for nothing else; the penalty is not reduced, so that only the order of the batch can be compared."""
    domain = replace(NARROW, penalties="0+0.1+N", dtypes="float64")
    asked = []

    def bend(answer, case):
        asked.append(case)
        return answer

    found = rows(Wrong(bend), domain)
    assert {name: row.verdict for name, row in found.items()} == {"reversed / as given": "agree"}
    assert all(domain.contains(case.spec) for case in asked)

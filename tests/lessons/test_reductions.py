"""What the lessons say that each reduction divides by is what PyTorch divides by."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.cases import LOSSES, Domain, build_case, sample_specs
from backproof.lessons.library import find
from backproof.lessons.reductions import divided_by, losses_divided_by
from backproof.truth.autograd import reference


def divisor_in_torch(loss: str) -> float:
    """C of sum / C of mean, on a network of three outputs and five samples."""
    domain = Domain(depth=1, width=3, batch_size=5, losses=loss, reductions="sum", dtypes="float64", values="normal")
    case = build_case(sample_specs(domain, seed=1, shard=0, count=1)[0])
    mean = replace(case, spec=replace(case.spec, reduction="mean"))
    return float(reference(case).loss / reference(mean).loss)


@pytest.mark.parametrize("loss", [*losses_divided_by("N O"), *losses_divided_by("N")])
def test_mean_divides_by_what_the_lesson_says(loss):
    """N O or N, for every loss without class weights."""
    assert np.rint(divisor_in_torch(loss)) == (5 * 3 if divided_by(loss) == "N O" else 5)


def test_every_loss_is_listed_once():
    """On the page of mean."""
    closing = find("mean").example().closing
    words = closing.replace(",", " ").replace(".", " ").split()
    for loss in LOSSES:
        assert words.count(loss) == 1


def test_cross_entropy_divides_by_the_weights_of_the_targets():
    """3 + 1 + 1 for the classes 0, 1, 1 with the weights 3 and 1."""
    steps = {step.name: step for step in find("mean").example().steps}
    assert steps["C, cross_entropy, weighted"].worked.operands[1] == 3 + 1 + 1
    assert steps["dW, cross_entropy"].worked.operands[1] == 3


def test_sum_doubles_with_samples_stated_twice():
    """As the page of sum says."""
    case = find("sum").example().steps[0].case
    twice = reference(case.rows([0, 1, 2, 0, 1, 2]))
    assert np.array_equal(twice.weights[0], 2 * reference(case).weights[0])

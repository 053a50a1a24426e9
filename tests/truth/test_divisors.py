"""What does each reduction divide by? PyTorch is asked, by reducing the same losses in two ways."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from backproof.cases.case import Case, build_case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES, REDUCTIONS
from backproof.cases.formula import Formula, accepts, variants
from backproof.cases.spec import NetworkSpec
from backproof.truth.autograd import losses, reference
from backproof.truth.divisors import divisor
from backproof.truth.rounding import bound

FORMULAS = [formula for name in LOSSES for formula in variants(name)]


def case_of(formula: Formula, reduction: str, *, filling: str = "normal") -> Case:
    """A layer of 4 outputs with 5 samples, so that N, O, N O and 1 all differ."""
    output = next(name for name in ACTIVATIONS if accepts(formula, Formula.parse(name, ACTIVATIONS)))
    return build_case(NetworkSpec.parse(f"3-4,{output},{formula.id},{reduction},n5,f64,{filling},s3"))


def under(case: Case, reduction: str) -> Case:
    """The same numbers under another reduction."""
    return replace(case, spec=replace(case.spec, reduction=reduction), upstream=None)


@pytest.mark.parametrize("reduction", ["mean", "batchmean"])
@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)
def test_divisor_is_what_torch_divides_the_sum_by(formula: Formula, reduction: str) -> None:
    """Loss and weight gradient under `mean` and `batchmean`, times the divisor, are those under `sum`."""
    summed, reduced = under(case_of(formula, "sum"), "sum"), under(case_of(formula, "sum"), reduction)
    by = divisor(reduced)
    ours, theirs, sum_bound, reduced_bound = reference(reduced), reference(summed), bound(summed), bound(reduced)
    for got, wanted, first, second in [
        (ours.loss, theirs.loss, sum_bound.loss, reduced_bound.loss),
        (ours.weights[0], theirs.weights[0], sum_bound.weights[0], reduced_bound.weights[0]),
    ]:
        allowed = first + by * second
        assert np.all(np.abs(by * got - wanted) <= allowed)
        for other in {1.0, 4.0, 5.0, 20.0} - {by}:
            assert np.any(np.abs(other * got - wanted) > allowed), f"a divisor of {other} would have passed too"


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)
def test_none_and_sum_divide_by_nothing(formula: Formula) -> None:
    """The sum of the unreduced losses is the loss under `sum`."""
    case = case_of(formula, "sum")
    assert divisor(case) == divisor(case, "none") == 1.0
    unreduced = losses(case)
    assert unreduced.shape == ((5,) if LOSSES[formula.name].per_sample else (5, 4))
    assert np.abs(unreduced.sum() - reference(case).loss) <= bound(case).loss


def test_class_weights_and_ignored_targets_count_in_the_mean_of_cross_entropy_and_nll() -> None:
    """The divisor is the summed weight of the targets that are not ignored, with label smoothing too."""
    for text in ("nll=weighted+1", "cross_entropy=index+weighted+1", "cross_entropy=index+weighted+1+0.1"):
        case = case_of(Formula.parse(text, LOSSES), "mean")
        case = replace(case, y=np.array([0, 1, 3, 1, 3]), loss_arrays={"weight": np.array([0.25, 64.0, 64.0, 0.5])})
        assert divisor(case) == 0.25 + 0.5 + 0.5
        assert divisor(case, "batchmean") == 5.0
        summed = reference(under(case, "sum"))
        assert reference(case).loss == summed.loss / 1.25


def test_all_targets_ignored_is_a_mean_over_nothing() -> None:
    """Torch gives NaN for the mean, 0 for the sum, and the divisor is 0."""
    for text in ("nll=none+1", "cross_entropy=index+none+1"):
        case = replace(case_of(Formula.parse(text, LOSSES), "mean"), y=np.ones(5, dtype=np.int64))
        assert divisor(case) == 0.0
        assert np.isnan(reference(case).loss)
        summed = reference(under(case, "sum"))
        assert summed.loss == 0.0
        assert not summed.weights[0].any()


def test_kl_div_batchmean_and_mean_are_torchs_own() -> None:
    """Torch has a `batchmean` for kl_div alone; ours is the same, and so is `mean`, about which torch warns."""
    case = build_case(NetworkSpec.parse("3-4,log_softmax,kl_div,mean,n5,f64,normal,s3"))
    weight, bias, x, y = (torch.tensor(array) for array in (case.weights[0], case.biases[0], case.x, case.y))
    output = torch.nn.functional.log_softmax(torch.nn.functional.linear(x, weight, bias), dim=-1)
    batchmean = torch.nn.functional.kl_div(output, y, reduction="batchmean")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean = torch.nn.functional.kl_div(output, y, reduction="mean")
    assert reference(under(case, "batchmean")).loss == batchmean.item()
    assert reference(case).loss == mean.item()


def test_an_unknown_reduction_is_named() -> None:
    """The message lists what there is."""
    case = case_of(Formula.parse("mse", LOSSES), "mean")
    with pytest.raises(ValueError, match=r"reduction must be one of none, sum, mean, batchmean \(got 'average'\)"):
        divisor(case, "average")


def test_every_reduction_has_a_divisor() -> None:
    """The table of reductions and this module name the same ones."""
    case = case_of(Formula.parse("mse", LOSSES), "mean")
    assert [divisor(case, reduction) for reduction in REDUCTIONS] == [1.0, 1.0, 20.0, 5.0]

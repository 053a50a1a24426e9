"""Another cost is told from a wrong forward pass, by what the forward pass knows nothing of."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.cases import NetworkSpec, build_case
from backproof.diagnosis.card import place
from backproof.diagnosis.cost import without_the_forward_pass
from backproof.diagnosis.diagnosis import diagnose
from backproof.diagnosis.equations import charges
from backproof.diagnosis.evidence import Inquiry
from backproof.scratch import Backprop
from backproof.scratch.regression_losses import Mse

MEAN = "2-3-2,tanh-sigmoid,mse,mean,n1,f64,normal,s1"
SUM = "2-3-2,tanh-sigmoid,mse,sum,n1,f64,normal,s1"
IDENTITY = "2-3-2,tanh-identity,mse,mean,n1,f64,normal,s1"


class OtherCost(Backprop):
    """A cost of its own in the place of mse/mean: value and gradient of sum (a - y)^4."""

    def loss_value(self, a, y, objective):
        return np.asarray(((a - y) ** 4).sum()) if asked(objective) else super().loss_value(a, y, objective)

    def loss_gradient(self, a, y, objective):
        return 4.0 * (a - y) ** 3 if asked(objective) else super().loss_gradient(a, y, objective)


class OtherOutput(Backprop):
    """An output layer that is wrong whatever the cost is: the outputs are taken in another order."""

    def loss_value(self, a, y, objective):
        return super().loss_value(a[:, ::-1], y, objective)

    def loss_gradient(self, a, y, objective):
        return super().loss_gradient(a[:, ::-1], y, objective)


def asked(objective):
    """Whether the cost is mse/mean."""
    return isinstance(objective.loss, Mse) and objective.reduction == "mean"


@pytest.mark.parametrize(
    ("backprop", "texts", "equation"),
    [
        (OtherCost, (MEAN,), "BP0"),
        (OtherCost, (MEAN, SUM), "loss"),
        (OtherCost, (IDENTITY,), "loss"),
        (OtherOutput, (MEAN, SUM), "BP0"),
    ],
    ids=["nothing tells", "right under sum", "identity", "wrong under both"],
)
def test_forward_pass_is_cleared_by_what_it_does_not_know(handwritten, backprop, texts, equation):
    """The same output is right under another reduction, or is z, as in layers that are right."""
    inquiry = Inquiry(handwritten(backprop, returns="gradients"))
    exhibits = [inquiry.exhibit(build_case(NetworkSpec.parse(text))) for text in texts]
    read = without_the_forward_pass(charges([(each.case, each.answer) for each in exhibits]), exhibits)
    (charge,) = read.least
    assert charge.equations == {equation}
    assert read.of_the_cost == (equation == "loss")
    assert equation == "BP0" or "BP0" in read.tested


@pytest.mark.no_cover
@pytest.mark.usefixtures("few_pairs")
def test_another_cost_is_charged_to_the_loss(handwritten, plain):
    """Not to the forward pass; and neither the loss nor the scale is said to hold beside it."""
    domain = replace(plain, losses=("mse",), reductions=("mean", "sum"))
    found = diagnose(handwritten(OtherCost, domain, returns="gradients"), [NetworkSpec.parse(MEAN)], shrink=False)
    (diagnosis,) = found.diagnoses
    assert (diagnosis.fault, place(diagnosis)) == (None, "the loss")
    assert (found.equations["BP0"], found.equations["loss"]) == ("holds", "broken")
    assert found.equations["scale"] == "not_tested"

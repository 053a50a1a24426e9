"""The judge's own evaluation is one more correct program."""

import numpy as np
import pytest

from backproof.cases import Domain
from backproof.cases.case import build_case
from backproof.cases.sampling import sample_specs
from backproof.truth.autograd import reference
from backproof.truth.deviations import met
from backproof.truth.evaluation import evaluate
from backproof.truth.rounding import bound

SPECS = sample_specs(
    Domain(penalties="mixed", depth=(1, 3), width=(1, 6), batch_size=(1, 5)), seed=5, shard=0, count=60
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_evaluation_is_within_the_bound_of_pytorch(spec):
    """Every quantity, in the shape of the reference; but for what PyTorch is known to compute differently."""
    case = build_case(spec)
    limits = bound(case, forms="textbook", kinks="any", dtype="float64").quantities()
    for (quantity, layer, own), (_, _, wanted), (_, _, limit) in zip(
        evaluate(case).quantities(), reference(case).quantities(), limits, strict=True
    ):
        assert own.shape == wanted.shape
        if not list(met(case, dtype="float64", quantity=quantity, layer=layer)):
            assert (np.abs(own - wanted) <= limit).all()

"""The candidates that ship with Backproof offer everything and agree."""

import numpy as np
import pytest

from backproof.candidates.loading import load
from backproof.cases import NetworkSpec, build_case
from backproof.comparison import Bounds, Verdict, compare
from backproof.truth import autograd

IDS = [
    "3-4-2,sigmoid,half_squared_error,sum,n5,f64,normal,s7",
    "3-4-2,leaky_relu=0.2-softmax,categorical_cross_entropy,mean,n5,f32,normal,s7,bias=01",
    "2-3,tanh,gaussian_nll=1,none,n4,f64,normal,s2",
    "4-3,identity,cross_entropy=index+weighted,mean,n6,f64,normal,s2,penalty=0.01+0.1+biases+N",
]


@pytest.mark.parametrize("name", ["scratch", "torch"])
@pytest.mark.parametrize("text", IDS)
def test_builtin_offers_every_quantity_and_agrees(name: str, text: str):
    """In the case's own dtype, with every parameter, array and penalty that the case has."""
    case = build_case(NetworkSpec.parse(text))
    (found,) = load(name)
    answer = found.answer(case)
    checks = compare(case, answer, autograd.reference(case), Bounds(case))
    assert {check.verdict for check in checks} == {Verdict.AGREE}
    assert {check.note for check in checks} <= {"", "lossy form"}
    assert {array.dtype for array in answer.weights} == {np.dtype(case.spec.dtype)}
    assert found.domain.contains(case.spec.parse("2-2,relu,mse,sum,n1,f32,normal,s1"))

"""The other checkers see what they are given: right gradients, wrong ones, and the same loss as the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.cases.case import build_case
from backproof.cases.spec import NetworkSpec
from backproof.power import rivals
from backproof.truth import autograd
from backproof.truth.rounding import bound

SHALLOW = "3-5-4,tanh-identity,mse,mean,n4,f64,normal,s1"
CLASSES = "3-5-4,relu-identity,cross_entropy,mean,n4,f64,normal,s1"


def made(text):
    """The case of an id and scratch's answer to it."""
    case = build_case(NetworkSpec.parse(text))
    return case, Scratch().answer(case)


def flipped(answer, layer):
    """The answer with the wrong sign on one dW."""
    weights = list(answer.weights)
    weights[layer] = -weights[layer]
    return replace(answer, weights=tuple(weights))


@pytest.mark.parametrize("text", [SHALLOW, CLASSES, "3-5-4,gelu=tanh,mse,sum,n4,f32,normal,s1,bias=10"])
def test_the_forward_pass_is_the_case(text):
    """The rivals' own forward pass gives the loss of the reference, within rounding."""
    case, _ = made(text)
    parameters = [tensor for tensor in rivals._parameters(case) if tensor is not None]
    value = float(rivals._loss(case)(*parameters))
    assert abs(value - autograd.reference(case).loss) <= bound(case).loss


@pytest.mark.parametrize("fast", [False, True], ids=["slow", "fast"])
@pytest.mark.parametrize("text", [SHALLOW, CLASSES, SHALLOW + ",bias=01"])
def test_gradcheck_sees_the_claimed_gradients(text, fast):
    """Right gradients are accepted; a wrong sign is refused in either layer, where that is asked about."""
    case, answer = made(text)
    assert rivals.gradcheck(case, answer, layers=[0, 1], fast=fast)
    for layer in (0, 1):
        wrong = flipped(answer, layer)
        assert not rivals.gradcheck(case, wrong, layers=[0, 1], fast=fast)
        assert not rivals.gradcheck(case, wrong, layers=[layer], fast=fast)
        assert rivals.gradcheck(case, wrong, layers=[1 - layer], fast=fast)


@pytest.mark.parametrize("factor", [1.0, 1.0 + 2.0**-12, 1.0 + 2.0**-5, -1.0])
def test_cutting_the_message_short_changes_no_answer(factor):
    """Fast gradcheck says the same where it is left to write its message to the end."""
    case, answer = made(SHALLOW)
    claimed = replace(answer, weights=(answer.weights[0] * factor, *answer.weights[1:]))
    loss, gradients = rivals._loss(case), [torch.from_numpy(np.array(array)) for array in rivals._gradients(claimed)]
    inputs = tuple(tensor.requires_grad_() for tensor in rivals._parameters(case))

    def function(*values):
        return rivals._Claimed.apply(loss, gradients, *values)

    whole = torch.autograd.gradcheck(function, inputs, fast_mode=True, raise_exception=False)
    assert rivals.gradcheck(case, claimed, layers=[0, 1], fast=True) is whole


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_assert_close_takes_its_defaults_by_dtype(dtype):
    """Right gradients are accepted in both dtypes; one relative error is refused in float64 and not in float32."""
    case, answer = made(SHALLOW.replace("f64", dtype))
    wanted = Answer.of(autograd.reference(case))
    assert rivals.assert_close(answer, wanted)
    assert not rivals.assert_close(flipped(answer, 0), wanted)
    slightly = replace(
        answer, weights=((answer.weights[0] * (1 + 2.0**-20)).astype(answer.weights[0].dtype), *answer.weights[1:])
    )
    assert rivals.assert_close(slightly, wanted) is (dtype == "f32")


def test_course_notes_compare_all_parameters_together():
    """Right gradients are accepted in float64; so is an error that is small against the norm of all of them."""
    case, answer = made(SHALLOW)
    differences = rivals.central_differences(case)
    assert differences.shape == (sum(array.size for array in rivals._gradients(answer)),)
    assert rivals.course_notes(answer, differences)
    assert not rivals.course_notes(flipped(answer, 0), differences)
    nothing = replace(answer, weights=tuple(0 * w for w in answer.weights), biases=tuple(0 * b for b in answer.biases))
    assert rivals.course_notes(nothing, 0 * differences)
    assert not rivals.course_notes(nothing, differences)


def test_differences_do_not_depend_on_how_many_are_taken_together(monkeypatch):
    """One parameter at a time, or many: the same rule is met."""
    case, answer = made(CLASSES)
    monkeypatch.setattr(rivals, "_AT_ONCE", 7)
    assert rivals.course_notes(answer, rivals.central_differences(case))

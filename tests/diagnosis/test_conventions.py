"""Conventions: which loss and reduction a candidate's value and its gradient belong to, and whether they are one."""

from dataclasses import replace

import pytest

from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.diagnosis.conventions import Conventions, _Convention, conventions
from backproof.diagnosis.evidence import Inquiry

SHAPES = ("3-4-2", "2-5-3", "4-3-5-6")


class Mixed:
    """The right value under one convention with the right gradient under another."""

    name = "mixed"

    def __init__(self, *, value: dict | None = None, gradient: dict | None = None, factor: float = 1.0) -> None:
        self.domain = Domain()
        self.value, self.gradient, self.factor = value or {}, gradient or {}, factor

    def answer(self, case) -> Answer:
        value, gradient = (
            Scratch().answer(replace(case, spec=replace(case.spec, **fields))) for fields in (self.value, self.gradient)
        )
        return Answer(
            loss=value.loss,
            weights=tuple(self.factor * weight for weight in gradient.weights),
            biases=tuple(None if bias is None else self.factor * bias for bias in gradient.biases),
        )


def loss(name):
    """A loss by its id."""
    return NetworkSpec.parse(f"1-1,identity,{name},sum,n1,f64,normal,s1").loss


def found(candidate, asked="mse,sum", activation="tanh"):
    """The conventions of a candidate that was asked for a loss and a reduction."""
    inquiry = Inquiry(candidate)
    texts = [f"{shape},{activation},{asked},n5,f64,normal,s{seed}" for seed, shape in enumerate(SHAPES)]
    return conventions([inquiry.exhibit(build_case(NetworkSpec.parse(text))) for text in texts])


def test_what_is_as_asked_for_is_found_at_once(monkeypatch):
    """No other convention is computed, nor for the loss of one that returns none."""
    tried = []
    arrays = _Convention.arrays
    monkeypatch.setattr(_Convention, "arrays", lambda self, case: tried.append(self.label) or arrays(self, case))
    silent = Mixed()
    answer = silent.answer
    silent.answer = lambda case: replace(answer(case), loss=None)
    for candidate in (Scratch(), silent):
        tried.clear()
        assert found(candidate) is None
        assert set(tried) == {"mse/sum"}


def test_what_is_as_asked_for_is_not_told():
    """A right candidate, whatever the reduction."""
    for asked in ("mse,sum", "mse,mean", "half_squared_error,batchmean", "cross_entropy,mean"):
        assert found(Mixed(), asked) is None


def test_value_and_gradient_of_different_reductions_are_told():
    """The loss divided by N O, the gradient by N: training minimises what nobody prints."""
    told = found(Mixed(value={"reduction": "mean"}, gradient={"reduction": "batchmean"}), "mse,batchmean")
    assert told == Conventions("mse/batchmean", "mse/mean", "mse/batchmean")
    assert told.contradict
    assert told.told == "your loss is mse/mean, your gradient is that of mse/batchmean"


def test_value_and_gradient_of_another_loss_are_told_as_one():
    """Consistent, but not what was asked for."""
    half = {"loss": loss("half_squared_error")}
    told = found(Mixed(value=half, gradient=half), "mse,sum")
    # Half the squared error is half of mse: the loss that was asked for, with its factor, is tried first.
    assert told == Conventions("mse/sum", "1/2 mse/sum", "1/2 mse/sum")
    assert not told.contradict
    assert told.told == "your loss and your gradient are those of 1/2 mse/sum; mse/sum was asked for"


def test_loss_of_another_name_is_told():
    """No factor of the loss that was asked for: another one on the same targets."""
    other = {"loss": loss("l1")}
    told = found(Mixed(value=other, gradient=other), "mse,mean")
    assert told == Conventions("mse/mean", "l1/mean", "l1/mean")


@pytest.mark.parametrize(("factor", "gradient"), [(2.0, "2 mse/mean"), (0.5, "1/2 mse/mean"), (-1.0, "-mse/mean")])
def test_constant_factor_of_the_gradient_is_told(factor, gradient):
    """The value is as asked for, and the gradient that of a multiple."""
    told = found(Mixed(factor=factor), "mse,mean")
    assert told == Conventions("mse/mean", "mse/mean", gradient)
    assert told.told == f"your loss is mse/mean, your gradient is that of {gradient}"


def test_one_that_is_unknown_leaves_the_other():
    """A gradient of no convention at all says nothing; the value is told if it is not as asked for."""
    told = found(Mixed(value={"reduction": "mean"}, factor=1.7), "mse,sum")
    assert told == Conventions("mse/sum", "mse/mean", None)
    assert not told.contradict
    assert told.told == "your loss is mse/mean; mse/sum was asked for"
    assert Conventions("mse/sum", None, "mse/mean").told == "your gradient is that of mse/mean; mse/sum was asked for"
    assert found(Mixed(factor=1.7), "mse,sum") is None
    assert found(Mixed(value={"reduction": "mean"}, factor=1.7), "mse,mean") is None


def test_class_losses_are_compared_under_their_reductions_alone():
    """On labels no other loss is tried, which would want other targets."""
    told = found(Mixed(value={"reduction": "sum"}, gradient={"reduction": "mean"}), "cross_entropy,mean")
    assert told is not None
    assert told.loss_value.endswith("/sum")
    assert told.gradient.endswith("/mean")


@pytest.mark.parametrize("asked", ["mse,none", "mse,sum|penalty"])
def test_unreduced_losses_and_penalties_say_nothing(asked):
    """What no reduction was asked for, and what a penalty is added to, is left out."""
    asked, _, penalty = asked.partition("|")
    inquiry = Inquiry(Mixed(factor=2.0))
    text = f"3-4-2,sigmoid,{asked},n5,f64,normal,s1" + (",penalty=0.1+0" if penalty else "")
    assert conventions([inquiry.exhibit(build_case(NetworkSpec.parse(text)))]) is None
    assert conventions([]) is None


def test_answers_that_cannot_be_read_say_nothing():
    """A failed call has no convention."""

    class Failing(Mixed):
        def answer(self, case):
            raise ValueError("no")

    assert found(Failing()) is None

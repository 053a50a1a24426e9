"""Loss of precision: right numbers, of float32's digits or of those that were printed."""

import re
from dataclasses import replace

import numpy as np
import pytest

from backproof.candidates import protocol
from backproof.candidates.builtin import Scratch
from backproof.candidates.contract import Answer
from backproof.candidates.layout import Layout
from backproof.candidates.reading import read
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.diagnosis.card import lines
from backproof.diagnosis.diagnosis import diagnose
from backproof.diagnosis.evidence import Inquiry
from backproof.diagnosis.faults import BY_NAME
from backproof.diagnosis.precision import only_as_accurate_as_float32, printed_short
from backproof.scratch import Backprop

NETWORKS = ("3-4-2,tanh-sigmoid,mse,mean,n5,f64,normal,s1", "2-5-3,sigmoid,half_squared_error,sum,n1,f64,normal,s2")


class Cast(Backprop):
    """delta in a buffer of float32."""

    def times_derivative(self, upstream, layer):
        return super().times_derivative(upstream, layer).astype(np.float32).astype(np.float64)


class CastInOutput(Backprop):
    """The same, where the output layer has two neurons."""

    def output_delta(self, loss_gradient, layer):
        delta = super().output_delta(loss_gradient, layer)
        return delta.astype(np.float32).astype(np.float64) if delta.shape[1] == 2 else delta


class CastAndNegated(Cast):
    """The same, and a mistake."""

    def bias_gradient(self, delta, layer):
        return -super().bias_gradient(delta, layer)


class CastWeights(Backprop):
    """dW and db in buffers of float32."""

    def loss_and_gradients(self, *cost, **options):
        found = super().loss_and_gradients(*cost, **options)
        cast = [[array.astype(np.float32).astype(np.float64) for array in of] for of in (found.weights, found.biases)]
        return replace(found, weights=cast[0], biases=cast[1])


class SlopeOff(Backprop):
    """A slope that is off by far less than float32 rounds."""

    def activation_derivative(self, z, a, layer):
        return (1.0 + 1e-9) * super().activation_derivative(z, a, layer)


class OneWeightOff(Backprop):
    """As far off as float32 would be, in one dW alone."""

    def weight_gradient(self, delta, layer):
        off = 2.0**-23 if layer.below is not None else 0.0
        return (1.0 + off) * super().weight_gradient(delta, layer)


class LossOff(Backprop):
    """The loss by as little; every gradient right."""

    def loss_value(self, a, y, objective):
        return (1.0 + 2.0**-23) * super().loss_value(a, y, objective)


class NoisyWeights(Backprop):
    """Noise far below float32's roundings."""

    def weight_gradient(self, delta, layer):
        dw = super().weight_gradient(delta, layer)
        return dw * (1.0 + 1e-9 * np.cos(np.arange(dw.size).reshape(dw.shape)))


class Scalar(Backprop):
    """A bias gradient of another shape."""

    def bias_gradient(self, delta, layer):
        return delta.sum()


@pytest.fixture(scope="module")
def accurate(handwritten):
    """(Backprop, ids) -> whether it is as accurate as float32 and no more."""

    def found(backprop, texts=NETWORKS):
        inquiry = Inquiry(handwritten(backprop, Domain(), returns="gradients"))
        exhibits = [inquiry.exhibit(build_case(NetworkSpec.parse(text))) for text in texts]
        return only_as_accurate_as_float32(inquiry, exhibits)

    return found


@pytest.mark.parametrize(
    ("backprop", "low"),
    [
        (Cast, True), (CastInOutput, True), (CastWeights, True), (BY_NAME["float32_inside"].backprop, True),
        (Backprop, False), (CastAndNegated, False), (Scalar, False),
        (SlopeOff, False), (OneWeightOff, False), (LossOff, False), (NoisyWeights, False),
    ],
)  # fmt: skip
def test_low_precision_is_told_from_mistakes(accurate, backprop, low):
    """A cast somewhere; nothing at all; a cast beside a mistake; wrong shapes; mistakes as small as that or smaller."""
    assert accurate(backprop) is low


def test_sign_that_float32_could_not_tell_is_no_loss_of_precision(accurate):
    """So deep that float32's bound is wider than a wrong dW: what it decides elsewhere says nothing about that one."""

    class Negated(Backprop):
        def weight_gradient(self, delta, layer):
            dw = super().weight_gradient(delta, layer)
            return dw if layer.below is not None else -dw

    deep = "-".join(["2", *["9"] * 12, "2"]) + ",tanh,mse,sum,n5,f64,normal,s1"
    assert not accurate(Negated, (deep,))


def test_float32_itself_is_no_loss(accurate):
    """What is asked for in float32 and is wrong there is wrong."""
    assert not accurate(CastAndNegated, ("3-4-2,tanh-sigmoid,mse,mean,n5,f32,normal,s1",))


def test_numbers_that_float32_cannot_tell_from_zero_decide_nothing():
    """Where float32's bound is wider than the numbers, agreement within it says nothing about precision."""
    # Equal outputs of a softmax under equal slopes: every gradient is 0, but for rounding.
    case = build_case(NetworkSpec.parse("2-3,softmax,linear,sum,n1,f64,ones,s1"))
    nothing = Answer(
        weights=tuple(np.full_like(weight, 1e-12) for weight in case.weights),
        biases=tuple(None if bias is None else np.full_like(bias, 1e-12) for bias in case.biases),
    )

    class Scripted:
        name = "scripted"
        domain = Domain()

        def answer(self, _):
            return nothing

    inquiry = Inquiry(Scripted())
    exhibit = inquiry.exhibit(case)
    assert exhibit.wrong
    assert not only_as_accurate_as_float32(inquiry, [exhibit])


def test_nothing_wrong_is_no_loss_of_precision():
    """Without anything that fails there is nothing to explain."""
    assert not only_as_accurate_as_float32(Inquiry(object(), domain=Domain()), [])


class Printing:
    """A program with the right gradients, or with these times `factor`, that prints its numbers as `how` says."""

    name = "printing"
    domain = Domain(activations="sigmoid", losses="half_squared_error", reductions="sum", dtypes="float64")

    def __init__(self, how: str, factor: float = 1.0) -> None:
        self.how, self.factor = how, factor

    def answer(self, case):
        right = Scratch().answer(case)
        answer = replace(right, weights=tuple(self.factor * weight for weight in right.weights))
        text = protocol.reply(1, answer).decode()
        line = re.sub(r"-?\d+\.\d+(e-\d+)?", lambda found: self.how % float(found[0]), text).encode()
        return replace(read(protocol.read_reply(line, 1), case, Layout()), written=line)


@pytest.mark.parametrize(
    ("how", "factor", "told"),
    [
        ("%f", 1.0, "6 decimals"),
        ("%.3f", 1.0, "3 decimals"),
        ("%g", 1.0, "6 significant digits"),
        ("%.9e", 1.0, "10 significant digits"),
        ("%g", 2.0, None),
        ("%.17g", 2.0, None),
    ],
    ids=["f", "3f", "g", "e", "g and wrong", "wrong"],
)
def test_numbers_printed_short_are_told_from_mistakes(how: str, factor: float, told: str | None):
    """Where rounding to what was printed is all that is wrong, and nothing else is."""
    inquiry = Inquiry(Printing(how, factor))
    exhibits = [inquiry.exhibit(build_case(NetworkSpec.parse(text))) for text in NETWORKS]
    assert any(exhibit.wrong for exhibit in exhibits)
    assert printed_short(inquiry, exhibits) == told


def test_whole_numbers_are_not_printed_short():
    """Nor is what no program printed."""
    case = build_case(NetworkSpec.parse("2-1,identity,half_squared_error,sum,n1,f64,integers,s1"))
    inquiry = Inquiry(Printing("%.0f", 2.0))
    assert printed_short(inquiry, [inquiry.exhibit(case)]) is None
    exhibit = inquiry.exhibit(build_case(NetworkSpec.parse(NETWORKS[1])))
    assert printed_short(inquiry, [replace(exhibit, answer=replace(exhibit.answer, written=b""))]) is None


@pytest.mark.no_cover
def test_numbers_printed_short_are_the_diagnosis():
    """No equation is blamed for what printing cut off."""
    specs = [NetworkSpec.parse("2-2,sigmoid,half_squared_error,sum,n1,f64,normal,s1")]
    found = diagnose(Printing("%f"), specs, shrink=False)
    (diagnosis,) = found.diagnoses
    assert (diagnosis.equation, diagnosis.fault, diagnosis.used) == (
        "numerics",
        None,
        "numbers printed with 6 decimals",
    )
    assert "broken" not in found.equations.values()
    told = dict(lines(found, candidate="printing"))
    assert "Mistake" not in told
    assert told["Yours"] == "numbers printed with 6 decimals"

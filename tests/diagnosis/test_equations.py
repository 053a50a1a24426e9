"""Charges: an equation that is broken alone is charged alone, in the layer where it is broken."""

from functools import partial

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch, Torch
from backproof.candidates.contract import Answer
from backproof.cases import NetworkSpec, build_case
from backproof.cases.domain import Domain
from backproof.cases.sampling import sample_specs
from backproof.diagnosis.equations import EQUATIONS, Charge, charges, findings
from backproof.diagnosis.faults import FAULTS
from backproof.diagnosis.faults.planting import Plant, Planted
from backproof.scratch import Backprop

DEEP = (
    "3-5-4-6-2,tanh-sigmoid-softplus-sigmoid,mse,sum,n1,f64,normal,s1",
    "4-3-5-4-3,sigmoid-tanh-tanh-softplus,mse,sum,n1,f64,normal,s2",
    "2-6-3-5-4,softplus-softplus-sigmoid-tanh,half_squared_error,mean,n1,f64,normal,s3",
)
LAYERS = (1, 2, 3, 4)


def cases(texts=DEEP):
    """The cases of some ids."""
    return [build_case(NetworkSpec.parse(text)) for text in texts]


def number_of(layer):
    """l of a layer, counted from the first."""
    return 1 if layer.below is None else 1 + number_of(layer.below)


class Broken(Backprop):
    """One equation wrong in one layer."""

    def __init__(self, at=0):
        self.at = at

    def here(self, layer):
        return number_of(layer) == self.at


class Forward(Broken):
    """BP0: phi twice, in one layer."""

    def forward(self, x, weights, biases, activations):
        self.number = 0
        return super().forward(x, weights, biases, activations)

    def activation(self, z, activation):
        self.number += 1
        a = super().activation(z, activation)
        return activation.phi(a) if self.number == self.at else a

    def activation_derivative(self, z, a, layer):
        return super().activation_derivative(z, layer.activation.phi(z), layer)


class LossValue(Broken):
    """The loss and a half."""

    def loss_value(self, a, y, objective):
        return 1.5 * super().loss_value(a, y, objective)


class OutputDelta(Broken):
    """BP1 with the slope squared."""

    def output_delta(self, loss_gradient, layer):
        return self.times_derivative(super().output_delta(loss_gradient, layer), layer)


class HiddenDelta(Broken):
    """BP2 without the slope, in one layer."""

    def hidden_delta(self, upstream, layer, above):
        return upstream if self.here(layer) else super().hidden_delta(upstream, layer, above)


class BiasGradient(Broken):
    """BP3 with the neurons in another order, in one layer."""

    def bias_gradient(self, delta, layer):
        db = super().bias_gradient(delta, layer)
        return db[::-1].copy() if self.here(layer) else db


class WeightGradient(Broken):
    """BP4 with z in place of a, in one layer; x squared in the first."""

    def weight_gradient(self, delta, layer):
        if not self.here(layer):
            return super().weight_gradient(delta, layer)
        return delta.T.dot(layer.inputs**2 if layer.below is None else layer.below.z)


class Doubled(Broken):
    """BP3 doubled in every layer."""

    def bias_gradient(self, delta, layer):
        return 2.0 * super().bias_gradient(delta, layer)


class Negated(Broken):
    """BP1 and BP2 with a slope of the wrong sign: delta^4 and delta^2 are negated by it, the others twice."""

    def times_derivative(self, upstream, layer):
        return -super().times_derivative(upstream, layer)


@pytest.fixture(scope="module")
def read(handwritten):
    """(Backprop, texts, returns) -> the charges."""

    def charged(backprop, texts=DEEP, returns="gradients"):
        candidate = handwritten(backprop, returns=returns)
        return charges([(case, candidate.answer(case)) for case in cases(texts)])

    return charged


@pytest.mark.parametrize(
    ("equation", "broken", "layers"),
    [
        ("BP0", Forward, LAYERS),
        ("loss", LossValue, (None,)),
        ("BP1", OutputDelta, (4,)),
        ("BP2", HiddenDelta, LAYERS[:-1]),
        ("BP3", BiasGradient, LAYERS),
        ("BP4", WeightGradient, LAYERS),
    ],
)
def test_equation_broken_alone_is_charged_alone_where_it_is_broken(read, equation, broken, layers):
    """At every position of a network of four layers: that equation, that layer, and nothing that it flows into."""
    for layer in layers:
        found = read(partial(broken, layer))
        (charge,) = found.least
        assert charge.equations == {equation}
        assert set(charge.places) == {(equation, layer, 4)}
        assert found.broken == found.suspect == {equation}
        # Nothing is known of BP1 and the loss at an output that is not phi(z).
        unknown = {"BP1", "loss"} if (equation, layer) == ("BP0", 4) else set()
        assert found.tested >= set(EQUATIONS) - {equation} - unknown
        assert charge.position(equation) == {None: "", 4: "output", 1: "first"}.get(layer, "hidden")


def test_input_gradient_is_charged_to_what_makes_it(read):
    """dC/dx wrong alone is BP2 below the first layer, with no position among the layers."""

    class Inputs(Backprop):
        def upstream(self, delta, layer):
            s = super().upstream(delta, layer)
            return s[:, ::-1] if layer.below is None else s

    (charge,) = read(Inputs, returns="all").least
    assert set(charge.places) == {("BP2", 0, 4)}
    assert charge.position("BP2") == ""


def test_two_equations_broken_together_are_charged_together(read):
    """Two equations in different layers: both, each in its own."""

    class Both(BiasGradient):
        def output_delta(self, loss_gradient, layer):
            return loss_gradient

    (charge,) = read(partial(Both, 2)).least
    assert set(charge.places) == {("BP1", 4, 4), ("BP3", 2, 4)}
    assert charge.position("BP1") == "output"
    assert charge.position("BP3") == "hidden"


def test_constant_factors_are_told(read):
    """A gradient that is off by one factor everywhere comes with the factor; one that is not, with none."""
    (charge,) = read(Doubled).least
    assert charge.equations == {"BP3"}
    assert charge.position("BP3") == "all"
    assert dict(charge.ratios) == {"BP3": 2.0}
    assert read(LossValue).least[0].ratios == (("loss", 1.5),)
    assert read(partial(BiasGradient, 2)).least[0].ratios == ()


def test_ties_are_listed(read):
    """A slope of the wrong sign, or db and dW negated in every other layer: the numbers are the same, four times."""
    found = read(Negated)
    assert {charge.equations for charge in found.least} == {frozenset({"BP1", "BP2"}), frozenset({"BP3", "BP4"})}
    assert {len(charge.places) for charge in found.least} == {4}
    assert found.broken == frozenset()
    assert found.suspect == {"BP1", "BP2", "BP3", "BP4"}
    assert found.tested >= {"BP0", "loss"}


def test_fewer_layers_win_among_equally_many_equations(read):
    """Both db and dW doubled everywhere is one factor at the output, where it is made."""

    class Both(Doubled):
        def weight_gradient(self, delta, layer):
            return 2.0 * super().weight_gradient(delta, layer)

    (charge,) = read(Both).least
    assert set(charge.places) == {("BP1", 4, 4)}
    assert charge.ratios == (("BP1", 2.0),)


def test_factor_on_loss_and_gradient_alike_is_the_costs(read):
    """The output itself, which would explain two wrong numbers, gives them no common factor."""

    class Cost(LossValue):
        def loss_gradient(self, a, y, objective):
            return 1.5 * super().loss_gradient(a, y, objective)

    found = read(Cost)
    (charge,) = found.least
    assert set(charge.places) == {("loss", 4, 4)}
    assert charge.ratios == (("loss", 1.5),)
    assert found.of_the_cost
    assert not read(LossValue).of_the_cost
    assert found.tested >= {"BP0", "BP2", "BP3", "BP4"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("candidate", [Scratch(), Torch()], ids=lambda candidate: candidate.name)
def test_right_networks_are_charged_with_nothing(candidate, dtype):
    """All activations, losses and reductions; with and without biases and penalties; numbers of every size."""
    domain = Domain(
        batch_size=1,
        dtypes=dtype,
        penalties="mixed",
        depth=(1, 5),
        width=(1, 8),
        values=("normal", "integers", "saturated", "tiny", "ones"),
    )
    tested = set()
    for spec in sample_specs(domain, seed=7, shard=0, count=120):
        case = build_case(spec)
        answer = candidate.answer(case)
        rounded = any(formula.name == "hardsigmoid" for formula in spec.activations)
        if (candidate.name, dtype) == ("torch", "float64") and rounded:
            continue  # its slope is float32(1/6) there, which is charged: a deviation that DEVIATIONS.md lists
        if answer.failure is None:
            found = charges([(case, answer)])
            assert (found.least, found.readable) == ((), True), spec.id
            tested |= found.tested
    assert tested == set(EQUATIONS)


def test_constant_of_too_few_digits_is_charged_and_is_no_factor():
    """PyTorch's slope of hardsigmoid in float64 is float32(1/6): BP1 and BP2, off by no factor worth telling."""
    evidence = cases([f"3-4-2,hardsigmoid,mse,sum,n1,f64,normal,s{seed}" for seed in (1, 2, 3)])
    (charge,) = charges([(case, Torch().answer(case)) for case in evidence]).least
    assert charge.equations == {"BP1", "BP2"}
    assert charge.ratios == ()
    assert charges([(case, Scratch().answer(case)) for case in evidence]).least == ()


def test_right_network_without_biases_is_charged_with_nothing(handwritten):
    """delta is then read from dW alone; BP3 is not tested, and not said to hold."""
    specs = sample_specs(Domain(batch_size=1, biases="never", dtypes="float64"), seed=3, shard=0, count=20)
    evidence = [(case, handwritten(returns="gradients").answer(case)) for case in map(build_case, specs)]
    found = charges(evidence)
    assert (found.least, found.readable) == ((), True)
    assert found.tested == {"BP0", "loss", "BP1", "BP2", "BP4"}


def test_networks_without_biases_show_their_mistakes(read):
    """A wrong BP1 or BP2 is charged by what dW shows of delta."""
    texts = [f"{text},bias=0000" for text in DEEP]
    assert [set(charge.places) for charge in read(partial(OutputDelta), texts).least] == [{("BP1", 4, 4)}]
    assert [set(charge.places) for charge in read(partial(HiddenDelta, 2), texts).least] == [{("BP2", 2, 4)}]


def test_loop_over_neurons_is_charged_with_nothing():
    """Sums in another order than a matrix product's are right too."""
    for case in cases(("3-5-4,tanh-sigmoid,mse,sum,n1,f32,normal,s4", "3-5-4,tanh-sigmoid,mse,sum,n1,f64,normal,s5")):
        found = charges([(case, by_loops(case))])
        assert (found.least, found.readable) == ((), True)


def by_loops(case) -> Answer:
    """Two layers, tanh and sigmoid, under the summed squared error: neuron by neuron, from the last to the first."""
    kind = case.spec.dtype
    number = np.dtype(kind).type
    (w1, w2), (b1, b2), x, y = case.weights, case.biases, case.x[0], case.y[0]

    def neuron(weights, inputs, bias):
        z = bias
        for at in reversed(range(len(inputs))):
            z = z + weights[at] * inputs[at]
        return z

    hidden = np.array([np.tanh(neuron(row, x, b)) for row, b in zip(w1, b1, strict=True)], kind)
    output = np.array(
        [number(1) / (number(1) + np.exp(-neuron(row, hidden, b))) for row, b in zip(w2, b2, strict=True)], kind
    )
    loss = sum((number(o) - t) ** 2 for o, t in zip(output, y, strict=True))
    above = [number(2) * (o - t) * (o * (number(1) - o)) for o, t in zip(output, y, strict=True)]
    below = []
    for at, a in enumerate(hidden):
        below.append(neuron(w2[:, at], above, number(0)) * (number(1) - a * a))
    dw2 = np.array([[delta * a for a in hidden] for delta in above], kind)
    dw1 = np.array([[delta * a for a in x] for delta in below], kind)
    return Answer(
        loss=np.asarray(loss, kind), weights=(dw1, dw2), biases=(np.array(below, kind), np.array(above, kind))
    )


def test_catalogue_is_charged_to_its_equations(read):
    """Every fourth fault of single samples, at each place of four layers: its own equation, alone or as one of ties."""
    evidence = cases()
    single = [fault for fault in FAULTS if fault.equation in EQUATIONS and not fault.only_steps]
    charged = 0
    for fault in single[1::6]:
        for position in ("all", "output", "first"):
            try:
                planted = Planted((Plant(fault, position),))
                answers = [planted.answer(case) for case in evidence]
            except ValueError:
                continue  # never taken there, or of shapes that do not fit
            if not all(map(fits, evidence, answers)):
                continue
            found = charges(list(zip(evidence, answers, strict=True)))
            if found.least:
                charged += 1
                wanted = planted.plants[0].equation
                assert any(wanted in charge.equations for charge in found.least), planted.name
    assert charged > 20


def fits(case, answer):
    """Whether every gradient has its parameter's shape."""
    return all(
        gradient is not None and gradient.shape == parameter.shape
        for gradient, parameter in zip((*answer.weights, *answer.biases), (*case.weights, *case.biases), strict=True)
    )


def test_what_no_three_equations_explain_is_not_readable(read):
    """Four of them broken: no charge, and nothing is said to hold."""

    class Nonsense(Backprop):
        def loss_value(self, a, y, objective):
            return super().loss_value(a, y, objective) + (len(a[0]) == 2)  # else the output itself would be to blame

        def output_delta(self, loss_gradient, layer):
            return np.cos(9.0 * loss_gradient)

        def hidden_delta(self, upstream, layer, above):
            return np.cos(9.0 * upstream)

        def bias_gradient(self, delta, layer):
            return np.cos(9.0 * delta[0])

        def weight_gradient(self, delta, layer):
            return np.cos(9.0 * layer.weight)

    found = read(Nonsense, returns="all")
    assert (found.least, found.readable, found.tested) == ((), False, frozenset())
    assert found.broken == found.suspect == frozenset()


def test_nothing_to_read_is_not_readable():
    """No evidence is no verdict."""
    found = charges([])
    assert (found.least, found.readable) == ((), False)


def test_batch_is_refused():
    """The readings need one sample; the message says how to get one."""
    case = build_case(NetworkSpec.parse("2-3,tanh,mse,sum,n3,f64,normal,s1"))
    with pytest.raises(ValueError, match=r"one sample \(got a case of 3\): use case.sample\(n\)"):
        charges([(case, Scratch().answer(case))])


def test_numbers_that_are_not_finite_are_no_evidence():
    """A network whose loss overflows on both sides is neither accused nor said to have been tested there."""
    (case,) = cases(("2-3-2,identity,half_squared_error,sum,n1,f32,saturated,s1",))
    answer = Scratch().answer(case)
    infinite = Answer(
        loss=np.asarray(np.inf, np.float32),
        weights=tuple(np.full_like(array, np.nan) for array in answer.weights),
        biases=tuple(np.full_like(array, np.nan) for array in answer.biases),
    )
    assert not any(found.tells and found.holds for found in findings(case, infinite, frozenset()))


def test_repeated_samples_have_more_roundings(handwritten):
    """What was read of the sum of N equal samples is off by some roundings more, and no fault for that."""
    (case,) = cases(("3-4-2,sigmoid,mse,sum,n1,f64,normal,s1",))
    answer = handwritten(returns="gradients").answer(case)
    shifted = Answer(
        loss=answer.loss,
        weights=answer.weights,
        biases=tuple(bias * (1.0 + 40.0 * np.finfo(np.float64).eps) for bias in answer.biases),
    )
    assert charges([(case, shifted)]).suspect
    assert not charges([(case, shifted)], repeats=8).suspect


@pytest.mark.parametrize(
    ("places", "position"),
    [
        ((("BP3", 3, 3),), "output"),
        ((("BP3", 3, 3), ("BP3", 1, 3)), "all"),
        ((("BP3", 1, 3),), "first"),
        ((("BP3", 1, 2),), "hidden"),  # the first of two layers is all that is hidden
        ((("BP3", 1, 3), ("BP3", 2, 3)), "hidden"),
        ((("BP4", 1, 3),), ""),
    ],
)
def test_position_of_a_charge(places, position):
    """Output, first, hidden or all; the first layer by itself only where another hidden one could have failed."""
    assert Charge(frozenset({"BP3"}), places).position("BP3") == position

"""Each equation on the candidate's own values: correct code keeps it at any depth, a wrong gradient does not."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from backproof.cases import Case, Domain, build_case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.fillings import FILLINGS
from backproof.cases.gradients import Array, Gradients
from backproof.cases.sampling import sample_specs
from backproof.cases.spec import NetworkSpec
from backproof.cases.strategies import cases
from backproof.judging.doubts import SHOWN
from backproof.judging.residuals import Residual, residuals
from backproof.scratch import Backprop
from backproof.truth import autograd

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parents[1] / "truth"))
from implementations import ROUNDINGS, gradients_of

VALUES = tuple(name for name, filling in FILLINGS.items() if filling.inputs is None)
SINGLE = Domain(depth=(1, 6), width=(1, 8), batch_size=1, penalties="mixed", values=VALUES)
# PyTorch's own departures, which are no rounding: hardsigmoid's slope in float64, bce's clamps, soft_margin's overflow.
TORCH = Domain(
    depth=(1, 6),
    width=(1, 8),
    batch_size=1,
    penalties="mixed",
    values=VALUES,
    activations=tuple(name for name, entry in ACTIVATIONS.items() if not entry.rowwise and name != "hardsigmoid"),
    output_activations=tuple(name for name in ACTIVATIONS if name != "hardsigmoid"),
    losses=tuple(name for name in LOSSES if name not in ("bce", "soft_margin")),
)
SMOOTH = ("tanh", "sigmoid", "softplus", "silu", "gelu", "elu", "softsign")
# Any depth and width, one sample, normal numbers: a network in which no unit is dead and every equation can be read.
DEEP = Domain(
    depth=(2, 30),
    width=(4, 64),
    batch_size=1,
    activations=SMOOTH,
    output_activations="identity",
    losses={"mse", "cross_entropy", "half_squared_error"},
    biases="always",
)


def case_of(text: str) -> Case:
    """The case with that id."""
    return build_case(NetworkSpec.parse(text))


def broken(case: Case, found: Gradients) -> list[Residual]:
    """The equations that the gradients do not keep."""
    return [residual for residual in residuals(case, found) if not residual.holds]


# --- No false alarm ---


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ROUNDINGS)
@given(case=cases(SINGLE))
def test_correct_code_keeps_every_equation(name: str, case: Case) -> None:
    """BLAS, loops from either end, subnormals flushed to zero; every filling, loss, activation, penalty, dtype."""
    assert not broken(case, gradients_of(case, ROUNDINGS[name]))


@given(case=cases(TORCH))
def test_torch_keeps_every_equation(case: Case) -> None:
    """In the case's own dtype, where it is not known to depart."""
    assert not broken(case, autograd.gradients(case))


@pytest.mark.no_cover
@pytest.mark.parametrize("values", VALUES)
def test_every_stratum_keeps_every_equation(values: str) -> None:
    """An even sample of each filling, and single samples of batches."""
    for spec in sample_specs(replace(SINGLE, values=(values,), depth=(2, 12)), seed=5, shard=0, count=24):
        case = build_case(spec)
        assert not broken(case, gradients_of(case)), spec.id
    for spec in sample_specs(replace(TORCH, values=(values,), batch_size=(2, 4)), seed=6, shard=0, count=8):
        for number in range(spec.batch_size):
            case = build_case(spec).sample(number)
            if case.spec.reduction != "mean" or "ignore_index" not in case.loss_options:
                assert not broken(case, autograd.gradients(case)), (spec.id, number)


@pytest.mark.no_cover
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "selu", "hardswish"])
@pytest.mark.parametrize(("depth", "width"), [(30, 4), (12, 64)])
def test_correct_code_of_any_depth_keeps_every_equation(depth: int, width: int, activation: str, dtype: str) -> None:
    """Where no bound of the whole network says anything."""
    widths = "-".join([str(width)] * (depth + 1))
    case = case_of(f"{widths},{activation},mse,mean,n1,{dtype},normal,s3")
    for backprop in ROUNDINGS.values():
        assert not broken(case, gradients_of(case, backprop))
    assert not broken(case, autograd.gradients(case))


# --- What is found ---

WRONG: dict[str, Callable[[Array], Array]] = {
    "zeroed": np.zeros_like,
    "sign flipped": np.negative,
    "1.0005 times": lambda array: array * array.dtype.type(1.0005),
}


def spoilt(found: Gradients, wrong: Callable[[Array], Array], *, biases: bool) -> Gradients:
    """The first layer's weight gradient made wrong, with its bias gradient and delta or alone."""
    weights = (wrong(found.weights[0]), *found.weights[1:])
    if not biases or found.biases[0] is None:
        return replace(found, weights=weights, inputs=None, deltas=None)
    return replace(found, weights=weights, biases=(wrong(found.biases[0]), *found.biases[1:]), inputs=None, deltas=None)


def assert_found_in_first_layer(case: Case, wrong: Callable[[Array], Array]) -> None:
    """dW alone breaks BP4 of layer 1, dW and db together BP2 (BP1 in a network of one layer); no loss is accused."""
    right = gradients_of(case)
    assert not broken(case, right)
    alone = broken(case, spoilt(right, wrong, biases=False))
    assert {"BP4"} <= {residual.equation for residual in alone if residual.layer == 1} or not right.weights[0].any()
    both = broken(case, spoilt(right, wrong, biases=True))
    assert {(residual.equation, residual.layer, residual.quantity) for residual in both} == {("BP2", 1, "delta")}
    assert all(residual.tells for residual in both)


@pytest.mark.no_cover
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
@pytest.mark.parametrize(("depth", "width"), [(2, 4), (5, 64), (30, 4), (30, 64)])
def test_a_wrong_first_gradient_is_found_at_any_depth_and_width(
    depth: int, width: int, activation: str, dtype: str, wrong: Callable[[Array], Array]
) -> None:
    """Whatever lies above it: the equation of the first layer needs the second layer's delta alone."""
    widths = "-".join([str(width)] * (depth + 1))
    assert_found_in_first_layer(case_of(f"{widths},{activation},mse,mean,n1,{dtype},normal,s1"), wrong)


@pytest.mark.no_cover
@settings(max_examples=settings.default.max_examples // 10)  # each asks for seven answers of deep networks
@given(case=cases(DEEP))
def test_a_wrong_first_gradient_is_found_in_random_networks(case: Case) -> None:
    """Depths to 30 and widths to 64, different in every layer, of smooth activations; all three mistakes."""
    for wrong in WRONG.values():
        assert_found_in_first_layer(case, wrong)


@pytest.mark.no_cover
@pytest.mark.parametrize(("dtype", "least"), [("f64", 2.0**-42), ("f32", 2.0**-13)])
@pytest.mark.parametrize("width", [4, 64])
def test_what_a_local_bound_sees_does_not_depend_on_depth(width: int, dtype: str, least: float) -> None:
    """The bound of every BP1 and BP2 stays below 3e-13 of delta in float64, and 1e-4 in float32, in thirty layers."""
    for depth in (2, 30):
        widths = "-".join([str(width)] * (depth + 1))
        case = case_of(f"{widths},tanh,mse,mean,n1,{dtype},normal,s1")
        powers = [test.power for test in residuals(case, gradients_of(case)) if test.quantity == "delta"]
        assert len(powers) == 2 * depth  # what db or dW shows, and what the candidate calls its deltas
        assert 0.0 < max(powers) < least


# --- One step of backpropagation wrong ---


class LossDoubled(Backprop):
    """The loss: twice the right one; every gradient is right."""

    def loss_value(self, a: Array, y: Array, objective: Any) -> Array:
        return 2 * super().loss_value(a, y, objective)


class LossGradientHalved(Backprop):
    """BP1: half of dC/da comes back from the loss."""

    def loss_gradient(self, a: Array, y: Array, objective: Any) -> Array:
        return super().loss_gradient(a, y, objective) / 2


class OutputWithoutSlope(Backprop):
    """BP1: phi' is left out at the output."""

    def output_delta(self, loss_gradient: Array, layer: Any) -> Array:
        return loss_gradient


class HiddenWithoutSlope(Backprop):
    """BP2: phi' is left out in the hidden layers."""

    def hidden_delta(self, upstream: Array, layer: Any, above: Any) -> Array:
        return upstream


class SlopeAtOutput(Backprop):
    """BP1 and BP2: phi' is taken at a, not at z."""

    def activation_derivative(self, z: Array, a: Array, layer: Any) -> Array:
        return layer.activation.derivative(a, layer.activation.phi(a))


class UpstreamAveraged(Backprop):
    """BP2: what comes back is averaged over the neurons above, not summed."""

    def upstream(self, delta: Array, layer: Any) -> Array:
        return super().upstream(delta, layer) / delta.shape[1]


class BiasDoubled(Backprop):
    """BP3: every bias gradient is twice the right one."""

    def bias_gradient(self, delta: Array, layer: Any) -> Array:
        return 2 * super().bias_gradient(delta, layer)


class WeightOfPreactivation(Backprop):
    """BP4: z of the layer below takes the place of its a; what dW shows is then no phi(z)."""

    def weight_gradient(self, delta: Array, layer: Any) -> Array:
        return delta.T @ (layer.inputs if layer.below is None else layer.below.z)


class WeightWithRoll(Backprop):
    """BP4: the rows of dW are added to their neighbours."""

    def weight_gradient(self, delta: Array, layer: Any) -> Array:
        return np.roll(super().weight_gradient(delta, layer), 1, axis=0) + super().weight_gradient(delta, layer)


class WithoutBias(Backprop):
    """BP0: the forward pass forgets to add b."""

    def preactivation(self, inputs: Array, weight: Array, bias: Array | None) -> Array:
        return inputs @ weight.T


class PenaltyOfTheWrongSign(Backprop):
    """The penalty is taken off the gradient where it is to be added: dW is no outer product any more."""

    def penalty_gradient(self, parameter: Array, penalty: Any, batch_size: int) -> Array:
        return -super().penalty_gradient(parameter, penalty, batch_size)


# The equations that break, in a network of three layers: all that is seen, where a mistake shows in no other.
PLANTS = [
    (LossDoubled, {("BP0", None)}, True),
    (LossGradientHalved, {("BP1", 3)}, True),
    (OutputWithoutSlope, {("BP1", 3)}, True),
    (HiddenWithoutSlope, {("BP2", 2), ("BP2", 1)}, True),
    (SlopeAtOutput, {("BP1", 3), ("BP2", 2), ("BP2", 1)}, True),
    (UpstreamAveraged, {("BP2", 2), ("BP2", 1), ("BP2", None)}, True),
    (BiasDoubled, {("BP3", 3), ("BP3", 2), ("BP3", 1)}, False),
    (WeightOfPreactivation, {("BP0", 1), ("BP0", 2)}, False),
    (WeightWithRoll, {("BP4", 3), ("BP4", 2), ("BP4", 1)}, False),
    (WithoutBias, {("BP0", None), ("BP0", 1), ("BP0", 2)}, False),
    (PenaltyOfTheWrongSign, {("BP4", 3), ("BP4", 2), ("BP4", 1)}, False),
]


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize(("backprop", "equations", "alone"), PLANTS, ids=[plant[0].__name__ for plant in PLANTS])
def test_a_wrong_step_breaks_its_equation(
    backprop: Callable[[], Backprop], equations: set[tuple[str, int | None]], alone: bool, dtype: str
) -> None:
    """In four networks, with a penalty for the plant that is about one; the right Backprop breaks none."""
    penalty = ",penalty=0.01+0.1+biases" if backprop is PenaltyOfTheWrongSign else ""
    for seed in range(4):
        case = case_of(f"3-4-5-2,tanh-sigmoid-tanh,mse,sum,n1,{dtype},normal,s{seed}{penalty}")
        assert not broken(case, gradients_of(case))
        found = {(test.equation, test.layer) for test in broken(case, gradients_of(case, backprop))}
        assert found == equations if alone else equations <= found


# --- What can be read ---


@pytest.mark.parametrize("bits", ["000", "010", "101"])
def test_layers_without_bias_show_their_delta_in_dw(bits: str) -> None:
    """dW a / (a a) stands for db; a wrong gradient is found as before, and BP3 is not asked of them."""
    case = case_of(f"3-4-5-2,tanh,mse,sum,n1,f64,normal,s1,bias={bits}")
    right = gradients_of(case)
    tests = residuals(case, right)
    assert all(test.holds for test in tests)
    assert {test.layer for test in tests if test.quantity == "bias"} == {
        layer for layer, bias in enumerate(case.biases, 1) if bias is not None
    }
    assert {1, 2, 3} <= {test.layer for test in tests if test.quantity == "delta"}
    assert broken(case, spoilt(right, np.negative, biases=True))
    assert broken(case, gradients_of(case, HiddenWithoutSlope))


# A float32 network without biases whose a^{L-1}, by which dW would show delta, have lost most of their digits.
FAINT = case_of("11-5-1-2-15-11,gelu-tanhshrink-mish-tanhshrink-relu6,huber,sum,n5,f32,normal,s21924427,bias=00000")


def test_a_delta_that_is_returned_is_read_where_dw_shows_it_worse() -> None:
    """BP2 of the layer below shows as much as must show, which it does not without it; a wrong one breaks it."""
    case = FAINT.sample(0)
    found = gradients_of(case)

    def power(given: Gradients) -> float:
        return next(r.power for r in residuals(case, given) if (r.equation, r.layer, r.quantity) == ("BP2", 4, "delta"))

    assert power(found) < SHOWN["float32"] < power(replace(found, deltas=None))
    assert found.deltas is not None
    wrong = tuple(delta * np.float32(1.0005) if at == 3 else delta for at, delta in enumerate(found.deltas))
    assert "BP2" in {residual.equation for residual in broken(case, replace(found, deltas=wrong))}


@pytest.mark.parametrize("penalty", ["0.01+0.1", "0.5+0+biases", "0+0.1+biases+N"])
def test_a_penalty_is_taken_off_before_anything_is_read(penalty: str) -> None:
    """It has no share in any equation; without it the equations do not hold."""
    case = case_of(f"3-4-2,tanh,mse,sum,n1,f64,normal,s1,penalty={penalty}")
    assert not broken(case, gradients_of(case))
    unpenalised = gradients_of(replace(case, spec=replace(case.spec, penalty=None)))
    assert broken(case, unpenalised)


def test_one_layer_has_bp1_alone() -> None:
    """And the loss, BP3, BP4 and dC/dx."""
    case = case_of("3-2,tanh,mse,sum,n1,f64,normal,s1")
    tests = residuals(case, gradients_of(case))
    assert {(test.equation, test.quantity) for test in tests} == {
        ("BP0", "loss"),
        ("BP1", "delta"),
        ("BP4", "weight"),
        ("BP3", "bias"),
        ("BP3", "delta"),
        ("BP2", "input"),
    }
    assert all(test.holds and test.tells for test in tests)


def test_what_is_not_offered_is_not_asked() -> None:
    """Without loss, inputs and deltas the layers' equations remain."""
    case = case_of("3-4-2,tanh,mse,sum,n1,f64,normal,s1")
    found = gradients_of(case)
    tests = residuals(case, replace(found, loss=None, inputs=None, deltas=None))  # type: ignore[arg-type]
    assert {test.quantity for test in tests} == {"delta", "weight", "bias", "activation"}
    assert all(test.holds for test in tests)


def test_numbers_that_are_not_finite_are_evidence_of_nothing() -> None:
    """A NaN in one gradient accuses nobody, and tells nothing where it stands."""
    case = case_of("3-4-2,tanh,mse,sum,n1,f64,normal,s1")
    found = gradients_of(case)
    spoilt_weights = (np.full_like(found.weights[0], np.nan), *found.weights[1:])
    tests = residuals(case, replace(found, weights=spoilt_weights))
    assert all(test.holds for test in tests)
    assert not all(test.tells for test in tests)


def test_a_dead_layer_shows_nothing_and_accuses_nobody() -> None:
    """All of relu's inputs negative: delta and dW are 0, and so are their readings."""
    case = case_of("2-3-2,relu-identity,mse,sum,n1,f64,ones,s0")
    dead = replace(case, weights=(-case.weights[0], case.weights[1]), biases=(-case.biases[0], case.biases[1]))  # type: ignore[operator]
    tests = residuals(dead, gradients_of(dead))
    assert all(test.holds for test in tests)
    assert any(not test.tells or test.power == 0.0 for test in tests if test.layer == 1)


def test_a_batch_has_no_readings() -> None:
    """The sum over samples hides them; the message says what to pass."""
    case = case_of("3-2,tanh,mse,sum,n2,f64,normal,s1")
    with pytest.raises(ValueError, match=r"the readings need one sample \(got a case of 2\): take case.sample\(n\)"):
        residuals(case, gradients_of(case))


def test_what_has_another_shape_is_evidence_of_nothing() -> None:
    """The comparison says so; the tests of the other quantities stay as they are."""
    case = case_of("3-4-2,tanh,mse,none,n1,f64,normal,s7")
    found = autograd.reference(case)
    odd = replace(
        found, loss=found.loss.sum(), inputs=found.inputs[:, :1], deltas=tuple(d.T for d in found.deltas or ())
    )
    kept = {residual.quantity for residual in residuals(case, odd)}
    assert kept == {residual.quantity for residual in residuals(case, found)} - {"loss", "input"}
    assert not broken(case, odd)

"""Property 8. Do the classic wrong forms disagree with PyTorch, in every network and for the equation they break?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import Array, Case, Domain, NetworkSpec, build_case
from backproof.cases.strategies import cases
from backproof.scratch import Backprop
from backproof.truth.autograd import reference
from backproof.truth.rounding import bound

# Sigmoid everywhere, biases everywhere: no delta is zero, no two neurons are alike, and nothing is a kink.
SIGMOIDS = {
    "activations": "sigmoid",
    "losses": {"half_squared_error", "mse", "linear"},
    "reductions": {"sum", "mean", "batchmean"},
    "dtypes": "float64",
    "biases": "always",
}
# Whole numbers and slopes of 0 and 1: every quantity is exact.
WHOLE = {
    "activations": {"identity", "relu"},
    "losses": {"half_squared_error", "linear"},
    "reductions": "sum",
    "dtypes": "float64",
    "biases": "always",
    "values": "integers",
}


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


class AtUpstream(Backprop):
    """The slope formula a(1 - a) applied to what the layer above sends back, in place of a product: g(1 - g)."""

    def times_derivative(self, upstream, layer):
        return upstream * (1 - upstream)


class SlopeAtUpstream(Backprop):
    """g sigma'(g): the slope is multiplied, but taken at the upstream gradient and not at z."""

    def times_derivative(self, upstream, layer):
        return upstream * sigmoid(upstream) * (1 - sigmoid(upstream))


class SlopeAtOutput(Backprop):
    """g sigma'(a): the slope is taken at what the layer put out, as if it had not been squashed yet."""

    def times_derivative(self, upstream, layer):
        return upstream * sigmoid(layer.a) * (1 - sigmoid(layer.a))


class FormulaOfPreactivation(Backprop):
    """g z(1 - z): the formula that holds for a, given z."""

    def times_derivative(self, upstream, layer):
        return upstream * layer.z * (1 - layer.z)


class NoSlope(Backprop):
    """Only g: the slope is left out."""

    def times_derivative(self, upstream, layer):
        return upstream


class InOutputLayer:
    """The mistake is made in BP1 alone."""

    def hidden_delta(self, upstream, layer, above):
        return upstream * layer.activation.derivative(layer.z, layer.a)


class InHiddenLayers:
    """The mistake is made in BP2 alone."""

    def output_delta(self, loss_gradient, layer):
        return loss_gradient * layer.activation.derivative(layer.z, layer.a)


WRONG_SLOPES = (AtUpstream, SlopeAtUpstream, SlopeAtOutput, FormulaOfPreactivation, NoSlope)
wrong_slopes = pytest.mark.parametrize("wrong", WRONG_SLOPES, ids=lambda wrong: wrong.__name__)


@given(case=cases(Domain(depth=(1, 4), width=(1, 5), batch_size=(1, 6), **SIGMOIDS)))
def test_the_slope_at_z_is_pytorchs(case, network_of, differing):
    """The right form, a(1 - a) with a = sigma(z), agrees wherever the wrong ones are tried."""
    assert not differing(network_of(case).gradients(case.x, case.y), reference(case), bound(case))


@wrong_slopes
@given(data=st.data())
def test_a_wrong_slope_in_the_output_layer_is_not_pytorchs(wrong, data, network_of, differing):
    """BP1: the output's delta and its bias and weight gradients are wrong in every network; C is right."""
    case = data.draw(cases(Domain(depth=(1, 3), width=(1, 4), batch_size=(1, 5), **SIGMOIDS)))
    planted = type(wrong.__name__, (InOutputLayer, wrong), {})
    found = differing(network_of(case, planted).gradients(case.x, case.y), reference(case), bound(case))
    last = case.spec.depth
    assert {f"delta {last}", f"bias {last}", f"weight {last}"} <= set(found)
    assert "loss" not in found


@wrong_slopes
@given(data=st.data())
def test_a_wrong_slope_in_hidden_layers_is_not_pytorchs(wrong, data, network_of, differing):
    """BP2: the last hidden layer's delta is wrong, and the output layer right."""
    case = data.draw(cases(Domain(depth=(2, 4), width=(1, 4), batch_size=(1, 5), **SIGMOIDS)))
    planted = type(wrong.__name__, (InHiddenLayers, wrong), {})
    found = differing(network_of(case, planted).gradients(case.x, case.y), reference(case), bound(case))
    last = case.spec.depth
    assert f"delta {last - 1}" in found
    assert not {f"delta {last}", f"bias {last}", f"weight {last}", "loss"} & set(found)


def at_zero() -> Case:
    """z = 0: a = sigma(0) = 1/2, the slope is 1/4, and with y = 1 the upstream gradient a - y is -1/2. All exact."""
    case = build_case(NetworkSpec.parse("1-1,sigmoid,half_squared_error,sum,n1,f64,ones,s0"))
    return Case(
        spec=case.spec,
        weights=(np.zeros((1, 1)),),
        biases=(np.zeros(1),),
        x=case.x,
        y=np.ones((1, 1)),
        loss_arrays={},
        upstream=None,
    )


def test_the_slope_at_zero_is_a_quarter(network_of):
    """PyTorch and the handwritten network: delta = -1/2 * 1/4, exactly."""
    case = at_zero()
    assert reference(case).deltas[0] == network_of(case).deltas(case.x, case.y)[0] == -0.125


@wrong_slopes
def test_a_wrong_slope_at_zero_is_not_a_quarter(wrong, network_of):
    """Each wrong form gives another number there, in arithmetic that a person can follow."""
    case = at_zero()
    (delta,) = network_of(case, wrong).deltas(case.x, case.y)
    by_hand = {
        "AtUpstream": -0.5 * 1.5,
        "SlopeAtUpstream": -0.5 * sigmoid(-0.5) * (1 - sigmoid(-0.5)),
        "SlopeAtOutput": -0.5 * sigmoid(0.5) * (1 - sigmoid(0.5)),
        "FormulaOfPreactivation": 0.0,
        "NoSlope": -0.5,
    }
    assert delta == by_hand[wrong.__name__]
    assert delta != reference(case).deltas[0]


class OneScalarForEveryBias(Backprop):
    """BP3: all neurons' deltas added up, and that one number handed to every bias of the layer."""

    def bias_gradient(self, delta, layer):
        return np.full(delta.shape[1], delta.sum())


class HiddenFromWeightGradients(Backprop):
    """BP2: what comes back is the next layer's weight gradients, added up over its neurons, in place of delta W."""

    def upstream(self, delta, layer):
        return np.broadcast_to((delta.T @ layer.inputs).sum(axis=0), layer.inputs.shape)


@given(case=cases(Domain(depth=(1, 3), width=(2, 5), batch_size=(1, 6), **SIGMOIDS)))
def test_one_scalar_for_every_bias_is_not_pytorchs(case, network_of, differing):
    """Every layer's bias gradient is wrong and nothing else: one number cannot be two neurons' deltas."""
    found = network_of(case, OneScalarForEveryBias).gradients(case.x, case.y)
    wrong = differing(found, reference(case), bound(case))
    assert set(wrong) == {f"bias {layer}" for layer in range(1, case.spec.depth + 1)}


@given(case=cases(Domain(depth=(2, 4), width=(1, 5), batch_size=(1, 6), **SIGMOIDS)))
def test_hidden_deltas_from_weight_gradients_are_not_pytorchs(case, network_of, differing):
    """The output layer is right, every hidden delta and dC/dx wrong: dC/dW says nothing of what W sends back."""
    found = network_of(case, HiddenFromWeightGradients).gradients(case.x, case.y)
    wrong = differing(found, reference(case), bound(case))
    last = case.spec.depth
    assert {f"delta {last - 1}", "input"} <= set(wrong)
    assert not {f"delta {last}", f"bias {last}", f"weight {last}", "loss"} & set(wrong)


# Two linear neurons, one sample, in whole numbers: W^1 = (1, 2)^T, W^2 = (3, -1), x = 1, y = 0.
#   a^1 = (1, 2), z^2 = 3 - 2 = 1, delta^2 = 1, delta^1 = (3, -1)
def by_hand() -> Case:
    """1-2-1, identity, half_squared_error; the biases are zero."""
    case = build_case(NetworkSpec.parse("1-2-1,identity,half_squared_error,sum,n1,f64,ones,s0"))
    return Case(
        spec=case.spec,
        weights=(np.array([[1.0], [2.0]]), np.array([[3.0, -1.0]])),
        biases=(np.zeros(2), np.zeros(1)),
        x=np.ones((1, 1)),
        y=np.zeros((1, 1)),
        loss_arrays={},
        upstream=None,
    )


def test_bias_gradients_by_hand(network_of):
    """(3, -1) in PyTorch and ours; one scalar for both would be 2."""
    case = by_hand()
    wrong = network_of(case, OneScalarForEveryBias).gradients(case.x, case.y)
    assert (
        reference(case).biases[0].tolist() == network_of(case).gradients(case.x, case.y).biases[0].tolist() == [3, -1]
    )
    assert wrong.biases[0].tolist() == [2, 2]


def test_hidden_delta_by_hand(network_of):
    """(3, -1) in PyTorch and ours; the next layer's weight gradient, delta^2 a^1, would be (1, 2)."""
    case = by_hand()
    wrong = network_of(case, HiddenFromWeightGradients).gradients(case.x, case.y)
    assert reference(case).deltas[0].tolist() == network_of(case).deltas(case.x, case.y)[0].tolist() == [[3, -1]]
    assert wrong.deltas[0].tolist() == [[1, 2]]


@given(case=cases(Domain(depth=(2, 3), width=(2, 4), batch_size=(1, 4), **WHOLE)))
def test_right_forms_are_exact_in_whole_numbers(case, network_of, differing):
    """PyTorch and the handwritten network differ in no bit, so that any difference convicts."""
    nothing = reference(case)
    for _, _, array in nothing.quantities():
        array[...] = 0.0
    assert not differing(network_of(case).gradients(case.x, case.y), reference(case), nothing)


@given(case=cases(Domain(depth=(2, 3), width=(2, 4), batch_size=(1, 4), **WHOLE)))
def test_wrong_forms_in_whole_numbers_are_told_wherever_they_change_a_number(case, network_of):
    """One scalar is wrong unless each neuron's sum is the total; PyTorch differs from it in just those layers."""
    right, wrong = reference(case), network_of(case, OneScalarForEveryBias).gradients(case.x, case.y)
    for bias, delta, scalar in zip(right.biases, right.deltas, wrong.biases, strict=True):
        assert np.array_equal(bias, delta.sum(axis=0))
        assert (scalar != bias).tolist() == (delta.sum() != delta.sum(axis=0)).tolist()

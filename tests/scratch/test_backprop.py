"""The four equations: what each step does, that each is used where it should be, and what the whole of them costs."""

from itertools import pairwise

import numpy as np
import pytest

from backproof.scratch import Backprop, Network
from backproof.scratch.activations import ACTIVATIONS
from backproof.scratch.backprop import Layer
from backproof.scratch.losses import LOSSES
from backproof.scratch.objective import Objective
from backproof.scratch.penalties import Penalty


def network(backprop=Backprop, *, depth=3, **settings):
    """A small network with numbers whose arithmetic is exact: quarters, and piecewise activations."""
    rng = np.random.default_rng(7)
    widths = [*[3, 4, 5, 2, 3, 2][:depth], 2]
    weights = [rng.integers(-4, 5, size=(o, i)) / 4 for i, o in pairwise(widths)]
    biases = [rng.integers(-4, 5, size=o) / 4 for o in widths[1:]]
    settings = {"loss": "mse", "reduction": "sum", "backprop": backprop} | settings
    return Network(
        weights, biases, ["leaky_relu"] * depth, activation_options=[{"negative_slope": 0.5}] * depth, **settings
    )


X = np.array([[1.0, -2.0, 0.5], [0.25, 1.0, -1.0], [2.0, 0.0, -0.5]])
Y = np.array([[1.0, 0.0], [0.5, -1.0], [0.0, 2.0]])


def test_a_network_worked_by_hand():
    """1-1-1 with x = 2, w = 3, b = -1 and w = -1, b = 1 after relu, y = 0: every number can be followed on paper.

    z1 = 5, a1 = 5, z2 = a2 = -4, C = 8; g = -4, delta2 = -4; upstream = 4, delta1 = 4.
    """
    one = Network(
        [np.array([[3.0]]), np.array([[-1.0]])],
        [np.array([-1.0]), np.array([1.0])],
        ["relu", "identity"],
        loss="half_squared_error",
        reduction="sum",
    )
    found = one.gradients(np.array([[2.0]]), np.array([[0.0]]))
    assert found.loss == 8
    assert [delta.item() for delta in found.deltas] == [4, -4]
    assert [gradient.item() for gradient in found.weights] == [8, -20]
    assert [gradient.item() for gradient in found.biases if gradient is not None] == [4, -4]
    assert found.inputs is not None
    assert found.inputs.item() == 12


def test_matrix_form_equals_the_neurons_own_sums():
    """BP1 to BP4 neuron by neuron, in plain loops over quarters and eighths: equal, bit for bit."""
    net = network()
    found = net.gradients(X, Y)
    layers = net.backprop.forward(X, net.weights, net.biases, net.activations)
    for n in range(3):
        for index in reversed(range(3)):
            layer = layers[index]
            for j in range(layer.z.shape[1]):
                if index == 2:
                    sent_back = 2 * (layer.a[n, j] - Y[n, j])
                else:
                    above = layers[index + 1]
                    sent_back = sum(
                        found.deltas[index + 1][n, k] * above.weight[k, j] for k in range(len(above.weight))
                    )
                assert found.deltas[index][n, j] == sent_back * (1 if layer.z[n, j] > 0 else 0.5)
    for index, layer in enumerate(layers):
        delta, bias = found.deltas[index], found.biases[index]
        assert bias is not None
        for j in range(delta.shape[1]):
            assert bias[j] == sum(delta[n, j] for n in range(3))
            for k in range(layer.inputs.shape[1]):
                assert found.weights[index][j, k] == sum(delta[n, j] * layer.inputs[n, k] for n in range(3))


def test_layers_record_the_forward_pass():
    """Each layer holds its own parameters, what went in, z, a, and the layer below it."""
    net = network()
    first, second, third = net.backprop.forward(X, net.weights, net.biases, net.activations)
    assert first.inputs is X
    assert first.below is None
    assert second.inputs is first.a
    assert second.below is first
    assert third.below is second
    assert np.array_equal(second.z, first.a @ net.weights[1].T + net.biases[1])
    assert np.array_equal(second.a, np.where(second.z > 0, second.z, 0.5 * second.z))


class Counting(np.ndarray):
    """An array that counts the matrix products it takes part in."""

    products = 0

    def dot(self, other):
        """The product, counted."""
        Counting.products += 1
        return np.asarray(self).dot(np.asarray(other)).view(Counting)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_number_of_matrix_products_is_linear_in_depth(depth):
    """One for each z, one for each dW and one for each upstream: 3 L - 1 without dC/dx and 3 L with it.

    The chain rule written out anew for each layer would take a number that grows with the square of the depth.
    """
    net = network(depth=depth)
    weights = [weight.view(Counting) for weight in net.weights]
    for by_inputs, expected in ((False, 3 * depth - 1), (True, 3 * depth)):
        Counting.products = 0
        layers = net.backprop.forward(X.view(Counting), weights, net.biases, [ACTIVATIONS["sigmoid"]()] * depth)
        net.backprop.loss_and_gradients(layers, Y, net.objective, None, by_inputs=by_inputs)
        assert Counting.products == expected


def doubled(step):
    """A Backprop that takes one step twofold."""

    def twice(self, *given, **named):
        return 2 * getattr(Backprop, step)(self, *given, **named)

    return type(f"Doubled_{step}", (Backprop,), {step: twice})


# What each step moves in a network of three layers with a penalty: quantity and layers.
ALL = {1, 2, 3}
MOVES = {
    "loss_value": {"loss": {0}},
    "loss_gradient": {"deltas": ALL, "weights": ALL, "biases": ALL, "inputs": {0}},
    "penalty_value": {"loss": {0}},
    "penalty_gradient": {"weights": ALL},
    "output_delta": {"deltas": ALL, "weights": ALL, "biases": ALL, "inputs": {0}},
    "hidden_delta": {"deltas": {1, 2}, "weights": {1, 2}, "biases": {1, 2}, "inputs": {0}},
    "upstream": {"deltas": {1, 2}, "weights": {1, 2}, "biases": {1, 2}, "inputs": {0}},
    "times_derivative": {"deltas": ALL, "weights": ALL, "biases": ALL, "inputs": {0}},
    "activation_derivative": {"deltas": ALL, "weights": ALL, "biases": ALL, "inputs": {0}},
    "bias_gradient": {"biases": ALL},
    "weight_gradient": {"weights": ALL},
}


@pytest.mark.parametrize("step", MOVES)
def test_a_wrong_step_moves_its_equations_results_and_no_others(step):
    """Each step can be planted wrong by overriding it alone: what follows from it moves, all else stays bit for bit."""
    penalty = Penalty(l1=0.5, l2=0.25, on_biases=False, divided_by="nothing")
    right = network(penalty=penalty).gradients(X, Y)
    wrong = network(doubled(step), penalty=penalty).gradients(X, Y)
    moved = {
        name: {
            index + 1
            for index, (one, other) in enumerate(zip(getattr(right, name), getattr(wrong, name), strict=True))
            if not np.array_equal(one, other)
        }
        for name in ("deltas", "weights", "biases")
    }
    moved |= {
        name: {0} for name in ("loss", "inputs") if not np.array_equal(getattr(right, name), getattr(wrong, name))
    }
    assert {name: layers for name, layers in moved.items() if layers} == MOVES[step]


@pytest.mark.parametrize("step", ["preactivation", "activation"])
def test_a_wrong_forward_step_is_differentiated_as_it_stands(step):
    """BP0 is overridable too: the wrong network's outputs move, and with them the cost."""
    assert not np.array_equal(network(doubled(step)).forward(X), network().forward(X))
    assert network(doubled(step)).gradients(X, Y).loss != network().gradients(X, Y).loss


def test_hidden_delta_is_handed_both_layers():
    """BP2 sees the layer it is about and the one above, whose z and W a mistaken formula would take."""
    seen = []

    class Watching(Backprop):
        def hidden_delta(self, upstream, layer, above):
            seen.append((layer.weight.shape, above.weight.shape, above.below is layer))
            return super().hidden_delta(upstream, layer, above)

    network(Watching).gradients(X, Y)
    assert seen == [((5, 4), (2, 5), True), ((4, 3), (5, 4), True)]


def test_rowwise_activations_work_in_hidden_layers():
    """A softmax below another layer sends back its full Jacobian product, not its diagonal."""
    layer = Layer(
        np.eye(2), None, ACTIVATIONS["softmax"](), np.zeros((1, 2)), np.zeros((1, 2)), np.full((1, 2), 0.5), None
    )
    step = Backprop()
    upstream = np.array([[4.0, 0.0]])
    assert np.array_equal(step.hidden_delta(upstream, layer, layer), [[1.0, -1.0]])
    diagonal = upstream * step.activation_derivative(layer.z, layer.a, layer)
    assert np.array_equal(diagonal, [[1.0, 0.0]])


@pytest.mark.parametrize("name", ["relu", "relu6", "hardtanh", "hardsigmoid", "hardswish", "softshrink", "hardshrink"])
def test_an_overflowed_upstream_ends_where_the_slope_is_zero(name):
    """Infinity times a slope of 0 is 0, as in PyTorch, which masks instead of multiplying."""
    activation = ACTIVATIONS[name]()
    z = np.array([[-4.0, 0.0, 0.75]])
    layer = Layer(np.eye(3), None, activation, z, z, activation.phi(z), None)
    with np.errstate(invalid="ignore"):
        delta = Backprop().output_delta(np.full((1, 3), np.inf), layer)
    slope = activation.derivative(z, layer.a)
    assert np.array_equal(delta, np.where(slope == 0, 0, np.inf))


def test_the_loss_gradient_carries_the_reduction():
    """dC/da is the slope of each loss times its weight: 1, 1 / divisor, or the upstream."""
    a, y, step = np.array([[1.0, 2.0]] * 4), np.zeros((4, 2)), Backprop()
    mse, half = LOSSES["mse"](), LOSSES["half_squared_error"]()
    assert np.array_equal(step.loss_gradient(a, y, Objective(mse, "sum")), 2 * a)
    assert np.array_equal(step.loss_gradient(a, y, Objective(mse, "mean")), 2 * a / 8)
    assert np.array_equal(step.loss_gradient(a, y, Objective(mse, "batchmean")), 2 * a / 4)
    assert np.array_equal(step.loss_gradient(a, y, Objective(half, "mean")), a / 4)
    upstream = np.arange(8.0).reshape(4, 2)
    assert np.array_equal(step.loss_gradient(a, y, Objective(mse, "none", upstream)), 2 * a * upstream)
    assert np.array_equal(step.loss_gradient(a, y, Objective(half, "none", upstream[:, 0])), a * upstream[:, :1])

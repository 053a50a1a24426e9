"""The network as a whole: against PyTorch within the rounding bound, and what it promises about its arrays."""

from itertools import product

import numpy as np
import pytest
import torch

from backproof.candidates.builtin import network_of
from backproof.cases import Formula, NetworkSpec, build_case, draw_direction
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.scratch import Network, Penalty
from backproof.truth import autograd
from backproof.truth.rounding import bound


def formulas(table):
    """Every entry with each single parameter at its other value, as it stands in an id."""
    found = []
    for name, entry in table.items():
        values = [tuple(p.default for p in entry.parameters)]
        for index, parameter in enumerate(entry.parameters):
            values += [(*values[0][:index], other, *values[0][index + 1 :]) for other in parameter.others]
        found += [Formula(name, each).id for each in values]
    return found


def output_for(loss):
    """An output activation that a loss takes."""
    expected = LOSSES[loss.split("=")[0]].expects
    if loss.startswith("poisson_nll=0"):
        expected = "nonnegative"
    return {"probabilities": "softmax", "log_probabilities": "log_softmax", "nonnegative": "softplus"}.get(
        expected, "identity"
    )


def assert_within_bound(found, case):
    """Every quantity is PyTorch's, entry by entry, to the rounding that the case allows."""
    reference, limit = autograd.reference(case), bound(case)
    limits = {(quantity, layer): entries for quantity, layer, entries in limit.quantities()}
    arrays = {"loss": (found.loss,), "input": (found.inputs,)}
    arrays |= {"delta": found.deltas, "bias": found.biases, "weight": found.weights}
    for quantity, layer, expected in reference.quantities():
        ours = arrays[quantity][(layer or 1) - 1]
        assert ours.dtype == case.x.dtype
        assert ours.shape == expected.shape
        assert (np.abs(ours - expected) <= limits[quantity, layer]).all(), (quantity, layer)


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("activation", formulas(ACTIVATIONS))
def test_every_activation_in_every_position_agrees_with_pytorch(activation, dtype):
    """As the first, a hidden and the output layer's activation."""
    if activation == "hardsigmoid":
        dtype = "f32"  # in float64 PyTorch's slope is float32(1/6), which the activation's own test states
    spec = NetworkSpec.parse(
        f"3-4-5-3,{activation}-{activation}-{activation},linear,none,n4,{dtype},normal,s3,bias=101"
    )
    case = build_case(spec)
    assert_within_bound(network_of(case).gradients(case.x, case.y), case)


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "batchmean"])
@pytest.mark.parametrize("loss", formulas(LOSSES))
def test_every_loss_under_every_reduction_agrees_with_pytorch(loss, reduction, dtype):
    """Behind a tanh layer, on outputs that the loss takes."""
    case = build_case(NetworkSpec.parse(f"3-5-4,tanh-{output_for(loss)},{loss},{reduction},n6,{dtype},normal,s5"))
    assert_within_bound(network_of(case).gradients(case.x, case.y), case)


@pytest.mark.parametrize("penalty", ["0.01+0.1", "0.01+0.1+N", "0+0.1+biases", "0.01+0+biases+N"])
@pytest.mark.parametrize("bias", ["11", "01", "00"])
def test_every_penalty_agrees_with_pytorch(penalty, bias):
    """On weights alone or on biases too, divided by nothing or by N, with and without biases."""
    spec = NetworkSpec.parse(f"3-5-4,tanh-tanh,mse,mean,n6,f64,normal,s5,bias={bias},penalty={penalty}")
    case = build_case(spec)
    assert_within_bound(network_of(case).gradients(case.x, case.y), case)


@pytest.mark.parametrize("name", ["1-1,identity", "1-1-1-1,tanh", "6-2-9-1,elu-gelu-silu", "2-30-2,relu"])
@pytest.mark.parametrize("samples", [1, 2, 17])
def test_any_depth_width_and_batch_agrees_with_pytorch(name, samples):
    """From one layer, one neuron and one sample on."""
    case = build_case(NetworkSpec.parse(f"{name},half_squared_error,batchmean,n{samples},f64,normal,s1"))
    assert_within_bound(network_of(case).gradients(case.x, case.y), case)


SPECS = [
    "3-4-2,tanh-identity,cross_entropy=index+weighted+1+0.1,mean,n5,f64,integers,s2",
    "3-4-2,softmax-log_softmax,nll,sum,n5,f64,normal,s2,bias=10",
    "3-4-4,log_softmax-sigmoid,bce,none,n5,f64,normal,s2",
    "3-4-2,silu-identity,multi_margin=2,none,n5,f64,normal,s2",
    "3-4-2,relu-tanh,mse,mean,n5,f64,integers,s2,bias=01,penalty=0.01+0.1+biases+N",
]


@pytest.mark.parametrize("name", SPECS)
def test_forward_and_deltas_are_those_of_gradients(name):
    """The parts of the work give the same numbers as the whole of it."""
    case = build_case(NetworkSpec.parse(name))
    net = network_of(case)
    found = net.gradients(case.x, case.y)
    for one, other in zip(net.deltas(case.x, case.y), found.deltas, strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(
        net.forward(case.x), net.backprop.forward(case.x, case.weights, case.biases, net.activations)[-1].a
    )
    assert net.gradients(case.x, case.y, by_inputs=False).inputs is None


@pytest.mark.parametrize("name", SPECS)
def test_per_sample_gradients_are_torch_funcs(name):
    """One by one what vmap over grad gives, within the bound of the sum; dC/db is delta and dC/dW its outer product."""
    case = build_case(NetworkSpec.parse(name))
    net = network_of(case)
    found, expected, limit = net.per_sample_gradients(case.x, case.y), autograd.per_sample(case), bound(case)
    for index, layer in enumerate(net.backprop.forward(case.x, case.weights, case.biases, net.activations)):
        delta = found.deltas[index]
        assert (np.abs(delta - expected.deltas[index]) <= limit.deltas[index]).all()
        assert np.array_equal(found.weights[index], np.einsum("no,ni->noi", delta, layer.inputs))
        assert (np.abs(found.weights[index] - expected.weights[index]) <= limit.weights[index]).all()
        if layer.bias is None:
            assert found.biases[index] is None
        else:
            assert np.array_equal(found.biases[index], delta)
    assert (np.abs(found.inputs - expected.inputs) <= limit.inputs).all()
    assert found.loss.shape == expected.loss.shape == (5,)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "batchmean"])
def test_shares_of_the_loss_add_up(reduction):
    """On quarters, whose sums are exact: the samples' shares of C are C, for both shapes of losses."""
    a, y = np.array([[1.0, 0.5], [0.25, 2.0]]), np.array([[0.0, 1.0], [1.0, 1.0]])
    for loss in ("l1", "linear"):
        upstream = None
        if reduction == "none":
            upstream = np.array([2.0, 4.0]) if loss == "linear" else np.array([[2.0, 1.0], [4.0, 1.0]])
        net = Network([np.eye(2)], [None], ["identity"], loss=loss, reduction=reduction, upstream=upstream)
        shares, total = net.per_sample_gradients(a, y).loss, net.gradients(a, y).loss
        assert shares.sum() == (total if upstream is None else (upstream * total).sum())


@pytest.mark.parametrize("name", SPECS)
def test_differential_is_forward_mode_and_meets_backward_mode(name):
    """dC along a direction equals torch.func.jvp, and <gradient, direction>, to the rounding of those products."""
    case = build_case(NetworkSpec.parse(name))
    net, direction = network_of(case), draw_direction(case)
    change = net.differential(case.x, case.y, direction.weights, direction.biases, direction.inputs)
    expected = autograd.jvp(case, direction)
    assert change.shape == expected.shape
    found, limit = net.gradients(case.x, case.y), bound(case)
    pairs = [
        *zip(found.weights, direction.weights, limit.weights, strict=True),
        *((b, d, e) for b, d, e in zip(found.biases, direction.biases, limit.biases, strict=True) if b is not None),
        (found.inputs, direction.inputs, limit.inputs),
    ]
    inner = sum((gradient * tangent).sum() for gradient, tangent, _ in pairs)
    # Each way errs by at most what the bound allows the gradient, along the direction; summing K products adds K u.
    entries = sum(tangent.size for _, tangent, _ in pairs)
    slack = sum((np.abs(tangent) * e + entries * 2.0**-53 * np.abs(g * tangent)).sum() for g, tangent, e in pairs)
    scalar = change if case.upstream is None else (case.upstream * change).sum()
    theirs = expected if case.upstream is None else (case.upstream * expected).sum()
    assert abs(scalar - theirs) <= 2 * slack
    assert abs(scalar - inner) <= 2 * slack


def test_differential_takes_none_for_no_change():
    """A direction of None everywhere changes nothing; in one weight alone it is that weight's gradient."""
    case = build_case(NetworkSpec.parse("3-4-2,relu-identity,mse,sum,n4,f64,integers,s2,bias=10"))
    net = network_of(case)
    assert net.differential(case.x, case.y, [None, None], [None, None], None) == 0
    one = np.zeros((2, 4))
    one[1, 2] = 1
    change = net.differential(case.x, case.y, [None, one], [None, None], None)
    assert change == net.gradients(case.x, case.y).weights[1][1, 2]


@pytest.mark.parametrize("reduction", ["sum", "mean", "batchmean"])
def test_empty_batch_is_pytorchs(reduction):
    """No samples: C is 0 under sum and NaN under mean, and the gradients by weights and biases are 0."""
    weights = [np.ones((4, 3)), np.ones((2, 4))]
    net = Network(weights, [np.ones(4), None], ["tanh", "identity"], loss="mse", reduction=reduction)
    found = net.gradients(np.zeros((0, 3)), np.zeros((0, 2)))
    layers = [torch.from_numpy(w).requires_grad_() for w in weights]
    outputs = torch.tanh(torch.zeros(0, 3, dtype=torch.float64) @ layers[0].T + 1) @ layers[1].T
    squares = (outputs - torch.zeros_like(outputs)).square()
    loss = {"sum": squares.sum, "mean": squares.mean, "batchmean": lambda: squares.sum() / 0}[reduction]()
    loss.backward()
    assert np.array_equal(found.loss, loss.item(), equal_nan=True)
    for ours, theirs in zip(found.weights, layers, strict=True):
        assert np.array_equal(ours, theirs.grad.numpy())
    assert np.array_equal(found.biases[0], np.zeros(4))
    assert found.inputs.shape == (0, 3)
    assert [delta.shape for delta in found.deltas] == [(0, 4), (0, 2)]
    assert net.per_sample_gradients(np.zeros((0, 3)), np.zeros((0, 2))).weights[0].shape == (0, 4, 3)


def test_all_targets_ignored_is_pytorchs():
    """C is 0/0 = NaN, and every gradient is 0."""
    net = Network([np.ones((2, 3))], [np.zeros(2)], ["identity"], loss="cross_entropy", reduction="mean")
    found = net.gradients(np.ones((4, 3)), np.full(4, -100))
    weight = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(torch.ones(4, 3, dtype=torch.float64) @ weight.T, torch.full((4,), -100))
    loss.backward()
    assert np.isnan([found.loss.item(), loss.item()]).all()
    assert np.array_equal(found.weights[0], weight.grad.numpy())
    assert not found.weights[0].any()


def test_integer_data_give_what_the_same_floats_give():
    """Integers are the same numbers, in the network's dtype."""
    net = Network([np.eye(2, dtype=np.float32)], [None], ["tanh"], loss="mse", reduction="sum")
    x, y = np.array([[1, 2], [3, -1]]), np.array([[0, 1], [1, 0]])
    integers, floats = net.gradients(x, y), net.gradients(x.astype(np.float32), y.astype(np.float32))
    assert integers.loss.dtype == np.float32
    assert np.array_equal(integers.weights[0], floats.weights[0])


@pytest.mark.parametrize("loss", ["linear", "mse", "cross_entropy"])
def test_results_are_fresh_and_inputs_unchanged(loss):
    """A call leaves what it was given as it was, and a later call leaves earlier results as they were."""
    rng = np.random.default_rng(0)
    weights, biases = [rng.normal(size=(2, 2))], [rng.normal(size=2)]
    x, y = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    if loss == "cross_entropy":
        y = np.abs(y) / np.abs(y).sum(axis=1, keepdims=True)
    given = [*weights, *biases, x, y]
    before = [array.copy() for array in given]
    net = Network(weights, biases, ["identity"], loss=loss, reduction="sum")
    for results in (net.gradients(x, y), net.per_sample_gradients(x, y)):
        arrays = [results.loss, *results.weights, *results.biases, results.inputs, *results.deltas]
        for array, other in product(arrays, [*given, net.forward(x)]):
            assert not np.shares_memory(array, other)
        kept = [array.copy() for array in arrays]
        net.gradients(-x, y)
        assert all(np.array_equal(one, other) for one, other in zip(arrays, kept, strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(given, before, strict=True))


def test_a_cost_beyond_the_largest_number_is_infinite_without_a_warning():
    """As in PyTorch: the square overflows, nothing is said, and nothing is raised."""
    net = Network([np.ones((1, 1), np.float32)], [None], ["identity"], loss="mse", reduction="sum")
    assert net.gradients(np.full((1, 1), 1e30, np.float32), np.zeros((1, 1), np.float32)).loss == np.inf


def test_penalty_needs_no_more_than_its_fields():
    """Any object with the four settings will do; it is read once."""

    class Settings:
        l1, l2, on_biases, divided_by = 0.5, 0.25, True, "N"

    net = Network([np.eye(2)], [np.ones(2)], ["relu"], loss="mse", reduction="sum", penalty=Settings())
    assert net.penalty == Penalty(l1=0.5, l2=0.25, on_biases=True, divided_by="N")


def test_weights_are_used_as_they_are():
    """No copy is made: what trains the arrays trains the network."""
    weight = np.eye(2)
    net = Network([weight], [None], ["identity"], loss="mse", reduction="sum")
    assert net.weights[0] is weight
    weight *= 3
    assert np.array_equal(net.forward(np.ones((1, 2))), [[3, 3]])

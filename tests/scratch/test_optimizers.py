"""SGD against torch.optim.SGD, bit for bit, on numbers whose arithmetic is exact."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from backproof.scratch import SGD, LossAndGradients, Network
from backproof.scratch.errors import OptionError, RequirementError, ShapeError

STEPS = 4


def network():
    """Two layers, one without a bias, whose parameters are quarters."""
    weights = [np.array([[0.25, -1.0], [2.0, 0.5], [0.0, 1.5]]), np.array([[1.0, -0.5, 0.75]])]
    return Network(weights, [np.array([1.0, -0.25, 0.5]), None], ["relu", "identity"], loss="mse", reduction="sum")


def gradients(step):
    """The gradients of a step: whole numbers of the parameters' shapes."""
    rng = np.random.default_rng(step)
    shapes = [(3, 2), (1, 3), (3,)]
    first, second, bias = (rng.integers(-4, 5, size=shape).astype(float) for shape in shapes)
    return LossAndGradients(np.array(0.0), (first, second), (bias, None), None, ())


COMBINATIONS = [
    {"momentum": m, "dampening": d, "weight_decay": w, "nesterov": n, "maximize": x}
    for m, d, w, n, x in product((0.0, 0.5), (0.0, 0.25), (0.0, 0.125), (False, True), (False, True))
    if not n or (m > 0 and d == 0)
]


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: "-".join(str(v) for v in options.values()))
def test_steps_are_torchs(options):
    """Momentum, dampening, weight decay, nesterov and maximize in every combination, over several steps.

    All numbers are small multiples of powers of two, so that nothing rounds: the first velocity, which is not dampened,
    and the order of decay and sign show in the last bit.
    """
    net = network()
    ours = SGD(net, learning_rate=0.5, **options)
    arrays = [net.weights[0], net.weights[1], net.biases[0]]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    theirs = torch.optim.SGD(tensors, lr=0.5, **options)
    for step in range(STEPS):
        found = gradients(step)
        for tensor, gradient in zip(tensors, (*found.weights, found.biases[0]), strict=True):
            tensor.grad = torch.tensor(gradient)
        ours.step_in_place(found)
        theirs.step()
        for array, tensor in zip(arrays, tensors, strict=True):
            assert np.array_equal(array, tensor.detach().numpy())


def test_the_first_velocity_is_a_copy_and_not_dampened():
    """With a dampening of 1 torch's velocity is the first gradient for ever; the gradient itself stays as it was."""
    net = network()
    start = net.weights[0].copy()
    optimizer = SGD(net, learning_rate=1.0, momentum=1.0, dampening=1.0)
    found = gradients(0)
    before = found.weights[0].copy()
    for _ in range(3):
        optimizer.step_in_place(found)
    assert np.array_equal(net.weights[0], start - 3 * before)
    assert np.array_equal(found.weights[0], before)


def test_float32_stays_float32():
    """A step computes in the network's dtype and changes the network's own arrays."""
    weight = np.eye(2, dtype=np.float32)
    net = Network([weight], [None], ["identity"], loss="mse", reduction="sum")
    optimizer = SGD(net, learning_rate=0.1, momentum=0.9, weight_decay=0.1, nesterov=True)
    x = np.ones((1, 2), np.float32)
    for _ in range(2):
        optimizer.step_in_place(net.gradients(x, 2 * x))
    assert net.weights[0] is weight
    assert weight.dtype == np.float32
    assert optimizer.velocities[0].dtype == np.float32


def test_training_lowers_the_cost():
    """Followed downhill, the cost falls; with maximize it rises."""
    for maximize in (False, True):
        net = network()
        optimizer = SGD(net, learning_rate=0.01, maximize=maximize)
        x, y = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([[1.0], [0.0]])
        start = net.gradients(x, y).loss
        for _ in range(5):
            optimizer.step_in_place(net.gradients(x, y))
        assert (net.gradients(x, y).loss > start) == maximize


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": -1.0}, "SGD: learning_rate must be at least 0, got -1.0"),
        ({"momentum": -0.5}, "SGD: momentum must be at least 0, got -0.5"),
        ({"weight_decay": -0.5}, "SGD: weight_decay must be at least 0, got -0.5"),
        ({"nesterov": True}, "SGD with nesterov: momentum must be greater than 0, got 0.0"),
        (
            {"nesterov": True, "momentum": 0.5, "dampening": 0.25},
            "SGD with nesterov: dampening must be 0, got 0.25",
        ),
    ],
)
def test_options_are_torchs(options, message):
    """What torch refuses is refused, with the option's name and value."""
    with pytest.raises(OptionError) as error:
        SGD(network(), **{"learning_rate": 0.5} | options)
    assert str(error.value) == message
    torchs = {"lr" if name == "learning_rate" else name: value for name, value in options.items()}
    with pytest.raises(ValueError, match=r"Invalid|Nesterov"):
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], **{"lr": 0.5} | torchs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": np.inf}, "SGD: learning_rate must be a finite number, got inf"),
        ({"momentum": np.inf}, "SGD: momentum must be a finite number, got inf"),
        ({"dampening": np.nan}, "SGD: dampening must be a finite number, got nan"),
        ({"weight_decay": "0.1"}, "SGD: weight_decay must be a finite number, got '0.1'"),
        ({"nesterov": "no"}, "SGD: nesterov must be True or False, got 'no'"),
        ({"maximize": 2.5}, "SGD: maximize must be True or False, got 2.5"),
    ],
)
def test_options_are_finite_numbers_and_flags(refused, options, message):
    """What torch lets through, and what would train to NaN, is refused too."""
    refused(OptionError, message, SGD, network(), **{"learning_rate": 0.5} | options)


def test_numbers_of_any_type_leave_the_dtype():
    """They are Python's floats: velocities stay float32."""
    net = Network([np.eye(2, dtype=np.float32)], [None], ["identity"], loss="mse", reduction="sum")
    optimizer = SGD(
        net, learning_rate=np.float64(0.5), momentum=np.float64(0.5), weight_decay=np.float64(0.5), nesterov=np.True_
    )
    x = np.ones((1, 2), np.float32)
    for _ in range(2):
        optimizer.step_in_place(net.gradients(x, 2 * x))
    assert optimizer.velocities[0].dtype == np.float32


READ_ONLY = "SGD wants an array that may change, got a read-only one; build the network from a copy of it"


@pytest.mark.parametrize(
    ("where", "index", "layer"), [("weights", 1, "layer 2 (`weights[1]`)"), ("biases", 0, "layer 1 (`biases[0]`)")]
)
def test_read_only_arrays_are_refused(refused, where, index, layer):
    """A network of arrays that must not change cannot be trained in place: the first of them is named."""
    net = network()
    getattr(net, where)[index].flags.writeable = False
    refused(RequirementError, f"{layer}: {READ_ONLY}", SGD, net, learning_rate=0.5)


def arrays(net, optimizer):
    """Copies of all that a step changes."""
    return [array.copy() for array in (*net.weights, net.biases[0], *optimizer.velocities) if array is not None]


def test_a_step_that_is_refused_changes_nothing(refused):
    """Neither a parameter nor a velocity, be it that an array became read-only or that a gradient does not fit."""
    net = network()
    optimizer = SGD(net, learning_rate=0.5, momentum=0.5)
    optimizer.step_in_place(gradients(0))
    before = arrays(net, optimizer)
    first, second = gradients(1).weights
    transposed = replace(gradients(1), weights=(first, second.T))
    message = "layer 2 (`weights[1]`): wanted a gradient of its shape (1, 3), got (3, 1)"
    refused(ShapeError, message, optimizer.step_in_place, transposed)
    net.biases[0].flags.writeable = False
    refused(RequirementError, f"layer 1 (`biases[0]`): {READ_ONLY}", optimizer.step_in_place, gradients(1))
    assert all(map(np.array_equal, arrays(net, optimizer), before))


def test_a_step_that_overflows_is_done_as_a_whole():
    """Also where NumPy is told to raise: PyTorch's step is silent, and so is the last subtraction here."""
    huge = np.finfo(float).max
    net = Network([np.full((1, 1), huge)], [np.ones(1)], ["identity"], loss="mse", reduction="sum")
    found = LossAndGradients(np.array(0.0), (np.full((1, 1), -huge),), (np.ones(1),), None, ())
    with np.errstate(all="raise"):
        SGD(net, learning_rate=1.0).step_in_place(found)
    assert net.weights[0] == np.inf
    assert net.biases[0] == 0


def test_an_array_of_two_layers_takes_both_steps():
    """A matrix that two layers share moves by the sum of their gradients, as in torch."""
    shared = np.eye(2)
    net = Network([shared, shared], [None, None], ["identity", "identity"], loss="mse", reduction="sum")
    found = LossAndGradients(np.array(0.0), (np.ones((2, 2)), 2 * np.ones((2, 2))), (None, None), None, ())
    SGD(net, learning_rate=1.0).step_in_place(found)
    assert np.array_equal(shared, np.eye(2) - 3)

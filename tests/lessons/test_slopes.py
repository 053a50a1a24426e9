"""What the lessons on slopes claim beside their examples."""

import numpy as np

from backproof.lessons.library import find
from backproof.lessons.solved import Solved, stated
from backproof.scratch import ACTIVATIONS
from backproof.truth.autograd import reference


def test_a_sigmoids_slope_lies_between_0_and_a_quarter():
    """The largest is at 0."""
    z = np.linspace(-30, 30, 6001)
    sigmoid = ACTIVATIONS["sigmoid"]()
    slopes = sigmoid.derivative(z, sigmoid.phi(z))
    assert slopes.min() > 0
    assert slopes.max() == 0.25 == slopes[3000]
    assert 0.25**10 < 1e-6


def test_softmax_without_its_matrix():
    """delta = a (g - sum of g a), and the slopes of an output add up to 0."""
    net = Solved(find("softmax").example().steps[0].case)
    a, g = net.quantity("a 1")[0], net.quantity("dC/da")[0]
    assert np.array_equal(a * (g - (g * a).sum()), net.quantity("delta 1")[0])
    steps = {step.name: step.value for step in find("softmax").example().steps}
    assert steps["da_0/dz_0"] + steps["da_0/dz_1"] == 0


def test_cross_entropy_behind_softmax_cancels_too():
    """delta = a - y, in PyTorch, for the pair and for the loss on logits."""
    network = {"weights": [[[1], [2]]], "biases": [[0, -1]], "x": [[1]]}
    pair = stated(**network, y=[[1, 0]], activations="softmax", loss="categorical_cross_entropy")
    fused = stated(**network, y=[0], loss="cross_entropy")
    wanted = [f"{number:.12f}" for number in Solved(pair).quantity("a 1")[0] - [1, 0]]
    for case in (pair, fused):
        assert [f"{number:.12f}" for number in reference(case).deltas[0][0]] == wanted

"""A stated network, and what the handwritten one computes on it."""

import numpy as np
import pytest

from backproof.cases import Penalty, SpecError
from backproof.lessons.solved import Solved, described, given, network_of, stated

LAYERS = ("z", "a", "slope", "delta", "weight", "bias")


@pytest.fixture
def case():
    """Two layers, of which one has no bias; two samples."""
    return stated(
        weights=[[[1], [2]], [[1, -1]]], biases=[[0, 1], None], x=[[1], [2]], y=[[3], [0]], activations="tanh-identity"
    )


def test_every_quantity_is_pytorchs(case, by_torch):
    """To twelve printed digits."""
    net = Solved(case)
    for name in ("loss", "losses", "dC/da", "input", *(f"{kind} {layer}" for kind in LAYERS for layer in (1, 2))):
        if name != "bias 2":
            got, wanted = net.quantity(name), by_torch(case, name)
            assert got.shape == wanted.shape, name
            assert [f"{value:.12g}" for value in got.ravel()] == [f"{value:.12g}" for value in wanted.ravel()], name


def test_an_unknown_quantity_is_refused(case):
    """A lesson with a typing error does not print something else."""
    with pytest.raises(KeyError):
        Solved(case).quantity("losss")
    with pytest.raises(KeyError):
        Solved(case).quantity("W 1")


def test_a_case_is_described(case):
    """In the words of a person, with all that matters."""
    assert described(case) == "1-2-1 network: tanh, identity; C = 1/2 (a - y)^2, reduction sum; N = 2"
    assert [name for name, _ in given(case)] == ["x", "W1", "b1", "W2", "y"]
    charged = stated(
        weights=[[[1], [1]]], biases=[None], x=[[1]], y=[[1, 2]], loss="mse", penalty=Penalty(0, 2, False, "N")
    )
    assert described(charged) == "1-2 network: identity; C = (a - y)^2, penalty l1 = 0, l2 = 2, over N; N = 1"
    assert [name for name, _ in given(charged)] == ["x", "W", "y"]


def test_a_case_has_every_kind_of_array():
    """Class indices are integers; upstream and class weights are named."""
    losses = stated(
        weights=[[[1], [1]]], biases=[[0, 0]], x=[[1]], y=[0], loss="cross_entropy", reduction="none", upstream=[2]
    )
    assert losses.y.dtype == np.int64
    assert given(losses)[-1][0] == "upstream"
    weighted = stated(
        weights=[[[1], [1]]],
        biases=[[0, 0]],
        x=[[1]],
        y=[0],
        loss="cross_entropy=index+weighted",
        loss_arrays={"weight": [1, 2]},
    )
    assert given(weighted)[-1][0] == "weight"
    assert described(weighted).startswith("1-2 network: identity; loss cross_entropy=index+weighted; N = 1")


def test_what_cannot_be_is_refused():
    """The same rules as for every other network."""
    with pytest.raises(SpecError, match="takes"):
        stated(weights=[[[1]]], biases=[[0]], x=[[1]], y=[[1]], loss="bce")


def test_the_network_works_on_copies(case):
    """A lesson's mistake that overwrites its weights leaves the case as it is."""
    network = network_of(case)
    network.weights[0][:] = 7
    assert case.weights[0].tolist() == [[1], [2]]
    assert not case.x.flags.writeable


def test_a_step_takes_an_entry(case):
    """The value and where it is from."""
    net = Solved(case)
    step = net.step("dW1[1, 0]", "weight 1", 1, 0, note="an entry")
    assert step.value == net.found.weights[0][1, 0]
    assert (step.quantity, step.at, step.case, step.note) == ("weight 1", (1, 0), case, "an entry")

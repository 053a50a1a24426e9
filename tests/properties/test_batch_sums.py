"""Property 3. Is the gradient of a batch the sum of its samples' gradients, over samples and never over neurons?"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import ACTIVATIONS, Case, Domain, NetworkSpec, build_case
from backproof.cases.strategies import cases
from backproof.scratch import SGD, Backprop
from backproof.truth import autograd
from backproof.truth.rounding import bound

ROWWISE = {name for name, entry in ACTIVATIONS.items() if entry.rowwise}
# hardsigmoid: PyTorch's float64 slope of it is wrong in the eighth digit.
SUMMED = Domain(
    activations=set(ACTIVATIONS) - ROWWISE - {"hardsigmoid"},
    output_activations=set(ACTIVATIONS) - {"hardsigmoid"},
    reductions="sum",
    dtypes="float64",
)
# Curved and biased, so that no delta is zero and no two neurons are alike.
TELLING = {
    "activations": {"sigmoid", "tanh", "softplus", "silu"},
    "losses": {"mse", "half_squared_error"},
    "reductions": "sum",
    "dtypes": "float64",
    "biases": "always",
}
# Small whole numbers: sums, products and a few halvings of them are exact.
LINEAR = Domain(
    depth=1,
    width=(1, 4),
    batch_size=2,
    activations="identity",
    losses="half_squared_error",
    reductions="sum",
    dtypes="float64",
    values="integers",
)


@given(case=cases(SUMMED))
def test_gradient_of_the_sum_is_the_sum_of_the_samples_gradients(case, network_of, beyond):
    """Ours and PyTorch's per-sample gradients, added up, are the batch's gradient."""
    whole, allowed = autograd.reference(case), bound(case)
    for samples in (network_of(case).per_sample_gradients(case.x, case.y), autograd.per_sample(case)):
        for name in ("weights", "biases"):
            triples = zip(getattr(samples, name), getattr(whole, name), getattr(allowed, name), strict=True)
            for parts, wanted, most in triples:
                assert (parts is None) == (wanted is None)
                assert parts is None or not beyond(parts.sum(axis=0), wanted, most).any()


@given(case=cases(SUMMED))
def test_gradient_of_the_sum_is_the_sum_over_batches_of_one(case, network_of, beyond):
    """N networks with one sample each, a batch size that most handwritten code is first tried on."""
    total = None
    for n in range(case.spec.batch_size):
        alone = case.sample(n)
        part = network_of(alone).gradients(alone.x, alone.y).weights
        total = part if total is None else [one + two for one, two in zip(total, part, strict=True)]
    triples = zip(total, autograd.reference(case).weights, bound(case).weights, strict=True)
    assert not any(beyond(*three).any() for three in triples)


@given(case=cases(SUMMED))
def test_bias_gradient_is_the_row_of_ones_times_the_deltas(case, network_of, beyond):
    """1^T delta, (1, N) times (N, O), is the sum over n: one number for each neuron."""
    found, allowed = network_of(case).gradients(case.x, case.y), bound(case)
    ones = np.ones((1, case.spec.batch_size))
    for bias, delta, most in zip(found.biases, found.deltas, allowed.biases, strict=True):
        assert bias is None or not beyond((ones @ delta)[0], bias, most).any()


class SummedOverNeurons(Backprop):
    """BP3 over the wrong axis: with as many samples as neurons even the shape is right."""

    def bias_gradient(self, delta, layer):
        return delta.sum(axis=1)


@pytest.mark.parametrize("size", [2, 3, 7])
@given(data=st.data())
def test_a_bias_summed_over_neurons_is_not_pytorchs(size, data, network_of, differing):
    """With N = O the shapes agree and only the numbers tell; no other quantity is wrong."""
    case = data.draw(cases(Domain(depth=(1, 3), width=size, batch_size=size, **TELLING)))
    found = network_of(case, SummedOverNeurons).gradients(case.x, case.y)
    wrong = differing(found, autograd.reference(case), bound(case))
    assert set(wrong) == {f"bias {layer}" for layer in range(1, case.spec.depth + 1)}


@given(case=cases(Domain(depth=(1, 3), width=(2, 4), batch_size=(5, 6), **TELLING)))
def test_a_bias_summed_over_neurons_has_the_batchs_shape(case, network_of):
    """With N != O it is told by its shape: (N,) where (O,) is wanted."""
    found = network_of(case, SummedOverNeurons).gradients(case.x, case.y)
    wanted = autograd.reference(case)
    assert all(bias.shape == (case.spec.batch_size,) for bias in found.biases)
    assert all(bias.shape == (outputs,) for bias, outputs in zip(wanted.biases, case.spec.widths[1:], strict=True))


def after_one_step(case: Case, learning_rate: float, network_of) -> list[np.ndarray]:
    """The parameters after one step on the sum over the batch."""
    network = network_of(case)
    SGD(network, learning_rate=learning_rate).step_in_place(network.gradients(case.x, case.y))
    return [array for array in (*network.weights, *network.biases) if array is not None]


def after_a_step_for_each_sample(case: Case, learning_rate: float, network_of) -> list[np.ndarray]:
    """The parameters after N steps on one sample each, in their order."""
    network = network_of(case)
    optimizer = SGD(network, learning_rate=learning_rate)
    for n in range(case.spec.batch_size):
        alone = case.sample(n)
        optimizer.step_in_place(network.gradients(alone.x, alone.y))
    return [array for array in (*network.weights, *network.biases) if array is not None]


def apart(case: Case, learning_rate: float, network_of) -> float:
    """The largest difference that the two ways to train make in any parameter."""
    pairs = zip(
        after_one_step(case, learning_rate, network_of),
        after_a_step_for_each_sample(case, learning_rate, network_of),
        strict=True,
    )
    return max(np.abs(one - two).max() for one, two in pairs)


def test_one_step_on_the_batch_is_not_a_step_for_each_sample(network_of):
    """w = 1, x = 1 and y = 0 twice, learning rate 1/2: on the sum w - 1/2 (1 + 1) = 0; one by one 1/2, then 1/4."""
    case = build_case(NetworkSpec.parse("1-1,identity,half_squared_error,sum,n2,f64,ones,s0,bias=0"))
    case = replace(case, y=np.zeros((2, 1)))
    assert after_one_step(case, 0.5, network_of) == [np.array([[0.0]])]
    assert after_a_step_for_each_sample(case, 0.5, network_of) == [np.array([[0.25]])]


@given(case=cases(LINEAR))
def test_two_steps_differ_from_one_by_the_square_of_the_learning_rate(case, network_of):
    """A linear layer and two samples, in exact arithmetic: half the learning rate, exactly a quarter the difference."""
    assert apart(case, 2.0**-4, network_of) == 4 * apart(case, 2.0**-5, network_of)


@given(case=cases(Domain(depth=(1, 3), width=(1, 4), batch_size=(2, 6), **TELLING)))
def test_steps_for_each_sample_are_the_batchs_step_to_first_order(case, network_of):
    """They differ, and the difference falls with the square of the learning rate: 4-fold, not 2-fold, at its half."""
    wide, narrow = apart(case, 2.0**-13, network_of), apart(case, 2.0**-14, network_of)
    assert wide > 0
    assert np.rint(np.log2(wide / narrow)) == 2

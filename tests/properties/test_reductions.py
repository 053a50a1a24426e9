"""Property 4. Do sum, mean, batchmean and none differ by exactly what the reduction divides by?"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backproof.cases import ACTIVATIONS, LOSSES, Case, Domain, Gradients
from backproof.cases.strategies import cases
from backproof.scratch import SGD
from backproof.truth import autograd
from backproof.truth.derived_bounds import StepOptions, steps_bound
from backproof.truth.divisors import divisor
from backproof.truth.rounding import bound

ROWWISE = {name for name, entry in ACTIVATIONS.items() if entry.rowwise}
# More samples than outputs: N, O, N O and 1 all differ. hardsigmoid: its slope in PyTorch is wrong in the eighth digit.
SHAPES = {"depth": (1, 3), "width": (1, 5), "output_width": (2, 4), "batch_size": (5, 9), "dtypes": "float64"}
NAMES = {
    "activations": set(ACTIVATIONS) - ROWWISE - {"hardsigmoid"},
    "output_activations": set(ACTIVATIONS) - {"hardsigmoid"},
}
# Every product, sum and quotient of these is exact: small whole numbers, and powers of two to divide by.
EXACT = {
    "depth": (1, 2),
    "width": (1, 4),
    "activations": {"identity", "relu", "hardtanh=-1+1"},
    "losses": {"mse", "l1", "half_squared_error", "linear", "hinge_embedding", "huber=1"},
    "dtypes": "float64",
    "values": "integers",
}

# The losses share the examples of several properties.
shared_among_losses = settings(max_examples=max(10, 8 * settings().max_examples // len(LOSSES)))


def under(case: Case, reduction: str) -> Case:
    """The same numbers under another reduction; "none" weighs every loss with 1."""
    upstream = np.ones_like(autograd.losses(case)) if reduction == "none" else None
    return replace(case, spec=replace(case.spec, reduction=reduction), upstream=upstream)


def scaled(gradients: Gradients, factor: float) -> Gradients:
    """Every entry times the factor."""
    return Gradients(
        loss=np.asarray(factor * gradients.loss),
        weights=tuple(factor * weight for weight in gradients.weights),
        biases=tuple(None if bias is None else factor * bias for bias in gradients.biases),
        inputs=factor * gradients.inputs,
        deltas=tuple(factor * delta for delta in gradients.deltas),
    )


def added(one: Gradients, two: Gradients) -> Gradients:
    """The entries of both, added."""
    return Gradients(
        loss=one.loss + two.loss,
        weights=tuple(map(np.add, one.weights, two.weights)),
        biases=tuple(None if b is None else b + c for b, c in zip(one.biases, two.biases, strict=True)),
        inputs=one.inputs + two.inputs,
        deltas=tuple(map(np.add, one.deltas, two.deltas)),
    )


@pytest.mark.parametrize("loss", LOSSES)
@shared_among_losses
@given(data=st.data())
def test_mean_and_batchmean_times_their_divisor_are_the_sum(loss, data, network_of, differing):
    """Loss and every gradient, ours and PyTorch's, for every loss under all its parameters, with N != O."""
    case = data.draw(cases(Domain(**SHAPES, **NAMES, losses=loss, reductions="sum")))
    summed, allowed = autograd.reference(case), bound(case)
    for reduction in ("mean", "batchmean"):
        reduced = under(case, reduction)
        by = divisor(reduced)
        most = added(scaled(bound(reduced), by), allowed)
        for found in (network_of(reduced).gradients(case.x, case.y), autograd.reference(reduced)):
            assert not differing(scaled(found, by), summed, most)


@pytest.mark.parametrize("loss", LOSSES)
@shared_among_losses
@given(data=st.data())
def test_none_weighted_with_ones_is_the_sum(loss, data, network_of, differing):
    """The unreduced losses add up to C, and their gradient under an upstream of ones is that of C."""
    case = data.draw(cases(Domain(**SHAPES, **NAMES, losses=loss, reductions="sum")))
    unreduced = under(case, "none")
    found = network_of(unreduced).gradients(case.x, case.y)
    assert found.loss.shape == ((len(case.x),) if LOSSES[loss].per_sample else case.x.shape[:1] + case.y.shape[1:])
    total = replace(found, loss=np.asarray(found.loss.sum()))
    assert not differing(total, autograd.reference(case), bound(case))


@given(data=st.data())
def test_the_divisor_is_exact(data, network_of, differing):
    """In exact arithmetic mean and batchmean times the divisor are the sum, bit for bit, and nothing else would be."""
    samples, outputs = data.draw(st.sampled_from([(2, 4), (4, 2), (8, 2), (4, 8), (8, 1)]), label="N, O")
    case = data.draw(cases(Domain(**EXACT, batch_size=samples, output_width=outputs, reductions="sum")))
    summed = autograd.reference(case)
    nothing = scaled(summed, 0.0)
    assert not differing(network_of(case).gradients(case.x, case.y), summed, nothing)
    for reduction in ("mean", "batchmean"):
        reduced = under(case, reduction)
        for found in (network_of(reduced).gradients(case.x, case.y), autograd.reference(reduced)):
            assert not differing(scaled(found, divisor(reduced)), summed, nothing)
            other = samples if divisor(reduced) != samples else outputs * samples * 2
            if summed.loss != 0.0:
                assert "loss" in differing(scaled(found, other), summed, nothing)


def step(network_of, case: Case, learning_rate: float) -> list[np.ndarray]:
    """The parameters after one step of our SGD."""
    network = network_of(case)
    SGD(network, learning_rate=learning_rate).step_in_place(network.gradients(case.x, case.y))
    return [array for array in (*network.weights, *network.biases) if array is not None]


@given(data=st.data())
def test_the_learning_rate_absorbs_the_divisor_exactly(data, network_of):
    """alpha under mean and alpha/divisor under sum take the same step: bit for bit, in exact arithmetic."""
    samples, outputs = data.draw(st.sampled_from([(2, 4), (4, 2), (8, 2), (4, 8), (8, 1)]), label="N, O")
    case = data.draw(cases(Domain(**EXACT, batch_size=samples, output_width=outputs, reductions="sum")))
    for reduction in ("mean", "batchmean"):
        reduced = under(case, reduction)
        one, two = step(network_of, reduced, 0.5), step(network_of, case, 0.5 / divisor(reduced))
        assert all(map(np.array_equal, one, two))


@pytest.mark.parametrize("loss", LOSSES)
@shared_among_losses
@given(data=st.data())
def test_the_learning_rate_absorbs_the_divisor_for_every_loss(loss, data, network_of, beyond):
    """The same for any loss, within the rounding of a step; both steps are PyTorch's too."""
    case = data.draw(cases(Domain(**SHAPES, **NAMES, losses=loss, reductions="sum")))
    reduced = under(case, "mean")
    rate = 2.0**-6
    # divisor * 2^-6 is exact where the divisor is whole; a weighted mean's is rounded once.
    wide, narrow = rate * divisor(reduced), rate
    errors = [
        steps_bound(reduced, 1, StepOptions(lr=wide)),
        steps_bound(case, 1, StepOptions(lr=narrow)),
    ]
    most = [
        sum(getattr(layers[at], name) for layers in errors)
        for name in ("weight_error", "bias_error")
        for at in range(case.spec.depth)
        if name == "weight_error" or case.biases[at] is not None
    ]
    before = [array for array in (*case.weights, *case.biases) if array is not None]
    one, two = step(network_of, reduced, wide), step(network_of, case, narrow)
    for first, second, start, error in zip(one, two, before, most, strict=True):
        assert not beyond(first, second, error + np.finfo(np.float64).eps * np.abs(first - start)).any()
    theirs = autograd.sgd_steps(reduced, 1, lr=wide)
    flat = [array for array in (*theirs[0], *theirs[1]) if array is not None]
    assert not any(beyond(*three).any() for three in zip(one, flat, most, strict=True))

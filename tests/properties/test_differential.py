"""Property 6. Which derivatives depend on b, and is the total differential the gradient along a direction?"""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given

from backproof.cases import ACTIVATIONS, Domain, draw_direction
from backproof.cases.strategies import cases
from backproof.truth import autograd
from backproof.truth.derived_bounds import differential_bound
from backproof.truth.rounding import bound

ROWWISE = {name for name, entry in ACTIVATIONS.items() if entry.rowwise}
# hardsigmoid: PyTorch's float64 slope of it is wrong in the eighth digit.
NAMES = {
    "activations": set(ACTIVATIONS) - ROWWISE - {"hardsigmoid"},
    "output_activations": set(ACTIVATIONS) - {"hardsigmoid"},
}
EVERYTHING = Domain(**NAMES, dtypes="float64", penalties="mixed")
# With identity and `linear`, the unreduced loss of a sample is sum_o y_o z_o: z itself, seen through y.
PREACTIVATION = Domain(depth=1, activations="identity", losses="linear", reductions="none", biases="always")
WHOLE = Domain(
    depth=1,
    activations="identity",
    losses="half_squared_error",
    reductions="sum",
    dtypes="float64",
    biases="always",
    values="integers",
)


@given(case=cases(PREACTIVATION))
def test_dz_dw_does_not_depend_on_the_bias(case, network_of):
    """dz/dw_jk = a_k whatever b is: the change of z along dW is the same bits with another b, in PyTorch too."""
    direction = draw_direction(case)
    along_weights = replace(
        direction,
        biases=tuple(np.zeros_like(bias) for bias in direction.biases),
        inputs=np.zeros_like(direction.inputs),
    )
    shifted = replace(case, biases=tuple(3 * bias + 1 for bias in case.biases))
    here, there = autograd.jvp(case, along_weights), autograd.jvp(shifted, along_weights)
    assert np.array_equal(here, there)
    ours = [
        network_of(each).differential(each.x, each.y, along_weights.weights, [None], None) for each in (case, shifted)
    ]
    assert np.array_equal(*ours)
    assert not np.array_equal(autograd.losses(case), autograd.losses(shifted))


@given(case=cases(WHOLE))
def test_dC_dw_depends_on_the_bias(case, network_of):
    """C = 1/2 |z - y|^2: with b + 1, every delta is greater by 1, and dC/dw_jk by the sum of a_k over the batch."""
    case = replace(case, x=np.abs(case.x) + 1)
    shifted = replace(case, biases=tuple(bias + 1 for bias in case.biases))
    for found, moved in (
        (autograd.reference(case), autograd.reference(shifted)),
        (network_of(case).gradients(case.x, case.y), network_of(shifted).gradients(case.x, case.y)),
    ):
        assert np.array_equal(moved.deltas[0], found.deltas[0] + 1)
        assert np.array_equal(moved.weights[0], found.weights[0] + case.x.sum(axis=0))
        assert not np.array_equal(moved.weights[0], found.weights[0])


@given(case=cases(EVERYTHING))
def test_differential_equals_pytorchs_jvp(case, network_of, beyond):
    """Forward mode, dz = dW a + W da + db from layer to layer, against torch.func.jvp; a scalar, or one per loss."""
    direction = draw_direction(case)
    found = network_of(case).differential(case.x, case.y, direction.weights, direction.biases, direction.inputs)
    wanted = autograd.jvp(case, direction)
    assert found.shape == wanted.shape
    assert not beyond(found, wanted, differential_bound(case, direction)).any()


@given(case=cases(EVERYTHING))
def test_differential_is_the_gradient_along_the_direction(case, network_of, beyond):
    """dC = <dC/dW, dW> + <dC/db, db> + <dC/dx, dx>: forward and reverse mode agree, without PyTorch."""
    direction = draw_direction(case)
    network = network_of(case)
    change = network.differential(case.x, case.y, direction.weights, direction.biases, direction.inputs)
    gradients, allowed = network.gradients(case.x, case.y), bound(case)
    along = (*direction.weights, *direction.biases, direction.inputs)
    slopes = (*gradients.weights, *gradients.biases, gradients.inputs)
    errors = (*allowed.weights, *allowed.biases, allowed.inputs)
    most = differential_bound(case, direction)
    terms = np.atleast_1d(change if case.upstream is None else change * case.upstream).ravel().tolist()
    if case.upstream is not None:
        most = (most * np.abs(case.upstream)).sum()
    products, reach = [], 0.0
    for slope, tangent, error in zip(slopes, along, errors, strict=True):
        if slope is not None:
            products += (slope * tangent).ravel().tolist()
            reach += float((error * np.abs(tangent)).sum())
    # The products of both sides are rounded, once each; fsum adds without rounding.
    rounding = np.finfo(np.float64).eps * (math.fsum(map(abs, products)) + math.fsum(map(abs, terms)))
    assert not beyond(math.fsum(terms), math.fsum(products), most + reach + rounding).any()

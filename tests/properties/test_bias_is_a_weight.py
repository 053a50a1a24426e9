"""Property 5. Is a bias a weight whose input is always one?"""

from dataclasses import replace

import numpy as np
from hypothesis import given

from backproof.cases import Case, Domain
from backproof.cases.strategies import cases
from backproof.truth.autograd import reference
from backproof.truth.rounding import bound

# phi(1) = 1, so that a one stays a one from layer to layer.
KEEPING_ONE = {"identity", "relu", "leaky_relu", "elu", "celu", "relu6", "hardtanh=-1+1", "hardtanh=-0.5+2"}
NETWORKS = Domain(depth=(1, 5), width=(1, 6), batch_size=(1, 8), activations=KEEPING_ONE, biases="always")


# Slopes of 0 and 1 alone, so that whole numbers stay whole.
WHOLE = Domain(
    depth=(1, 2),
    width=(1, 6),
    batch_size=(1, 8),
    activations={"identity", "relu", "relu6", "hardtanh=-1+1"},
    losses={"half_squared_error", "linear", "l1"},
    reductions="sum",
    dtypes="float64",
    biases="always",
    values="integers",
)


def with_ones(case: Case) -> Case:
    """The same network without a bias: x has a column of ones, each W the column b, and hidden layers keep the one.

    [a, 1] [[W, b], [0, 1]]^T = [a W^T + b, 1]
    """
    spec, dtype = case.spec, case.x.dtype
    weights = []
    for layer, (weight, bias) in enumerate(zip(case.weights, case.biases, strict=True), 1):
        wide = np.column_stack([weight, bias])
        if layer < spec.depth:
            wide = np.vstack([wide, np.eye(1, weight.shape[1] + 1, weight.shape[1], dtype=dtype)])
        weights.append(wide)
    widths = (*[width + 1 for width in spec.widths[:-1]], spec.widths[-1])
    return replace(
        case,
        spec=replace(spec, widths=widths, biases=(False,) * spec.depth),
        weights=tuple(weights),
        biases=(None,) * spec.depth,
        x=np.column_stack([case.x, np.ones(len(case.x), dtype=dtype)]),
    )


@given(case=cases(NETWORKS))
def test_bias_gradient_is_the_weight_gradient_of_a_constant_one(case, network_of, beyond):
    """In every layer, the last column of dC/d[W, b] is dC/db and the rest is dC/dW, in ours and in PyTorch."""
    wide = with_ones(case)
    allowed, wide_allowed = bound(case), bound(wide)
    separate = network_of(case).gradients(case.x, case.y)
    for found in (network_of(wide).gradients(wide.x, wide.y), reference(wide)):
        assert not beyond(found.loss, separate.loss, allowed.loss + wide_allowed.loss).any()
        for layer, (outputs, inputs) in enumerate(weight.shape for weight in case.weights):
            got, most = found.weights[layer][:outputs], wide_allowed.weights[layer][:outputs]
            assert not beyond(got[:, inputs], separate.biases[layer], most[:, inputs] + allowed.biases[layer]).any()
            assert not beyond(got[:, :inputs], separate.weights[layer], most[:, :inputs] + allowed.weights[layer]).any()


@given(case=cases(WHOLE))
def test_bias_gradient_is_exactly_that_of_a_constant_one(case, network_of):
    """In whole numbers, bit for bit."""
    wide = with_ones(case)
    separate, found = network_of(case).gradients(case.x, case.y), network_of(wide).gradients(wide.x, wide.y)
    for layer, (outputs, inputs) in enumerate(weight.shape for weight in case.weights):
        assert np.array_equal(found.weights[layer][:outputs, inputs], separate.biases[layer])
        assert np.array_equal(reference(wide).weights[layer][:outputs, inputs], separate.biases[layer])


@given(case=cases(NETWORKS))
def test_a_column_of_ones_stays_ones(case, network_of):
    """The construction does what it says: the outputs are those of the network with biases, to rounding."""
    wide = with_ones(case)
    network = network_of(wide)
    layers = network.backprop.forward(wide.x, network.weights, network.biases, network.activations)
    assert all((layer.inputs[:, -1] == 1).all() for layer in layers)

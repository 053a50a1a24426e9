"""Property 2. Is each of BP1 to BP4 right by itself, per sample and per neuron?"""

import math

import numpy as np
from hypothesis import given

from backproof.cases import ACTIVATIONS, Domain
from backproof.cases.strategies import cases
from backproof.truth import autograd
from backproof.truth.derived_bounds import per_sample_bound
from backproof.truth.rounding import bound

ROWWISE = {name for name, entry in ACTIVATIONS.items() if entry.rowwise}
# hardsigmoid: PyTorch's float64 slope of it is wrong in the eighth digit.
SETTINGS = {
    "activations": set(ACTIVATIONS) - ROWWISE - {"hardsigmoid"},
    "output_activations": set(ACTIVATIONS) - {"hardsigmoid"},
}
# What can be written with Python's math module in a line.
SCALAR = Domain(
    depth=(1, 4),
    width=(1, 5),
    batch_size=(1, 5),
    activations={"identity", "sigmoid", "tanh"},
    losses={"half_squared_error", "mse", "linear"},
    reductions={"sum", "mean", "batchmean"},
    dtypes="float64",
)


@given(case=cases(Domain(**SETTINGS, depth=1, dtypes="float64")))
def test_bp1_output_delta_is_pytorchs_gradient_by_z(case, network_of, beyond):
    """delta^L = dC/da phi'(z): one layer, so that nothing else can be the cause."""
    (delta,) = network_of(case).deltas(case.x, case.y)
    assert not beyond(delta, autograd.reference(case).deltas[0], bound(case).deltas[0]).any()


@given(case=cases(Domain(**SETTINGS, depth=(2, 6), dtypes="float64")))
def test_bp2_hidden_deltas_are_pytorchs_gradients_by_z(case, network_of, beyond):
    """delta^l = (delta^{l+1} W^{l+1}) phi'(z), in every hidden layer."""
    deltas = network_of(case).deltas(case.x, case.y)
    wanted, allowed = autograd.reference(case).deltas, bound(case).deltas
    assert not any(beyond(*three).any() for three in zip(deltas, wanted, allowed, strict=True))


@given(case=cases(Domain(**SETTINGS, dtypes="float64")))
def test_bp3_and_bp4_per_sample_gradients_are_those_of_torch_func(case, network_of, differing):
    """Each sample's share of C, dC/db, dC/dW, dC/dx and delta equals PyTorch's vmap(grad)."""
    found = network_of(case).per_sample_gradients(case.x, case.y)
    assert not differing(found, autograd.per_sample(case), per_sample_bound(case))


@given(case=cases(Domain(**SETTINGS)))
def test_bp3_per_sample_bias_gradient_is_the_delta(case, network_of):
    """dC_n/db = delta_n, bit for bit, in PyTorch as in ours: nothing is added, nothing is rounded."""
    for samples in (autograd.per_sample(case), network_of(case).per_sample_gradients(case.x, case.y)):
        for bias, delta in zip(samples.biases, samples.deltas, strict=True):
            assert bias is None or np.array_equal(bias, delta)


@given(case=cases(Domain(**SETTINGS)))
def test_bp4_per_sample_weight_gradient_is_delta_times_activation(case, network_of):
    """dC_n/dw_jk = delta_j a_k, bit for bit: one product, rounded once. PyTorch's is seen in layer 1, where a is x."""
    theirs = autograd.per_sample(case)
    x = case.x.astype(np.float64)
    assert np.array_equal(theirs.weights[0], np.einsum("no,ni->noi", theirs.deltas[0], x))
    network = network_of(case)
    ours = network.per_sample_gradients(case.x, case.y)
    inputs = case.x
    for layer, (weights, delta) in enumerate(zip(ours.weights, ours.deltas, strict=True)):
        assert np.array_equal(weights, np.einsum("no,ni->noi", delta, inputs))
        inputs = network.backprop.forward(case.x, network.weights, network.biases, network.activations)[layer].a


VALUE = {"identity": lambda z: z, "sigmoid": lambda z: 1 / (1 + math.exp(-z)), "tanh": math.tanh}
SLOPE = {
    "identity": lambda z: 1.0,
    "sigmoid": lambda z: VALUE["sigmoid"](z) * (1 - VALUE["sigmoid"](z)),
    "tanh": lambda z: 1 - math.tanh(z) ** 2,
}
LOSS_SLOPE = {
    "half_squared_error": lambda a, y: a - y,
    "mse": lambda a, y: 2 * (a - y),
    "linear": lambda a, y: y,
}


def neuron_by_neuron(case):
    """Deltas and gradients summed over the batch by the scalar formulas, one number at a time."""
    spec = case.spec
    weights = [weight.tolist() for weight in case.weights]
    biases = [[0.0] * len(w) if b is None else b.tolist() for w, b in zip(weights, case.biases, strict=True)]
    names = [formula.name for formula in spec.activations]
    divisor = {"sum": 1, "batchmean": spec.batch_size, "mean": spec.batch_size}[spec.reduction]
    if spec.loss.name == "mse" and spec.reduction == "mean":
        divisor *= spec.outputs
    found = {
        "weights": [[[0.0] * len(row) for row in weight] for weight in weights],
        "biases": [[0.0] * len(bias) for bias in biases],
        "deltas": [[] for _ in weights],
        "inputs": [],
    }
    for x, y in zip(case.x.tolist(), case.y.tolist(), strict=True):
        activations, preactivations = [x], []
        for weight, bias, name in zip(weights, biases, names, strict=True):
            z = []
            for j in range(len(weight)):
                total = bias[j]
                for k in range(len(weight[j])):
                    total += weight[j][k] * activations[-1][k]
                z.append(total)
            preactivations.append(z)
            activations.append([VALUE[name](number) for number in z])
        slope = LOSS_SLOPE[spec.loss.name]
        upstream = [slope(a, target) / divisor for a, target in zip(activations[-1], y, strict=True)]
        for layer in reversed(range(spec.depth)):
            weight = weights[layer]
            # BP1 in the last layer, BP2 in the others: delta_j = (dC/da_j) phi'(z_j)
            delta = [upstream[j] * SLOPE[names[layer]](preactivations[layer][j]) for j in range(len(weight))]
            for j in range(len(weight)):
                found["biases"][layer][j] += delta[j]  # BP3
                for k in range(len(weight[j])):
                    found["weights"][layer][j][k] += activations[layer][k] * delta[j]  # BP4
            found["deltas"][layer].append(delta)
            # dC/da_k = sum over j of w_jk delta_j: what neuron k of the layer below receives
            upstream = [sum(weight[j][k] * delta[j] for j in range(len(weight))) for k in range(len(weight[0]))]
        found["inputs"].append(upstream)
    return found


@given(case=cases(SCALAR))
def test_scalar_formulas_per_neuron_equal_the_matrix_form(case, network_of, beyond):
    """The four equations as loops over samples and neurons give what the matrix products give, and PyTorch."""
    scalars, allowed = neuron_by_neuron(case), bound(case, forms="textbook")
    for matrices in (network_of(case).gradients(case.x, case.y), autograd.reference(case)):
        for layer in range(case.spec.depth):
            for name in ("weights", "deltas", "biases"):
                matrix = getattr(matrices, name)[layer]
                if matrix is not None:
                    loops = np.array(scalars[name][layer])
                    assert not beyond(loops, matrix, getattr(allowed, name)[layer]).any()
        assert not beyond(np.array(scalars["inputs"]), matrices.inputs, allowed.inputs).any()

"""Property 9. What must not change the gradients: the batch's order, its layout, a second call; and what must."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import ACTIVATIONS, Array, Case, Domain
from backproof.cases.strategies import cases
from backproof.truth.autograd import reference
from backproof.truth.rounding import bound

ROWWISE = {name for name, entry in ACTIVATIONS.items() if entry.rowwise}
# hardsigmoid: PyTorch's float64 slope of it is wrong in the eighth digit.
NAMES = {
    "activations": set(ACTIVATIONS) - ROWWISE - {"hardsigmoid"},
    "output_activations": set(ACTIVATIONS) - {"hardsigmoid"},
}
EVERYTHING = Domain(**NAMES, dtypes="float64", penalties="mixed")


@given(data=st.data())
def test_the_order_of_the_batch_does_not_matter(data, network_of, differing):
    """Samples permuted: the same loss and parameters' gradients; dC/dx and deltas go with their samples."""
    case = data.draw(cases(EVERYTHING))
    order = data.draw(st.permutations(range(case.spec.batch_size)), label="order")
    permuted = case.rows(order)
    for found in (network_of(permuted).gradients(permuted.x, permuted.y), reference(permuted)):
        back = np.argsort(order)
        restored = replace(
            found,
            loss=found.loss if case.upstream is None else found.loss[back],
            inputs=found.inputs[back],
            deltas=tuple(delta[back] for delta in found.deltas),
        )
        assert not differing(restored, reference(case), bound(case))


def twice(case: Case) -> Case:
    """The same batch, stated twice."""
    return case.rows([*range(case.spec.batch_size)] * 2)


@given(case=cases(Domain(**NAMES, dtypes="float64", reductions="sum")))
def test_a_batch_stated_twice_doubles_the_sum(case, network_of, beyond):
    """Twice the loss, twice every parameter's gradient: exactly a sum, not a mean in disguise."""
    double = twice(case)
    once, allowed = reference(case), bound(double)
    for found in (network_of(double).gradients(double.x, double.y), reference(double)):
        assert not beyond(found.loss, 2 * once.loss, allowed.loss + 2 * bound(case).loss).any()
        for got, wanted, most, own in zip(
            found.weights, once.weights, allowed.weights, bound(case).weights, strict=True
        ):
            assert not beyond(got, 2 * wanted, most + 2 * own).any()


@given(case=cases(Domain(**NAMES, dtypes="float64", reductions=("mean", "batchmean"))))
def test_a_batch_stated_twice_has_the_same_mean(case, network_of, beyond):
    """The divisor doubles too."""
    double = twice(case)
    once, allowed, own = reference(case), bound(double), bound(case)
    for found in (network_of(double).gradients(double.x, double.y), reference(double)):
        assert not beyond(found.loss, once.loss, allowed.loss + own.loss).any()
        for got, wanted, most, room in zip(found.weights, once.weights, allowed.weights, own.weights, strict=True):
            assert not beyond(got, wanted, most + room).any()


@given(case=cases(Domain(**NAMES)))
def test_the_layout_in_memory_does_not_matter(case, network_of, differing):
    """Column-major arrays, and views with gaps between their numbers, in place of rows one after the other."""

    def with_gaps(array: Array) -> Array:
        wide = np.full([2 * size for size in array.shape], np.nan if array.dtype.kind == "f" else -7, array.dtype)
        every_other = (slice(None, None, 2),) * array.ndim
        wide[every_other] = array
        return wide[every_other]

    for layout in (np.asfortranarray, with_gaps):
        network = network_of(replace(case, weights=tuple(map(layout, case.weights))))
        found = network.gradients(layout(case.x), layout(case.y))
        assert not differing(found, reference(case), bound(case))


def in_columns(case: Case) -> tuple[list[Array], list[Array], Array]:
    """Backpropagation as most textbooks write it, a sample a column: dW, db and dC/dx (I, N).

    z = W a + b,    delta^l = (W^{l+1})^T delta^{l+1} * phi'(z),    dW = delta a^T,    db = delta 1
    """
    columns, preactivations = [case.x.T], []
    ones = np.ones((1, len(case.x)))
    for weight, bias in zip(case.weights, case.biases, strict=True):
        preactivations.append(weight @ columns[-1] + bias[:, None] @ ones)
        columns.append(np.tanh(preactivations[-1]))
    upstream = columns[-1] - case.y.T
    weights, biases = [], []
    for layer in reversed(range(case.spec.depth)):
        delta = upstream * (1 - columns[layer + 1] ** 2)
        weights.insert(0, delta @ columns[layer].T)
        biases.insert(0, (delta @ ones.T)[:, 0])
        upstream = case.weights[layer].T @ delta
    return weights, biases, upstream


@given(
    case=cases(
        Domain(activations="tanh", losses="half_squared_error", reductions="sum", dtypes="float64", biases="always")
    )
)
def test_samples_in_columns_give_the_same_gradients(case, network_of, beyond):
    """The transposed convention is the same mathematics: dW is not transposed by it, dC/dx is."""
    weights, biases, inputs = in_columns(case)
    allowed = bound(case, forms="textbook")
    for found in (network_of(case).gradients(case.x, case.y), reference(case)):
        for layer in range(case.spec.depth):
            assert not beyond(weights[layer], found.weights[layer], allowed.weights[layer]).any()
            assert not beyond(biases[layer], found.biases[layer], allowed.biases[layer]).any()
        assert not beyond(inputs.T, found.inputs, allowed.inputs).any()


@given(case=cases(Domain(**NAMES, penalties="mixed")))
def test_a_second_call_gives_the_same_bits_and_leaves_the_first_alone(case, network_of, differing):
    """No state is kept between calls, no result shares its memory with the next, and no input is written to."""
    network = network_of(case)
    x, y = case.x.copy(), case.y.copy()
    first = network.gradients(x, y)
    kept = replace(
        first,
        loss=first.loss.copy(),
        weights=tuple(weight.copy() for weight in first.weights),
        biases=tuple(None if bias is None else bias.copy() for bias in first.biases),
        inputs=first.inputs.copy(),
        deltas=tuple(delta.copy() for delta in first.deltas),
    )
    second = network.gradients(x, y)
    nothing = replace(
        kept,
        loss=np.zeros_like(kept.loss),
        weights=tuple(map(np.zeros_like, kept.weights)),
        biases=tuple(None if bias is None else np.zeros_like(bias) for bias in kept.biases),
        inputs=np.zeros_like(kept.inputs),
        deltas=tuple(map(np.zeros_like, kept.deltas)),
    )
    assert not differing(second, kept, nothing)
    assert not differing(first, kept, nothing)
    assert x.tobytes() == case.x.tobytes()
    assert y.tobytes() == case.y.tobytes()
    assert all(map(np.array_equal, network.weights, case.weights))


@given(case=cases(Domain(**NAMES)))
def test_a_call_with_other_data_in_between_changes_nothing(case, network_of):
    """What another batch leaves behind reaches neither the results that were handed out nor the next ones."""

    def numbers(result):
        return [array.tobytes() for array in (*result.weights, *result.deltas, result.inputs, result.loss)]

    network = network_of(case)
    first = network.gradients(case.x, case.y)
    kept = numbers(first)
    network.gradients(case.x / 2, case.y)
    assert numbers(first) == kept
    assert numbers(network.gradients(case.x, case.y)) == kept

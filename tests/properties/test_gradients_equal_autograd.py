"""Property 1. Does the handwritten network compute what PyTorch's autograd computes, on random networks?"""

import numpy as np
from hypothesis import event, given

from backproof.cases import ACTIVATIONS, Domain, Gradients, build_case
from backproof.cases.sampling import sample_specs
from backproof.cases.strategies import cases
from backproof.truth import exact
from backproof.truth.autograd import reference
from backproof.truth.deviations import met
from backproof.truth.rounding import bound

ROWWISE = {name for name, entry in ACTIVATIONS.items() if entry.rowwise}
# PyTorch differentiates hardsigmoid in float64 with the float32 that is nearest to 1/6: see the last test.
FLOAT64 = Domain(
    dtypes="float64",
    activations=set(ACTIVATIONS) - ROWWISE - {"hardsigmoid"},
    output_activations=set(ACTIVATIONS) - {"hardsigmoid"},
    penalties="mixed",
)
FLOAT32 = Domain(dtypes="float32", penalties="mixed")
HARD_NUMBERS = Domain(penalties="mixed", values=("ones", "integers", "decimals", "saturated", "tiny", "sparse"))


def added(one: Gradients, two: Gradients) -> Gradients:
    """The entries of both, added."""
    return Gradients(
        loss=one.loss + two.loss,
        weights=tuple(map(np.add, one.weights, two.weights)),
        biases=tuple(None if b is None else b + c for b, c in zip(one.biases, two.biases, strict=True)),
        inputs=one.inputs + two.inputs,
        deltas=tuple(map(np.add, one.deltas, two.deltas)),
    )


@given(case=cases(FLOAT64))
def test_float64_gradients_equal_pytorchs(case, network_of, differing):
    """C, dC/dW, dC/db, dC/dx and deltas: any depth, width, batch, activation, loss, reduction and penalty."""
    assert not differing(network_of(case).gradients(case.x, case.y), reference(case), bound(case))


@given(case=cases(FLOAT32))
def test_float32_gradients_equal_pytorchs(case, network_of, differing):
    """The same in float32, held against PyTorch in float64 on the same float32 numbers."""
    found = network_of(case).gradients(case.x, case.y)
    assert found.loss.dtype == np.float32
    assert not differing(found, reference(case), bound(case))


@given(case=cases(HARD_NUMBERS))
def test_hard_numbers_equal_pytorchs_or_pytorch_is_wrong(case, network_of, differing):
    """At kinks, saturated, tiny, sparse: equal to PyTorch or, where a listed row of it errs, to exact arithmetic."""
    found, allowed = network_of(case).gradients(case.x, case.y), bound(case)
    if differing(found, reference(case), allowed):
        rows = [row.name for row in met(case)]
        event(f"PyTorch is wrong: {', '.join(rows)}")
        assert rows, "PyTorch errs in a way that no row of DEVIATIONS names"
        truth = exact.enclose(case, allowed)
        assert not differing(found, truth.middle, added(allowed, truth.radius))


def test_the_bound_is_small_enough_to_tell():
    """On the even sample the bound stays below a thousandth of the gradient: the tests above are not empty."""
    telling, all_of_them = 0, 0
    for spec in sample_specs(FLOAT64, seed=0, shard=0, count=200):
        case = build_case(spec)
        pairs = zip(bound(case).quantities(), reference(case).quantities(), strict=True)
        for (_, _, allowed), (_, _, wanted) in pairs:
            telling += bool(allowed.max() * 1000 <= np.abs(wanted).max())
            all_of_them += 1
    assert telling > all_of_them * 9 // 10


@given(case=cases(Domain(depth=1, activations="hardsigmoid", losses="linear", dtypes="float64", biases="always")))
def test_hardsigmoid_in_float64_is_pytorchs_but_for_its_sixth(case, network_of, beyond):
    """PyTorch's float64 slope is 6 float32(1/6) times the right one, 3e-8 too much; ours is exact arithmetic's."""
    found, allowed = network_of(case).gradients(case.x, case.y), bound(case)
    truth = exact.reference(case)
    excess = 6.0 * float(np.float32(1.0 / 6.0))
    assert not beyond(found.deltas[0], truth.deltas[0], allowed.deltas[0]).any()
    assert not beyond(reference(case).deltas[0], excess * truth.deltas[0], 2 * allowed.deltas[0]).any()

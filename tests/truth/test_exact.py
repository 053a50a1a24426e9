"""Is the arbiter sharp where it can be, honest where it cannot, and does PyTorch lie within its bound of the truth?"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flint import ctx
from hypothesis import given

from backproof.cases import Case, build_case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES, REDUCTIONS
from backproof.cases.domain import Domain
from backproof.cases.formula import Formula, accepts, variants
from backproof.cases.gradients import Gradients
from backproof.cases.spec import NetworkSpec
from backproof.cases.strategies import cases
from backproof.truth import autograd, exact
from backproof.truth.divisors import divisor
from backproof.truth.rounding import bound

UNIT = exact.FLOAT64_UNIT
SMALLEST = float(np.finfo(np.float64).smallest_subnormal)

# PyTorch's hardsigmoid, and bce and soft_margin far out, depart from their own forward pass: tests below show how.
ELEMENTWISE = tuple(name for name, entry in ACTIVATIONS.items() if not entry.rowwise and name != "hardsigmoid")
OUTPUTS = tuple(name for name in ACTIVATIONS if name != "hardsigmoid")
DECIDED = Domain(
    depth=(1, 3),
    width=(1, 4),
    batch_size=(1, 4),
    activations=ELEMENTWISE,
    output_activations=OUTPUTS,
    losses=tuple(name for name in LOSSES if name not in ("bce", "soft_margin")),
    penalties="mixed",
)


def case_of(text: str, **arrays: Any) -> Case:
    """The case with that id, some of its arrays replaced."""
    return replace(build_case(NetworkSpec.parse(text)), **arrays)


def single(activation: str, z: float, *, dtype: str = "f64", loss: str = "linear", y: float = 1.0) -> Case:
    """One neuron with one sample: z = 1 z, and by default C = a."""
    kind = np.float32 if dtype == "f32" else np.float64
    return case_of(
        f"1-1,{activation},{loss},sum,n1,{dtype},ones,s0,bias=0",
        weights=(np.ones((1, 1), dtype=kind),),
        x=np.full((1, 1), z, dtype=kind),
        y=np.full((1, 1), y, dtype=kind),
    )


def delta(found: Gradients, layer: int = 1) -> Any:
    """The delta of a layer."""
    assert found.deltas is not None
    return found.deltas[layer - 1]


def triples(left: exact.Enclosure, right: Gradients) -> Iterator[tuple[str, int | None, Any, Any, Any]]:
    """Quantity, layer, middle, radius, and the other's array."""
    for (quantity, layer, middle), (*_, radius), (*_, other) in zip(
        left.middle.quantities(), left.radius.quantities(), right.quantities(), strict=True
    ):
        assert middle.shape == radius.shape == np.shape(other), (quantity, layer)
        yield quantity, layer, middle, radius, other


def assert_within_bound(case: Case, found: exact.Enclosure, answer: Gradients) -> None:
    """Where the bound says anything, the answer differs from the middle by no more than it and the radius."""
    for (*_, bounds), (quantity, layer, middle, radius, own) in zip(
        bound(case).quantities(), triples(found, answer), strict=True
    ):
        decided = np.isfinite(bounds) & np.isfinite(middle)
        assert np.all(np.abs(middle - own)[decided] <= (radius + bounds)[decided]), (quantity, layer)


def assert_sharp(found: exact.Enclosure) -> None:
    """Every radius is at most that of two roundings."""
    for (quantity, layer, middle), (*_, radius) in zip(
        found.middle.quantities(), found.radius.quantities(), strict=True
    ):
        # A ball as wide as asked for, the rounding of its middle, and the rounding up of both.
        allowed = 2.0 * UNIT * (1.0 + 4.0 * UNIT) * np.abs(middle) + 3.0 * SMALLEST
        assert np.all(radius <= allowed), (quantity, layer)


@given(cases(DECIDED))
def test_torch_lies_within_its_bound_of_the_truth(case: Case) -> None:
    """float64 autograd differs from the middle by no more than the radius and the rounding bound of float64."""
    case64 = replace(case, spec=replace(case.spec, dtype="float64"))
    assert_within_bound(case64, exact.enclose(case64, bound(case64)), autograd.reference(case))


def test_hardsigmoid_of_torch_departs_by_its_float32_sixth() -> None:
    """In float64 PyTorch's backward uses float32(1/6), and the arbiter tells the two apart."""
    case = single("hardsigmoid", 0.5)
    sixth = float(np.float32(1) / np.float32(6))
    assert delta(autograd.reference(case)).item() == sixth
    assert delta(exact.enclose(case).middle).item() == 1 / 6
    assert abs(1 / 6 - sixth) > 1e7 * delta(exact.enclose(case).radius).item()


def test_bce_of_torch_departs_far_out_and_the_truth_does_not_saturate() -> None:
    """sigmoid(-200), y = 1: the loss is 200 and dC/dz = -1, where PyTorch clamps log p at -100."""
    case = single("sigmoid", -200.0, loss="bce")
    found = exact.enclose(case)
    assert found.middle.loss.item() == 200.0
    assert delta(found.middle).item() == -1.0
    assert autograd.reference(case).loss.item() == 100.0


def test_soft_margin_of_torch_overflows_where_the_truth_does_not() -> None:
    """y a = -1000: the loss is 1000, and PyTorch's is infinite."""
    case = single("identity", -1000.0, loss="soft_margin")
    assert exact.enclose(case).middle.loss.item() == 1000.0
    assert autograd.reference(case).loss.item() == math.inf


def combinations() -> Iterator[tuple[Formula, Formula]]:
    """Every activation with every loss that takes it, with their default parameters."""
    for activation in ACTIVATIONS:
        for loss in LOSSES:
            pair = variants(activation)[0], variants(loss)[0]
            if accepts(pair[1], pair[0]):
                yield pair


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_runs_with_every_loss(activation: str, reduction: str) -> None:
    """As hidden and as output layer: finite and sharp, in the shapes of PyTorch's and within the bound of them."""
    for own, loss in combinations():
        if own.name == activation:
            case = case_of(f"3-3-3,{activation},{loss.id},{reduction},n2,f64,normal,s1")
            found = exact.enclose(case)
            assert_sharp(found)
            assert all(np.all(np.isfinite(middle)) for *_, middle in found.middle.quantities())
            if activation != "hardsigmoid":
                assert_within_bound(case, found, autograd.reference(case))


@pytest.mark.parametrize("loss", [formula for name in LOSSES for formula in variants(name)], ids=lambda loss: loss.id)
def test_reductions_differ_by_their_divisor(loss: Formula) -> None:
    """mean and batchmean times what they divide by are the sum, N different from O; none, with factors of 1, is too."""
    activation = next(name for name in ACTIVATIONS if accepts(loss, variants(name)[0]))
    summed = case_of(f"2-3,{activation},{loss.id},sum,n5,f64,normal,s1")
    whole = exact.enclose(summed)
    for reduction in ("mean", "batchmean"):
        case = replace(summed, spec=replace(summed.spec, reduction=reduction))
        by = divisor(case)
        for *_, middle, radius, other in triples(exact.enclose(case), whole.middle):
            # Class weights are summed in float64 for the divisor, and the product is rounded: fewer than 8 roundings.
            assert np.all(np.abs(middle * by - other) <= 2.0 * (radius * by + 8.0 * UNIT * np.abs(other)) + SMALLEST)
    ones = np.ones(5 if LOSSES[loss.name].per_sample else (5, 3))
    unreduced = replace(summed, spec=replace(summed.spec, reduction="none"), upstream=ones)
    found = exact.enclose(unreduced)
    assert found.middle.loss.shape == ones.shape
    assert np.array_equal(found.middle.weights[0], whole.middle.weights[0])


def test_the_tolerance_decides_the_precision() -> None:
    """A deep network needs 256 bits by itself, and not where its bound asks for less."""
    spec = NetworkSpec.parse("-".join(["8"] * 41) + ",tanh,mse,mean,n2,f64,normal,s1")
    case = build_case(spec)
    tight = exact.enclose(case)
    loose = exact.enclose(case, bound(case))
    assert tight.bits > loose.bits
    assert_sharp(tight)
    for *_, middle, radius, other in triples(loose, tight.middle):
        assert np.all(np.abs(middle - other) <= radius + 2.0 * UNIT * np.abs(other) + SMALLEST)


def test_an_entry_without_a_tolerance_is_held_to_itself() -> None:
    """Quantities that the tolerance leaves out are enclosed as tightly as without one."""
    case = case_of("2-2,tanh,mse,mean,n2,f64,normal,s1")
    found = exact.enclose(case, replace(bound(case), inputs=None, deltas=None))
    assert_sharp(replace(found, middle=replace(found.middle), radius=found.radius))


def test_the_precision_of_others_is_left_alone() -> None:
    """flint's context is as it was, also after an answer that took several precisions."""
    before = ctx.prec
    exact.enclose(single("tanhshrink", 1e-30))
    assert ctx.prec == before


def cancelling(activation: str) -> Case:
    """Two equal hidden neurons tanh(x), one minus the other: z of the output is 0, and no ball says so."""
    return case_of(
        f"1-2-1,tanh-{activation},linear,sum,n1,f64,normal,s1",
        weights=(np.ones((2, 1)), np.array([[1.0, -1.0]])),
        biases=(np.zeros(2), np.zeros(1)),
        x=np.full((1, 1), 0.3),
        y=np.ones((1, 1)),
    )


def test_a_cancellation_stays_a_set_at_4096_bits() -> None:
    """relu at a z that is 0 for a reason: both slopes are possible, and the value is 0 to 4096 bits."""
    found = exact.enclose(cancelling("relu"))
    assert found.bits == exact.PRECISIONS[-1]
    middle, radius = delta(found.middle, 2).item(), delta(found.radius, 2).item()
    assert middle - radius <= 0.0
    assert middle + radius >= 1.0
    assert found.middle.loss.item() == 0.0
    assert found.radius.loss.item() <= 3 * SMALLEST


def test_a_cancellation_that_decides_nothing_is_settled() -> None:
    """tanh is smooth at 0, so its slope there is 1 at once; the loss itself is 0 as far as float64 can tell."""
    found = exact.enclose(cancelling("tanh"))
    assert delta(found.middle, 2).item() == 1.0
    assert found.radius.loss.item() <= 3 * SMALLEST
    assert exact.enclose(cancelling("tanh"), bound(cancelling("tanh"))).bits == exact.PRECISIONS[0]


@pytest.mark.parametrize(("kinks", "low", "high"), [("torch", 0.0, 0.0), ("any", 0.0, 1.0)])
def test_an_exact_kink_takes_torchs_slope_or_all(kinks: Any, low: float, high: float) -> None:
    """relu at 0: PyTorch's 0, or the set [0, 1]; either is settled at once, for the set is not a lack of precision."""
    found = exact.enclose(single("relu", 0.0), kinks=kinks)
    middle, radius = delta(found.middle).item(), delta(found.radius).item()
    assert middle - radius <= low <= high <= middle + radius
    assert radius <= 0.75 * (high - low)
    assert found.bits <= exact.PRECISIONS[1]


def test_a_penalty_at_zero_weight_has_a_kink() -> None:
    """l1 |w| at w = 0: 0 for PyTorch, [-l1, l1] for any, and nothing of it with l2 alone."""
    text = "1-1,identity,mse,mean,n1,f64,normal,s1,penalty="
    for penalty, width in (("0.5+0", 0.5), ("0+0.5", 0.0)):
        case = case_of(text + penalty, weights=(np.zeros((1, 1)),), x=np.zeros((1, 1)))
        assert exact.enclose(case).middle.weights[0].item() == 0.0
        found = exact.enclose(case, kinks="any")
        assert found.middle.weights[0].item() == 0.0
        assert width <= found.radius.weights[0].item() <= 1.5 * width


@pytest.mark.parametrize("beyond", [False, True])
def test_softplus_beyond_its_threshold_is_enclosed_as_a_set(beyond: bool) -> None:
    """The slope is between s(z) and 1 there, and no precision is wasted on it."""
    found = exact.enclose(single("softplus", 21.0 if beyond else 19.0))
    middle, radius = delta(found.middle).item(), delta(found.radius).item()
    smooth = 1 / (1 + math.exp(-21.0 if beyond else -19.0))
    assert (radius > 1e-10) == beyond
    assert abs(smooth - middle) <= radius + 4 * UNIT
    assert not beyond or middle + radius >= 1.0
    assert found.bits <= exact.PRECISIONS[1]


@pytest.mark.parametrize("activation", [name for name, entry in ACTIVATIONS.items() if not entry.rowwise])
@pytest.mark.parametrize(
    ("z", "dtype"),
    [(1e5, "f64"), (float(np.finfo(np.float32).max), "f32"), (float(np.finfo(np.float64).max), "f64")],
    ids=["1e5", "float32 max", "float64 max"],
)
def test_saturated_inputs_have_a_truth(activation: str, z: float, dtype: str) -> None:
    """Every activation at both ends of the range: finite, and as sharp as anywhere, but for softplus' set."""
    for side in (z, -z):
        found = exact.enclose(single(activation, side, dtype=dtype))
        for *_, middle in found.middle.quantities():
            # hardswish is z itself there, and nothing exceeds scale z.
            assert np.all(np.isfinite(middle)) or activation == "selu"
        if activation != "softplus" or side < 0:
            assert_sharp(found)


def test_a_truth_beyond_the_range_is_infinite_and_certain() -> None:
    """The square of 1e200 is beyond float64: middle inf, radius 0; the gradient is an ordinary number."""
    found = exact.enclose(single("identity", 1e200, loss="mse", y=0.0))
    assert found.middle.loss.item() == math.inf
    assert found.radius.loss.item() == 0.0
    assert delta(found.middle).item() == 2e200


def test_a_truth_beyond_float32_is_an_ordinary_float64() -> None:
    """A float32 candidate overflows at 1e30 squared; the truth is there to be seen."""
    found = exact.enclose(single("identity", 1e30, dtype="f32", loss="mse", y=0.0))
    assert found.middle.loss.item() == float(np.float32(1e30)) ** 2


def test_subnormal_truths_are_rounded_to_subnormals() -> None:
    """z = 2^-1074: silu's value z/2 lies between two float64, and the radius holds it."""
    found = exact.enclose(single("silu", SMALLEST))
    assert found.middle.loss.item() in (0.0, SMALLEST)
    assert 0.0 < found.radius.loss.item() <= 3 * SMALLEST
    assert delta(found.middle).item() == 0.5


def test_a_pole_has_no_truth() -> None:
    """log 0 for something that happens: NaN with an infinite radius, and at once."""
    case = single("hardsigmoid", -4.0, loss="bce")
    found = exact.enclose(case)
    assert math.isnan(found.middle.loss.item())
    assert found.radius.loss.item() == math.inf
    assert found.bits <= exact.PRECISIONS[1]


def test_a_mean_over_nothing_has_no_truth() -> None:
    """All targets ignored: 0/0, as PyTorch says, and 0 under sum."""
    for reduction, value in (("mean", math.nan), ("sum", 0.0)):
        case = case_of(f"1-2,log_softmax,nll=none+1,{reduction},n2,f64,normal,s1", y=np.array([1, 1]))
        assert np.array_equal(exact.enclose(case).middle.loss, value, equal_nan=True)
        assert np.array_equal(autograd.reference(case).loss, value, equal_nan=True)


def test_reference_is_the_middle() -> None:
    """The signature that all truths share."""
    case = case_of("3-4-2,gelu-softmax,categorical_cross_entropy,mean,n3,f32,normal,s1,bias=10")
    found = exact.reference(case)
    assert found.biases[1] is None
    for *_, middle, _, own in triples(exact.enclose(case), found):
        assert np.array_equal(middle, own)
        assert own.dtype == np.float64

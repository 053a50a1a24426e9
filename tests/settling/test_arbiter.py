"""The last resort: what no bound decides agrees where exact arithmetic shows that it is right, and not otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.candidates.builtin import Scratch, Torch
from backproof.cases import NetworkSpec, build_case
from backproof.comparison import compare
from backproof.examine import Examiner, ask
from backproof.judging.bounds import Bounds
from backproof.judging.doubts import CANCELLATION, KINK, SATURATION, entry, shows
from backproof.judging.verdicts import Verdict
from backproof.settling import arbiter
from backproof.settling.arbiter import TRUE, ZERO, arbitrate, uncancelled
from backproof.truth import autograd
from backproof.truth.deviations import DEVIATIONS

# The terms of the loss are 400 times its own size, and float32 might lose it among them.
CANCELS = "12-4-7-16,mish-celu=0.5-logsigmoid,kl_div=1,sum,n27,f32,normal,s93350897"
# sign(a - y) is the same for all outputs, which softmax takes off itself: the gradient is exactly 0.
VANISHES = "16-11-15-12-2-7,silu-mish-leaky_relu-softplus=1+4-softmax,l1,mean,n1,f64,normal,s85083870"
ABSOLUTE = "3-2,softmax,l1,batchmean,n2,f64,normal,s27028561"
# Textbook forms of hardsigmoid may be on the other side of its kink; PyTorch's float64 slope is float32's 1/6.
BESIDE = (
    "4-12-1-8-3-13-5,hardsigmoid-relu6-gelu=tanh-elu-leaky_relu-hardsigmoid,huber,batchmean,n28,f64,normal,"
    "s51402361,bias=000000"
)
# The same with an enclosure that is a few subnormal numbers wide.
NEARLY = "2-8-14-1-11-13,silu-sigmoid-hardtanh-hardshrink=1-log_softmax,l1,sum,n1,f32,normal,s71082145,bias=00000"


def case_of(text):
    """The case with that id."""
    return build_case(NetworkSpec.parse(text))


def undecided(text, candidate=None):
    """A case, the candidate's answer, what it is held to, and the checks of the comparison alone."""
    case = case_of(text)
    answer = ask(Scratch() if candidate is None else candidate, case)
    reference, bounds = autograd.reference(case), Bounds(case)
    return case, compare(case, answer, reference, bounds), answer, reference, bounds


@pytest.mark.parametrize(
    ("text", "candidate"),
    [
        *[(text, Scratch()) for text in (CANCELS, VANISHES, ABSOLUTE, BESIDE, NEARLY)],
        *[(text, Torch()) for text in (VANISHES, ABSOLUTE, NEARLY)],
    ],
)
def test_nothing_stays_undecided_that_is_right(text, candidate):
    """Every reason for which a bound says nothing in the normal filling; all quantities are decided in the end."""
    _, checks, *_ = undecided(text, candidate)
    reasons = {check.note for check in checks if check.verdict is Verdict.UNDECIDED}
    assert reasons
    assert reasons <= {CANCELLATION, SATURATION, KINK}
    verdicts = {check.verdict for check in Examiner(candidate).examine(case_of(text))}
    assert verdicts <= {Verdict.AGREE, Verdict.REFERENCE_WRONG}


def test_a_true_value_agrees_and_says_so():
    """The note tells what has decided; the exact value stands beside the candidate's."""
    settled = arbitrate(*undecided(CANCELS))
    loss = settled[0]
    assert (loss.quantity, loss.verdict, loss.note) == ("loss", Verdict.AGREE, TRUE)
    assert abs(loss.exact_value - loss.candidate_value) < loss.bound


@pytest.mark.parametrize("wrong", [0.0, -1.0, 1.0005, np.nan])
def test_a_wrong_value_within_the_bound_stays_undecided(wrong):
    """It cannot be accused, for rounding might have made it; it is not called right either."""
    case, checks, answer, reference, bounds = undecided(CANCELS)
    assert checks[0].verdict is Verdict.UNDECIDED
    spoilt = replace(answer, loss=np.float32(wrong) * answer.loss)
    assert arbitrate(case, checks, spoilt, reference, bounds)[0].verdict is Verdict.UNDECIDED


def test_what_cancels_to_zero_agrees_but_for_rounding_of_what_cancels():
    """Every delta is 0 in truth and some 1e-17 in practice; the products that cancel are a tenth and more."""
    case, checks, answer, reference, bounds = undecided(VANISHES)
    settled = arbitrate(case, checks, answer, reference, bounds)
    assert {check.note for check in settled if check.quantity == "delta"} == {ZERO}
    assert all(check.verdict is Verdict.AGREE for check in settled)
    largest = max(float(np.abs(delta).max()) for delta in answer.deltas)
    assert 0.0 < largest < min(size for (quantity, _), size in uncancelled(case).items() if quantity == "delta")


def test_more_than_rounding_beside_a_true_zero_does_not_agree():
    """Nothing but what the bound explains is dust."""
    case, checks, answer, reference, bounds = undecided(VANISHES)
    beyond = tuple(delta + 1e3 * limit for delta, limit in zip(answer.deltas, bounds.limit().deltas, strict=True))
    settled = arbitrate(case, checks, replace(answer, deltas=beyond), reference, bounds)
    assert {check.verdict for check in settled if check.quantity == "delta"} == {Verdict.UNDECIDED}


# What a softmax takes off beside a deep network.
DEEPLY = "9-2-13-11-6-2,softsign-threshold=0+0.5-relu-hardshrink-softmin,l1,sum,n3,f32,normal,s38705659"


@pytest.mark.parametrize("text", [DEEPLY])
def test_what_is_zero_in_fact_needs_no_small_bound(text):
    """The bound could hide what matters, were it there: the candidate's own numbers show that it is not."""
    case, checks, answer, reference, bounds = undecided(text)
    limits, sizes = bounds.limit("textbook"), uncancelled(case)
    keys = [(check.quantity, check.layer) for check in checks if check.verdict is Verdict.UNDECIDED]
    assert not all(shows(float(entry(limits, *key).max()), sizes[key], case.spec.dtype) for key in keys)
    settled = arbitrate(case, checks, answer, reference, bounds)
    assert {check.note for check in settled if check.verdict is Verdict.AGREE and check.exact_value == 0.0} == {ZERO}
    assert all(check.verdict is Verdict.AGREE for check in settled)


@pytest.mark.parametrize("text", [DEEPLY])
def test_a_share_of_what_should_cancel_is_no_zero(text):
    """What a softmax should have taken off, and of which 0.0005 is left, is no agreement on any way back."""
    case, _, answer, reference, bounds = undecided(text)
    sizes = uncancelled(case)

    def left(array, quantity, layer):
        spoilt = array.copy()
        spoilt.flat[0] += 0.0005 * sizes[quantity, layer]
        return spoilt

    spoilt = replace(
        answer,
        weights=tuple(left(array, "weight", at) for at, array in enumerate(answer.weights, 1)),
        deltas=tuple(left(array, "delta", at) for at, array in enumerate(answer.deltas, 1)),
        inputs=left(answer.inputs, "input", None),
    )
    settled = arbitrate(case, compare(case, spoilt, reference, bounds), spoilt, reference, bounds)
    assert all(
        check.verdict in (Verdict.UNDECIDED, Verdict.DISAGREE)
        for check in settled
        if check.quantity in ("weight", "delta", "input")
    )


def test_pytorch_is_wrong_beside_a_candidate_that_is_right():
    """A listed deviation is named, though the bound for textbook forms would have covered it."""
    settled = arbitrate(*undecided(BESIDE))
    named = {check.note for check in settled if check.verdict is Verdict.REFERENCE_WRONG}
    assert named
    assert named <= {row.name for row in DEVIATIONS}


def test_what_is_not_offered_is_not_asked():
    """An undecided check without an array, as another program may make one, stays as it is."""
    case, checks, answer, reference, bounds = undecided(VANISHES)
    silent = replace(answer, deltas=None, inputs=None)
    settled = arbitrate(case, checks, silent, reference, bounds)
    assert {check.verdict for check in settled if check.quantity == "delta"} == {Verdict.UNDECIDED}


def test_exact_arithmetic_is_not_asked_of_networks_of_any_size(monkeypatch):
    """Beyond so many products, what is undecided stays so; a batch counts as often as it has samples."""
    case, checks, answer, reference, bounds = undecided(CANCELS)
    products = 27 * (12 * 4 + 4 * 7 + 7 * 16)
    monkeypatch.setattr(arbiter, "PRODUCTS", products - 1)
    assert arbitrate(case, checks, answer, reference, bounds) is checks
    monkeypatch.setattr(arbiter, "PRODUCTS", products)
    assert arbitrate(case, checks, answer, reference, bounds)[0].verdict is Verdict.AGREE


@pytest.mark.parametrize(("activation", "leading"), [("softmax", "p s"), ("softmin", "-p s"), ("log_softmax", "s")])
def test_uncancelled_leaves_out_what_a_row_wise_output_takes_off(activation, leading):
    """With s of ones, as `linear` has it for y = 1, delta is 0 and its leading part is p, or 1."""
    case = case_of(f"2-3,{activation},linear,sum,n1,f64,normal,s1")
    ones = replace(case, y=np.ones_like(case.y))
    p = np.exp(ones.x @ ones.weights[0].T + ones.biases[0])
    wanted = {"softmax": (p / p.sum()).max(), "softmin": ((1 / p) / (1 / p).sum()).max(), "log_softmax": 1.0}
    found = uncancelled(ones)
    # log p and p differ by rounding alone from what is written here.
    assert abs(found["delta", 1] - wanted[activation]) <= 2.0**-50
    assert found["weight", 1] == found["delta", 1] * np.abs(ones.x).max()


def test_uncancelled_is_the_gradient_where_nothing_is_taken_off():
    """In elementwise networks of one sample it is the largest entry itself."""
    case = case_of("3-4-2,tanh-sigmoid,mse,sum,n1,f64,normal,s1")
    gradients, found = autograd.reference(case), uncancelled(case)
    for number, delta in enumerate(gradients.deltas, 1):
        assert abs(found["delta", number] - np.abs(delta).max()) <= 2.0**-50
    assert set(found) == {(quantity, layer) for quantity, layer, _ in gradients.quantities() if quantity != "loss"}

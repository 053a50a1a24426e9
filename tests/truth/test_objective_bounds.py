"""The objective's bound: sums of losses in any order, scales, class weights, penalties."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backproof.cases import Array, Case, build_case
from backproof.cases.spec import NetworkSpec
from backproof.truth import exact
from backproof.truth.arithmetic import Arithmetic, Rounded
from backproof.truth.objective_bounds import objective
from backproof.truth.rounding import arithmetic_for, bound


def case_of(text: str, **arrays: Any) -> Case:
    """The case with that id, some of its arrays replaced."""
    return replace(build_case(NetworkSpec.parse(text)), **arrays)


def in_sequence(terms: Array) -> Array:
    """All terms added one after the other in their own dtype, as a loop over samples and outputs does it."""
    return np.cumsum(terms.ravel(), dtype=terms.dtype)[-1]


def outputs(case: Case) -> Array:
    """The outputs of a network of one layer of known activation, in the case's own arithmetic."""
    (activation,) = case.spec.activations
    z = case.x @ case.weights[0].T
    if case.biases[0] is not None:
        z += case.biases[0]
    return np.tanh(z) if activation.name == "tanh" else -np.log1p(np.exp(-z))


def strays(case: Case, computed: Array) -> bool:
    """Whether a loss is farther from its true value than rounding can explain."""
    allowed = bound(case, against="truth")
    found = exact.enclose(case, allowed)
    return bool(abs(float(computed) - found.middle.loss) > allowed.loss + found.radius.loss)


# Equal terms are the worst that a loop can meet: nearly all roundings of a sum of 512 then have one sign.
EQUAL_TERMS = [
    ("2-16,tanh,linear,sum,n32,f64,ones,s0", lambda a, y: y * a),
    ("2-16,tanh,linear,mean,n32,f64,ones,s0", lambda a, y: y * a / len(a)),
    ("5-16,logsigmoid,half_squared_error,sum,n32,f32,ones,s0", lambda a, y: (a - y) ** 2 / a.dtype.type(2)),
    ("3-16,tanh,mse,sum,n32,f32,ones,s0", lambda a, y: (a - y) ** 2),
]


@pytest.mark.parametrize(("text", "terms"), EQUAL_TERMS, ids=[text for text, _ in EQUAL_TERMS])
def test_one_loop_over_all_samples_and_outputs_is_a_correct_sum(text: str, terms: Any) -> None:
    """A program may add the terms of all samples up in one sum, from either end, whatever the loss is a sum of."""
    case = case_of(text)
    found = terms(outputs(case), case.y)
    assert found.dtype == case.spec.dtype
    assert not strays(case, in_sequence(found))
    assert not strays(case, in_sequence(found[::-1, ::-1]))


def test_one_loop_over_one_sample_of_many_terms_is_still_found_wrong() -> None:
    """The control: the loss of another network, that loses one output of one sample, is far outside."""
    case = case_of(EQUAL_TERMS[0][0])
    found = case.y * outputs(case)
    assert strays(case, in_sequence(found[:, :-1]))
    assert strays(case, in_sequence(found) * (1.0 + 2.0**-40))


@pytest.mark.parametrize("values", ["ones", "decimals"])
@pytest.mark.parametrize("loss", ["kl_div", "gaussian_nll", "poisson_nll"])
def test_parts_may_be_added_up_each_on_its_own(loss: str, values: str) -> None:
    """Entropy and cross-entropy, logarithms and squares, rates and products, whose sums may cancel."""
    case = case_of(f"2-16,logsigmoid,{loss},sum,n32,f32,{values},s0,bias=0")
    a, y = outputs(case), case.y
    if loss == "kl_div":
        parts = y * np.log(np.where(y > 0, y, 1)), -y * a
    elif loss == "gaussian_nll":
        variance = case.loss_options["var"]
        parts = np.log(variance) / 2, (a - y) ** 2 / (2 * variance)
    else:
        parts = np.exp(a), -y * a
    assert not strays(case, in_sequence(parts[0]) + in_sequence(parts[1]))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_weighted_mean_divides_by_a_sum_that_rounds(dtype: str) -> None:
    """The class weights of 32 targets, added up in a loop, for a loss and for its gradient."""
    case = case_of(f"2-3,log_softmax,nll=weighted,mean,n32,{dtype},normal,s1")
    weight = case.loss_arrays["weight"]
    z = case.x @ case.weights[0].T + case.biases[0]
    below = z - z.max(axis=1, keepdims=True)
    a = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    rows = np.arange(32)
    divisor = in_sequence(weight[case.y])
    assert not strays(case, in_sequence(-weight[case.y] * a[rows, case.y]) / divisor)
    arithmetic = Arithmetic.of(case.spec.dtype)
    with np.errstate(all="ignore"):
        _, gradient = objective(case, Rounded(a.astype(np.float64), np.zeros(a.shape)), arithmetic)
    hit = gradient.value != 0.0
    computed = (-weight[case.y] / divisor).astype(np.float64)
    assert np.all(np.abs(computed - gradient.value[hit]) <= gradient.error[hit])
    assert np.all(gradient.error[~hit] == 0.0)


@pytest.mark.parametrize("loss", ["mse", "half_squared_error", "huber"])
def test_each_of_many_squares_may_be_flushed_to_zero(loss: str) -> None:
    """The squares of 1e-20 are subnormal in float32; 512 of them make more than the smallest normal number."""
    case = case_of(
        f"1-16,identity,{loss},sum,n32,f32,ones,s0,bias=0",
        weights=(np.full((16, 1), 1e-20, np.float32),),
        x=np.ones((32, 1), np.float32),
        y=np.zeros((32, 16), np.float32),
    )
    assert exact.enclose(case).middle.loss > 0.0
    assert not strays(case, np.float32(0.0))


@pytest.mark.parametrize(("loss", "z", "y"), [("poisson_nll", -100.0, 0.0), ("kl_div=1", 0.0, -100.0)])
def test_an_exponential_in_a_gradient_may_underflow(loss: str, z: float, y: float) -> None:
    """exp(-100) is subnormal in float32, or 0: neither is further from the truth than the bound admits."""
    case = case_of(
        f"1-1,{'identity' if loss == 'poisson_nll' else 'logsigmoid'},{loss},sum,n1,f32,ones,s0,bias=0",
        x=np.full((1, 1), z, np.float32),
        y=np.full((1, 1), y, np.float32),
    )
    allowed = bound(case, against="truth").deltas
    truth = exact.enclose(case).middle.deltas
    assert allowed is not None
    assert truth is not None
    assert 0.0 < abs(truth[0].item()) <= allowed[0].item() < np.finfo(np.float32).smallest_normal * 4


@pytest.mark.parametrize(
    ("dtype", "weight", "flushed"), [("f32", 1e-40, True), ("f32", 1e-30, False), ("f64", 1e-310, True)]
)
def test_the_sign_of_a_parameter_that_is_flushed_is_admitted(dtype: str, weight: float, flushed: bool) -> None:
    """Under l1: sign(1e-40) is 1, and 0 in a program that has made 0 of it."""
    case = case_of(f"1-1,identity,mse,sum,n1,{dtype},normal,s0,bias=0,penalty=0.5+0.1")
    case = replace(case, weights=(np.full_like(case.weights[0], weight),))
    (allowed,) = bound(case, against="truth").weights
    assert (allowed.item() >= 0.5) == flushed
    assert allowed.item() < 0.51


def test_a_mean_may_be_taken_in_two_steps() -> None:
    """(1 / 15) (1 / 7) y: two quotients and two products, which come to more than three units here."""
    case = case_of("1-7,log_softmax,kl_div,mean,n15,f32,normal,s0")
    y = np.full_like(case.y, 1.6425671577453613)
    exactly = Rounded(np.zeros(y.shape), np.zeros(y.shape))
    _, gradient = objective(replace(case, y=y), exactly, Arithmetic.of("float32"))
    twice = np.float32(1) / np.float32(15) * (np.float32(1) / np.float32(7)) * y[0, 0]
    off = abs(float(twice) - float(y[0, 0]) / 105)
    assert off > 3.2 * 2.0**-24 * float(y[0, 0]) / 105
    assert (gradient.error >= off).all()


@pytest.mark.parametrize(
    ("loss", "a", "y"),
    [
        ("mse", 3.0, 3.0001),
        ("half_squared_error", 3.0, 3.0001),
        ("huber", 3.0, 3.0001),
        ("smooth_l1", 3.0, 3.0001),
        ("l1", 3.0, 3.0 + 1e-9),
        ("bce", 1.0 - 2.0**-20, 1.0 - 1e-9),
    ],
)
def test_a_float32_program_rounds_the_target_before_it_is_compared(loss: str, a: float, y: float) -> None:
    """a - y cancels, and so does 1 - y, so that the rounding of y is no small part of what is left."""
    case = case_of(f"1-1,{'sigmoid' if loss == 'bce' else 'identity'},{loss},sum,n1,f64,normal,s0")
    narrow = float(np.float32(y))
    slopes = {
        "mse": lambda t: 2.0 * (a - t),
        "half_squared_error": lambda t: a - t,
        "l1": lambda t: float(np.sign(a - t)),
        "bce": lambda t: (a - t) / (a * (1.0 - a)),
    }
    slope = slopes.get(loss, slopes["half_squared_error"])
    arithmetic = arithmetic_for(case, "float32", forms="accurate", kinks="sharp")
    outputs = Rounded(np.full((1, 1), a), np.zeros((1, 1)))
    _, gradient = objective(replace(case, y=np.full((1, 1), y)), outputs, arithmetic)
    off = abs(slope(narrow) - slope(y))
    assert off > 8.0 * arithmetic.unit * abs(slope(y))
    assert gradient.error.item() >= off


def test_a_float32_program_rounds_a_probability_whose_entropy_is_nearly_0() -> None:
    """y log y moves by (log y + 1) dy, which near y = 1 is more than any part of y log y."""
    case = case_of("1-2,log_softmax,kl_div,sum,n1,f64,normal,s0")
    y, a = np.array([[1.0 - 1e-9, 1e-9]]), np.array([[-1e-7, -16.0]])
    narrow = y.astype(np.float32).astype(np.float64)
    loss, _ = objective(
        replace(case, y=y),
        Rounded(a, np.zeros(a.shape)),
        arithmetic_for(case, "float32", forms="accurate", kinks="sharp"),
    )
    off = abs(float((narrow * (np.log(narrow) - a) - y * (np.log(y) - a))[0, 0]))
    assert off > 5e-10
    assert loss.error >= off


@pytest.mark.parametrize(
    ("text", "z", "y"),
    [
        ("1-1,identity,poisson_nll,sum,n1,f64,ones,s0,bias=0", -720.0, 0.0),
        ("1-1,identity,mse,sum,n1,f64,ones,s0,bias=0", 1e-157, 0.0),
        ("1-1,identity,mse,none,n1,f64,ones,s0,bias=0", 1e-157, 0.0),
    ],
)
def test_what_underflows_in_float64_may_be_flushed_to_zero(text: str, z: float, y: float) -> None:
    """Where float64 is judged, u times a subnormal number is 0 right here, and says nothing of what a program loses."""
    case = case_of(text, x=np.full((1, 1), z), y=np.full((1, 1), y))
    allowed, truth = bound(case, against="truth"), exact.enclose(case).middle
    assert 0.0 < float(np.max(truth.loss)) < np.finfo(np.float64).smallest_normal
    assert float(np.min(allowed.loss)) >= float(np.max(truth.loss))
    if "poisson" in text:
        assert allowed.deltas is not None
        assert truth.deltas is not None
        assert allowed.deltas[0].item() >= truth.deltas[0].item() > 0.0


def test_a_quotient_that_underflows_in_float64_may_be_flushed_to_zero() -> None:
    """d / v of gaussian_nll with a huge variance."""
    case = case_of("1-1,identity,gaussian_nll,sum,n1,f64,ones,s0,bias=0")
    case = replace(
        case,
        x=np.full((1, 1), 1e-10),
        y=np.zeros((1, 1)),
        loss_arrays={"var": np.full((1, 1), 1e300)},
    )
    deltas = bound(case, against="truth").deltas
    assert deltas is not None
    assert deltas[0].item() >= 1e-310


def test_an_upstream_that_is_flushed_takes_a_large_gradient_with_it() -> None:
    """1000 * 1e-40 is a normal number of float32, and 0 where 1e-40 is flushed."""
    case = case_of("1-1,identity,linear,none,n1,f32,normal,s0,bias=0")
    case = replace(case, y=np.full_like(case.y, 1e3), upstream=np.full(1, 1e-40, np.float32))
    deltas = bound(case, against="truth").deltas
    assert deltas is not None
    assert deltas[0].item() >= 0.999e-37


def test_a_copied_target_is_rounded_by_a_float32_program() -> None:
    """delta = y = 0.1 exactly in float64, and 1.5e-9 further in float32."""
    case = case_of("1-1,identity,linear,sum,n1,f64,normal,s0,bias=0")
    case = replace(case, y=np.full_like(case.y, 0.1))
    deltas = bound(case, dtype="float32", against="truth").deltas
    assert deltas is not None
    assert deltas[0].item() >= abs(float(np.float32(0.1)) - 0.1) > 0.0


def test_what_a_flushed_parameter_would_have_cost_is_allowed_for() -> None:
    """1000 |w| and the gradient 1000 w of w = 1e-40 are normal numbers of float32, and 0 where w is flushed."""
    for penalty in ("1000+0", "0+1000"):
        case = case_of(f"1-1,identity,linear,sum,n1,f32,normal,s0,bias=0,penalty={penalty}")
        case = replace(case, weights=(np.full_like(case.weights[0], 1e-40),), y=np.zeros_like(case.y))
        allowed = bound(case, against="truth")
        assert (allowed.loss if penalty == "1000+0" else allowed.weights[0]).item() >= 0.999e-37

"""One layer's equations: what is exact, what a kink within reach admits, what overflow and underflow leave to say."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backproof.cases import Case, build_case
from backproof.cases.spec import NetworkSpec
from backproof.truth import autograd, exact
from backproof.truth.arithmetic import Arithmetic
from backproof.truth.rounding import SLACK, bound, forward, parameters_of

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from implementations import ROUNDINGS, gradients_of, leaving


def case_of(text: str, **arrays: Any) -> Case:
    """The case with that id, some of its arrays replaced."""
    return replace(build_case(NetworkSpec.parse(text)), **arrays)


# --- Known answers ---


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize(("x", "w", "b", "y"), [(3.0, -2.0, 1.0, 2.0), (7.0, 5.0, -35.0, 1.0), (0.0, 4.0, 0.0, -1.0)])
def test_integers_leave_nothing_to_round(dtype: str, x: float, w: float, b: float, y: float) -> None:
    """1-1, identity, linear: z and a have no error, dC/db = y neither; dC/dw = y x and dC/dx = y w two roundings."""
    kind = np.float64 if dtype == "f64" else np.float32
    case = case_of(
        f"1-1,identity,linear,sum,n1,{dtype},ones,s0",
        weights=(np.full((1, 1), w, kind),),
        biases=(np.full(1, b, kind),),
        x=np.full((1, 1), x, kind),
        y=np.full((1, 1), y, kind),
    )
    arithmetic = Arithmetic.of(case.spec.dtype)
    (layer,) = forward(case, parameters_of(case, arithmetic), arithmetic)
    assert layer.z.value.item() == layer.outputs.value.item() == w * x + b
    assert layer.z.error.item() == layer.outputs.error.item() == 0.0
    found = bound(case, against="truth")
    assert found.deltas is not None
    assert found.inputs is not None
    assert found.deltas[0].item() == found.biases[0].item() == 0.0
    eta = arithmetic.smallest
    assert found.weights[0].item() == SLACK * (arithmetic.gamma(1) * abs(y * x) + eta * (x != 0.0))
    assert found.inputs.item() == SLACK * (arithmetic.gamma(1) * abs(y * w) + eta)


def test_a_sum_that_is_divided_by_n_and_multiplied_again_is_right() -> None:
    """db = 3 * ((1 + 1 + 5) / 3) of three exact deltas: two roundings, where the sum alone has none."""
    case = case_of(
        "1-1,identity,linear,sum,n3,f64,ones,s0",
        x=np.ones((3, 1)),
        y=np.array([[1.0], [1.0], [5.0]]),
    )
    (allowed,) = bound(case, against="truth").biases
    assert 0.0 < allowed.item() <= 1.001 * 2 * 2.0**-53 * 7.0


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_what_flush_to_zero_takes_is_allowed_for(dtype: str) -> None:
    """A partial sum of exact deltas, a difference a - y, and a weight that is itself subnormal."""
    kind = np.float32 if dtype == "f32" else np.float64
    eta = kind(np.finfo(kind).smallest_normal)

    def allowed(loss: str, w: float, x: float, y: list[float]):
        case = case_of(
            f"1-1,identity,{loss},sum,n{len(y)},{dtype},ones,s0,bias=1",
            weights=(np.full((1, 1), w, kind),),
            biases=(np.zeros(1, kind),),
            x=np.full((len(y), 1), x, kind),
            y=np.array([[entry] for entry in y], kind),
        )
        return bound(case, against="truth")

    # 1.5 eta - 1.25 eta is flushed.
    assert allowed("linear", 1.0, 1.0, [1.5 * eta, -1.25 * eta]).biases[0].item() >= 0.25 * eta
    # a - y = 2 eta - 1.25 eta is flushed, and 2 (a - y) with it.
    assert allowed("mse", 1.0, 2.0 * eta, [1.25 * eta]).deltas[0].item() >= 1.5 * eta
    # 0.5 eta is taken for 0, and so is 1000 times it.
    assert allowed("linear", 0.5 * eta, 1000.0, [1.0]).loss.item() >= 500.0 * eta


# --- Kinks ---

# Integers that lie exactly on a kink, and how far phi' jumps there.
TIES = [
    ("relu", 0, 1.0),
    ("leaky_relu=0.2", 0, 0.8),
    ("relu6", 0, 1.0),
    ("relu6", 6, 1.0),
    ("hardtanh", -1, 1.0),
    ("hardtanh", 1, 1.0),
    ("hardsigmoid", -3, 1 / 6),
    ("hardsigmoid", 3, 1 / 6),
    ("hardswish", -3, 0.5),
    ("hardswish", 3, 0.5),
    ("softshrink=1", -1, 1.0),
    ("hardshrink=1", 1, 1.0),
    ("threshold=0", 0, 1.0),
    ("elu=0.5", 0, 0.5),
    ("selu", 0, 0.7),
]


def tied(activation: str, z: float, dtype: str) -> Case:
    """One hidden neuron with z = 2 z - z, an exact sum, and 4 behind it."""
    kind = np.float64 if dtype == "f64" else np.float32
    return case_of(
        f"2-1-1,{activation}-identity,linear,sum,n1,{dtype},ones,s0,bias=00",
        weights=(np.array([[2, -1]], kind), np.array([[4]], kind)),
        x=np.full((1, 2), z, kind),
    )


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize(("activation", "z", "jump"), TIES)
def test_an_exact_tie_is_sharp_or_admits_every_subgradient(activation: str, z: int, jump: float, dtype: str) -> None:
    """PyTorch's slope to rounding; or, where asked for, all that exact arithmetic calls a subgradient. phi is one."""
    case = tied(activation, z, dtype)
    sharp, wide = (bound(case, kinks=kinks, against="truth") for kinks in ("sharp", "any"))
    assert sharp.deltas is not None
    assert wide.deltas is not None
    assert sharp.deltas[0].item() < 2.0**-16
    assert 4.0 * jump <= wide.deltas[0].item() < 4.0 * (jump + 0.1)
    assert wide.loss == sharp.loss
    assert not leaving(case, gradients_of(case), sharp)
    if not (activation == "hardsigmoid" and dtype == "f64"):
        assert not leaving(case, autograd.gradients(case), sharp)
    chosen, every = exact.enclose(case), exact.enclose(case, kinks="any")
    assert every.radius.deltas is not None
    farthest = abs(every.middle.deltas[0] - chosen.middle.deltas[0]) + every.radius.deltas[0]  # type: ignore[index]
    assert farthest.item() <= wide.deltas[0].item() + 2.0 * chosen.radius.deltas[0].item()  # type: ignore[index]


@pytest.mark.parametrize("activation", ["softshrink=0.3", "hardshrink=0.3", "hardtanh=-0.3+0.3", "threshold=0.3+0.3"])
def test_a_kink_that_float32_rounds_is_no_sharp_one(activation: str) -> None:
    """z = float32(0.3) lies beyond 0.3, and on what float32 makes of it: both slopes are right, in float32 alone."""
    case = case_of(f"1-1-1,{activation}-identity,linear,sum,n1,f32,ones,s0,bias=00", x=np.full((1, 1), 0.3, np.float32))
    assert case.x.item() > 0.3
    allowed, in_float64 = bound(case, against="truth"), bound(case, dtype="float64", against="truth")
    assert allowed.deltas is not None
    assert in_float64.deltas is not None
    assert allowed.deltas[0].item() >= 1.0
    assert in_float64.deltas[0].item() < 2.0**-40
    assert not leaving(case, gradients_of(case))
    assert not leaving(case, autograd.gradients(case))


@pytest.mark.parametrize("activation", ["relu", "hardshrink", "threshold=0"])
def test_a_straddled_kink_admits_both_sides(activation: str) -> None:
    """0.1 + 0.2 - 0.3 is 0 or not, by the order of the sum: so is what lies behind the kink, phi itself included."""
    offset = 0.5 if activation == "hardshrink" else 0.0
    case = case_of(
        f"4-1-1,{activation}-identity,linear,sum,n1,f64,ones,s0,bias=00",
        weights=(np.array([[1.0, 1.0, -1.0, 1.0]]), np.array([[1.0]])),
        x=np.array([[0.1, 0.2, 0.3, offset]]),
    )
    allowed, passing = bound(case, against="truth"), bound(case, against="truth", kinks="none")
    assert allowed.deltas is not None
    assert passing.deltas is not None
    assert allowed.deltas[0].item() >= 1.0
    assert passing.deltas[0].item() < 2.0**-40
    jump = {"relu": 0.0, "hardshrink": 0.5, "threshold=0": 0.25}[activation]
    assert jump <= allowed.loss.item() < SLACK * jump + 2.0**-40
    for backprop in ROUNDINGS.values():
        assert not leaving(case, gradients_of(case, backprop))


# --- Overflow and underflow ---


@pytest.mark.parametrize("activation", ["identity", "relu", "relu6", "hardtanh", "tanh", "softmax", "hardswish"])
def test_an_overflow_leaves_nothing_to_say_behind_it(activation: str) -> None:
    """z = 1e30 1e10 is beyond float32: no quantity of that sample has a bound, even behind a flat piece of phi."""
    case = case_of(
        f"1-2-1,{activation}-identity,half_squared_error,sum,n2,f32,ones,s0,bias=00",
        weights=(np.full((2, 1), 1e10, np.float32), np.ones((1, 2), np.float32)),
        x=np.array([[1e30], [1e-10]], np.float32),
    )
    found = bound(case)
    assert np.all(np.isinf(found.loss))
    assert found.deltas is not None
    assert found.inputs is not None
    assert all(np.all(np.isinf(array[0])) for array in (*found.deltas, found.inputs))
    assert all(np.all(np.isfinite(array[1])) for array in (*found.deltas, found.inputs))
    assert all(np.all(np.isinf(array)) for array in found.weights)
    assert not leaving(case, gradients_of(case))


def test_terms_that_overflow_and_cancel_leave_nothing_to_say() -> None:
    """2^130 - 2^130 = 0 without rounding, but float32 holds no such number; float64 does, and calls the sum exact."""
    weights = np.array([[2.0**10, -(2.0**10)]]), np.array([[1.0]])
    for kind, text, known in ((np.float32, "f32", False), (np.float64, "f64", True)):
        case = case_of(
            f"2-1-1,identity,linear,sum,n1,{text},ones,s0,bias=00",
            weights=tuple(weight.astype(kind) for weight in weights),
            x=np.full((1, 2), 2.0**120, kind),
        )
        assert np.isfinite(bound(case).loss) == known
        assert not leaving(case, gradients_of(case))
    assert bound(case).loss == 0.0


@pytest.mark.parametrize("activation", ["identity", "tanh", "relu", "softplus", "elu"])
def test_deep_networks_of_tiny_numbers_underflow_in_float64(activation: str) -> None:
    """Twelve layers of weights near 2^-96: products that are no zeros become some, and the bound knows."""
    case = case_of("-".join(["3"] * 13) + f",{activation},linear,sum,n2,f64,tiny,s1")
    assert not leaving(case, gradients_of(case))
    assert not leaving(case, gradients_of(case, ROUNDINGS["flushed to zero"]))
    if activation in ("identity", "tanh"):
        assert not gradients_of(case).weights[0].any()
        assert bound(case).weights[0].all()


@pytest.mark.parametrize(("activation", "z"), [("silu", -748.0), ("mish", -748.0)])
def test_a_tail_that_is_0_in_float64_is_not_without_rounding(activation: str, z: float) -> None:
    """z s(z) = -1e-322 at z = -748, where s(z) is 0 in float64: a program that says 0 has rounded, and is right."""
    case = case_of(
        f"1-1,{activation},linear,sum,n1,f64,ones,s0,bias=0",
        weights=(np.array([[1.0]]),),
        x=np.array([[z]]),
        y=np.array([[1.0]]),
    )
    truth, allowed = exact.enclose(case).middle, bound(case, against="truth")
    assert truth.deltas is not None
    assert allowed.deltas is not None
    assert 0.0 < abs(float(truth.loss)) <= float(allowed.loss) < 1e-300
    assert abs(truth.deltas[0].item()) <= allowed.deltas[0].item() < 1e-300


def test_a_product_that_underflows_is_on_neither_side_of_a_kink() -> None:
    """z = 1e-400 is positive, and 0 in float64: relu's slope there is 1 or 0."""
    case = case_of(
        "1-1-1-1,identity-relu-identity,linear,sum,n1,f64,ones,s0,bias=000",
        weights=(np.array([[1e-200]]), np.array([[1e-200]]), np.array([[1.0]])),
    )
    found = bound(case)
    assert found.deltas is not None
    assert found.deltas[1].item() >= 1.0
    assert not leaving(case, gradients_of(case))

"""Every reason for which a bound cannot decide, on a network that has it by construction."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.cases import Case, Gradients, NetworkSpec, build_case
from backproof.judging.doubts import (
    CANCELLATION,
    DEPTH,
    KINK,
    REASONS,
    SATURATION,
    SHOWN,
    UNDERFLOW,
    entry,
    hides,
    reason,
    shows,
)
from backproof.truth import autograd, rounding
from backproof.truth.arithmetic import Arithmetic


def one_neuron(text: str, *, weights: list[float], x: list[list[float]], y: list[float]) -> Case:
    """A single neuron without bias, with these numbers."""
    case = build_case(NetworkSpec.parse(text))
    dtype = case.spec.dtype
    return replace(
        case,
        weights=(np.array([weights], dtype=dtype),),
        x=np.array(x, dtype=dtype),
        y=np.array(y, dtype=dtype)[:, np.newaxis],
    )


def found(case: Case, quantity: str, layer: int | None) -> str:
    """The reason, where there is something to doubt."""
    size = float(np.abs(entry(autograd.reference(case), quantity, layer)).max())
    assert entry(rounding.bound(case), quantity, layer).max() >= size
    return reason(Arithmetic.of(case.spec.dtype), case, quantity, layer, size)


def test_reason_is_a_kink_where_rounding_may_carry_z_across():
    """0.2 - 0.2 of rounded operands: relu's slope is 0 or 1."""
    case = one_neuron("2-1,relu,linear,sum,n1,f64,normal,s1,bias=0", weights=[2.0, -1.0], x=[[0.1, 0.2]], y=[1.0])
    assert found(case, "delta", 1) == KINK


def test_reason_is_underflow_where_the_dtype_holds_few_digits():
    """1e-30 times 1e-12 is no normal number of float32."""
    case = one_neuron("1-1,identity,linear,sum,n1,f32,normal,s1,bias=0", weights=[0.5], x=[[1e-30]], y=[1e-12])
    assert found(case, "weight", 1) == UNDERFLOW


def test_reason_is_saturation_where_a_slope_is_lost():
    """sigmoid'(60) is 1e-26, of an a that is 1 to sixteen digits."""
    case = one_neuron("1-1,sigmoid,linear,sum,n1,f64,normal,s1,bias=0", weights=[1.0], x=[[60.0]], y=[1.0])
    assert found(case, "delta", 1) == SATURATION


def test_reason_is_cancellation_where_a_batch_adds_up_to_nothing():
    """Two samples' gradients that differ in the last digit."""
    case = one_neuron(
        "1-1,identity,half_squared_error,sum,n2,f64,normal,s1,bias=0",
        weights=[0.3],
        x=[[0.1], [0.1]],
        y=[0.7, -0.64],
    )
    assert found(case, "weight", 1) == CANCELLATION


def test_reason_is_depth_where_errors_may_have_grown():
    """Thirty layers in float32."""
    layers = 30
    text = f"{'-'.join(['16'] * (layers + 1))},{'-'.join(['tanh'] * layers)},linear,sum,n2,f32,normal,s1"
    assert found(build_case(NetworkSpec.parse(text)), "weight", 1) == DEPTH


def test_reasons_are_explained():
    """Each has its sentence, which the screen shows."""
    assert set(REASONS) == {KINK, UNDERFLOW, SATURATION, CANCELLATION, DEPTH}
    assert all(REASONS.values())


def test_entry_finds_each_quantity_and_refuses_one_that_is_absent():
    """The same array by the same name in gradients, bounds and enclosures."""
    case = build_case(NetworkSpec.parse("3-4-2,sigmoid,mse,sum,n5,f64,normal,s7"))
    reference = autograd.reference(case)
    for quantity, layer, array in reference.quantities():
        assert entry(reference, quantity, layer) is array
    bare = Gradients(reference.loss, reference.weights, reference.biases, None, None)
    with pytest.raises(LookupError, match="no delta of layer 2"):
        entry(bare, "delta", 2)


@pytest.mark.parametrize("dtype", SHOWN)
def test_what_must_show_shows(dtype: str):
    """Right gradients anywhere within a bound of that share, times 1.0005, are further off than the bound."""
    bound = SHOWN[dtype] * (1.0 - 2.0**-20)
    assert shows(bound, 1.0, dtype)
    assert not shows(SHOWN[dtype], 1.0, dtype)
    for right in (1.0 - bound, 1.0, 1.0 + bound):
        assert abs(1.0005 * right - 1.0) > bound


@pytest.mark.parametrize("dtype", SHOWN)
def test_what_hides_is_both_wide_and_visible(dtype: str):
    """A bound that shows nothing, over numbers that differ: either alone hides nothing that must show."""
    wide, off = SHOWN[dtype], 0.25 * SHOWN[dtype]
    assert hides(wide, off, 1.0, dtype)
    assert not hides(wide * (1.0 - 2.0**-20), off, 1.0, dtype)
    assert not hides(wide, off * (1.0 - 2.0**-20), 1.0, dtype)
    assert hides(wide, np.nan, 1.0, dtype)
    assert not hides(wide, 0.0, 0.0, dtype)


def test_nothing_hides_in_an_exact_zero():
    """A bound of zero decides, and shows everything; NaN shows nothing."""
    assert shows(0.0, 0.0, "float32")
    assert not shows(np.nan, 1.0, "float32")
    assert not shows(0.25, np.nan, "float64")

"""True errors by exact arithmetic: measured in ulps, held to the bound, and merged."""

from dataclasses import replace

import numpy as np
import pytest

from backproof.candidates.contract import Answer
from backproof.candidates.loading import load
from backproof.cases import Case, NetworkSpec, build_case
from backproof.judging.bounds import Bounds
from backproof.settling.certificate import Certificate
from backproof.truth import exact

(SCRATCH,) = load("scratch")


def case_of(text: str) -> Case:
    """The case of an id."""
    return build_case(NetworkSpec.parse(text))


def measured(case: Case, answer: Answer) -> dict[str, tuple]:
    """The rows for one case, by quantity."""
    certificate = Certificate()
    certificate.add(case, answer, Bounds(case))
    return {row.quantity: row for row in certificate.rows()}


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_a_right_answer_is_within_its_bound(dtype: str):
    """Of every quantity, with a bound that is larger than the error."""
    case = case_of(f"3-4-2,tanh,half_squared_error,mean,n5,{dtype},normal,s7")
    rows = measured(case, SCRATCH.answer(case))
    assert set(rows) == {"loss", "delta", "bias", "weight", "input"}
    assert rows["weight"].quantities == rows["delta"].quantities == 2
    assert all(row.exceeded == 0 and row.dtype == case.spec.dtype for row in rows.values())
    assert all(row.median_bound_over_error is None or row.median_bound_over_error > 1.0 for row in rows.values())


def test_errors_are_counted_in_units_of_the_largest_entry():
    """The true value moved by three of them, in float32, where the truth itself is known to a billionth of one."""
    case = case_of("3-4,identity,linear,sum,n5,f32,normal,s7")
    right = exact.reference(case)
    unit = float(np.spacing(np.float32(np.abs(right.weights[0]).max())))
    weight = right.weights[0].copy()
    weight[1, 2] += 3.0 * unit
    row = measured(case, replace(Answer.of(right), weights=(weight,)))["weight"]
    # The truth is known to a float64 digit, which is a billionth of a unit here.
    assert abs(row.worst_ulps - 3.0) < np.finfo(np.float32).eps
    assert row.worst_case == case.spec.id


def test_an_error_beyond_the_bound_is_counted():
    """Also an answer that is no number."""
    case = case_of("3-4-2,tanh,mse,sum,n5,f64,normal,s7")
    right = Answer.of(exact.reference(case))
    for bent in (1.001 * right.inputs, right.inputs * np.nan):
        rows = measured(case, replace(right, inputs=bent))
        assert rows["input"].exceeded == 1
        assert sum(row.exceeded for row in rows.values()) == 1


def test_a_float32_answer_is_measured_as_one():
    """Whatever the case asks for, as the comparison judges it; another quantity in float64 is held to that."""
    case = case_of("3-4-2,tanh,mse,sum,n5,f64,normal,s7")
    right = SCRATCH.answer(case)
    narrow = replace(right, loss=np.float32(right.loss), weights=tuple(map(np.float32, right.weights)))
    rows = measured(case, narrow)
    assert all(row.exceeded == 0 for row in rows.values())
    assert {name: row.dtype for name, row in rows.items()} == {
        "loss": "float32",
        "weight": "float32",
        "bias": "float64",
        "delta": "float64",
        "input": "float64",
    }
    assert 0.0 < rows["weight"].worst_ulps <= 1.0
    # Rounded to float32 and given back as float64 it is no float32 answer.
    wide = replace(narrow, weights=tuple(map(np.float64, narrow.weights)))
    assert measured(case, wide)["weight"].exceeded == 2


def test_an_error_that_pytorch_shares_in_a_listed_way_is_counted_apart():
    """hardsigmoid's slope in float64 is float32(1/6): beyond the bound, and no news."""
    case = case_of("3-4-2,hardsigmoid,linear,sum,n5,f64,normal,s7")
    (torch,) = load("torch")
    rows = measured(case, torch.answer(case))
    assert sum(row.exceeded for row in rows.values()) == 0
    assert rows["weight"].listed == 2
    assert all(row.listed == row.exceeded == 0 for row in measured(case, SCRATCH.answer(case)).values())


def test_what_is_not_offered_or_has_another_shape_is_not_measured():
    """There is nothing to measure."""
    case = case_of("3-4-2,tanh,mse,sum,n5,f64,normal,s7")
    bare = Answer(weights=SCRATCH.answer(case).weights, biases=(None, np.zeros(7)))
    assert set(measured(case, bare)) == {"weight"}


def test_entries_without_a_true_value_are_left_out():
    """log of 0 under `none`: the other entries still count."""
    case = case_of("2-3,hardsigmoid,bce,none,n4,f64,saturated,s1")
    rows = measured(case, SCRATCH.answer(case))
    assert all(row.exceeded == 0 for row in rows.values())
    assert all(np.isfinite(row.worst_ulps) for row in rows.values())


def test_a_true_zero_has_no_last_place():
    """Every delta is exactly 0 in truth and 1e-17 in practice: within the bound, and no number of ulps."""
    case = case_of("16-11-15-12-2-7,silu-mish-leaky_relu-softplus=1+4-softmax,l1,mean,n1,f64,normal,s85083870")
    row = measured(case, SCRATCH.answer(case))["delta"]
    assert (row.quantities, row.exceeded, row.worst_ulps, row.median_ulps) == (5, 0, 0.0, None)


def test_certificates_merge_to_that_of_the_whole():
    """In any order."""
    cases = [case_of(f"3-4-2,tanh,mse,sum,n5,f64,normal,s{seed}") for seed in range(4)]
    whole, parts = Certificate(), []
    for case in cases:
        part = Certificate()
        for certificate in (whole, part):
            certificate.add(case, SCRATCH.answer(case), Bounds(case))
        parts.append(part)
    for order in (parts, parts[::-1]):
        merged = Certificate()
        for part in order:
            merged.merge(part)
        assert list(merged.rows()) == list(whole.rows())
    assert merged.exceeded == 0

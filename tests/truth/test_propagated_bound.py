"""The bound that keeps the signs of the weights: as sound as the chained one, never wider, and useful at any depth."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from backproof.cases import Case, Domain, build_case
from backproof.cases.catalogue import ACTIVATIONS
from backproof.cases.fillings import FILLINGS
from backproof.cases.gradients import Gradients
from backproof.cases.sampling import sample_specs
from backproof.cases.spec import NetworkSpec
from backproof.cases.strategies import cases
from backproof.truth import autograd
from backproof.truth.propagated_bound import propagated_bound
from backproof.truth.rounding import SLACK, bound

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from implementations import ROUNDINGS, FlushedToZero, Forwards, gradients_of
from implementations import leaving as leaving_the_bound

VALUES = tuple(name for name, filling in FILLINGS.items() if filling.inputs is None)
ELEMENTWISE = tuple(name for name, entry in ACTIVATIONS.items() if not entry.rowwise)
SMALL = Domain(depth=(1, 6), width=(1, 6), batch_size=(1, 4), penalties="mixed", values=VALUES)
ROWWISE_INSIDE = Domain(
    depth=(2, 4), width=(2, 5), batch_size=(1, 3), activations={"softmax", "softmin", "log_softmax", "tanh", "relu"}
)
DEEP = "-".join(["16"] * 31)


def case_of(text: str, **arrays: Any) -> Case:
    """The case with that id, some of its arrays replaced."""
    return replace(build_case(NetworkSpec.parse(text)), **arrays)


def leaving(case: Case, found: Gradients) -> list[str]:
    """The quantities that leave the propagated bound around the true values."""
    return leaving_the_bound(case, found, propagated_bound(case, against="truth"))


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ROUNDINGS)
@given(case=cases(SMALL))
def test_correct_code_stays_within_the_bound_of_the_truth(name: str, case: Case) -> None:
    """BLAS, loops from either end, subnormals flushed to zero; every filling, loss, activation, penalty, dtype."""
    assert not leaving(case, gradients_of(case, ROUNDINGS[name]))


@given(case=cases(ROWWISE_INSIDE))
def test_rowwise_layers_inside_a_network_pass_their_whole_error_on(case: Case) -> None:
    """Nothing is followed through them, and nothing is lost."""
    assert not leaving(case, gradients_of(case))


@pytest.mark.no_cover
@pytest.mark.parametrize("values", VALUES)
def test_it_is_never_wider_than_the_chained_bound(values: str) -> None:
    """By no more than its own slack: only terms of third order are counted otherwise."""
    for spec in sample_specs(replace(SMALL, values=(values,)), seed=3, shard=0, count=60):
        case = build_case(spec)
        pairs = zip(propagated_bound(case).quantities(), bound(case).quantities(), strict=True)
        for (quantity, layer, propagated), (*_, chained) in pairs:
            assert np.all(propagated <= SLACK * chained), (spec.id, quantity, layer)


@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_it_decides_networks_of_thirty_layers(activation: str) -> None:
    """In float64 the first layer's gradient stands out of its rounding by nine digits, and a flipped sign with it."""
    case = case_of(f"{DEEP},{activation},mse,mean,n2,f64,normal,s1")
    gradient = autograd.reference(case).weights[0]
    allowed = propagated_bound(case).weights[0]
    largest = np.abs(gradient).argmax()
    assert allowed.max() < 2.0**-30 * np.abs(gradient).max()
    assert 2.0 * np.abs(gradient.flat[largest]) > allowed.flat[largest]


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_correct_code_of_thirty_layers_stays_within_the_bound(activation: str, dtype: str) -> None:
    """Where the chained bound says nothing at all."""
    case = case_of(f"{DEEP},{activation},mse,mean,n1,{dtype},normal,s2")
    assert bound(case).weights[0].max() > np.abs(autograd.reference(case).weights[0]).max()
    for backprop in ROUNDINGS.values():
        assert not leaving(case, gradients_of(case, backprop))


def test_an_error_that_cancels_is_not_counted() -> None:
    """a - a, of two neurons that copy the same input: its own, large error cancels; the roundings of each do not."""
    case = case_of(
        "2-1-2-1,identity,linear,sum,n1,f64,ones,s0,bias=000",
        weights=(np.array([[1000.0, -1000.0]]), np.array([[0.3], [0.3]]), np.array([[1.0, -1.0]])),
        x=np.array([[0.7, 0.699]]),
    )
    propagated, chained = propagated_bound(case).loss.item(), bound(case).loss.item()
    assert 0.0 < 10.0 * propagated < chained


def test_an_error_that_cancels_later_still_makes_sums_inexact() -> None:
    """a = 1 to rounding, 12 (5 a) - 5 (12 a) = 0: the route of a's error is 0, the products of an inexact a round."""
    first, second, third = np.array([[1, 1, -1]]), np.array([[5], [12]]), np.array([[12, -5]])
    s = np.float32(0.7073279023170471)
    case = case_of(
        "3-1-2-1,identity,linear,sum,n1,f32,ones,s0,bias=000",
        weights=tuple(weight.astype(np.float32) for weight in (first, second, third)),
        x=np.array([[s, 1, s]], dtype=np.float32),
    )
    found = gradients_of(case, Forwards)
    assert found.loss != 0.0
    assert not leaving(case, found)


def test_a_subnormal_input_may_be_flushed() -> None:
    """x = 1e-39 is 0 to a float32 program that flushes."""
    case = case_of("1-1-1,relu-identity,linear,sum,n1,f32,ones,s0,bias=00", x=np.full((1, 1), 1e-39, dtype=np.float32))
    found = gradients_of(case, FlushedToZero)
    assert found.loss == 0.0
    assert not leaving(case, found)
    assert propagated_bound(case).weights[0].max() >= np.finfo(np.float32).smallest_normal

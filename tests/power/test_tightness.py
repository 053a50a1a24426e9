"""The figures of tightness: a bound is never below the error, and every row says what it is of."""

import math

import pytest

from backproof.cases.case import build_case
from backproof.cases.sampling import sample_specs
from backproof.cases.spec import NetworkSpec
from backproof.power import tightness as room
from backproof.power.tightness import MEASUREMENTS, costs, found_errors, local_bounds, tightness, true_errors


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_the_bound_is_never_below_the_true_error(dtype):
    """Each of the quantities has a ratio of at least 1."""
    ratios = list(true_errors(build_case(NetworkSpec.parse(f"3-5-4,tanh-softmax,mse,mean,n4,{dtype},normal,s1"))))
    assert len(ratios) == 1 + 2 * 3 + 1
    assert min(ratios) >= 1.0


def test_what_errs_nowhere_has_an_infinite_ratio():
    """Small integers are added and multiplied without rounding, whatever the bound allows."""
    found = list(true_errors(build_case(NetworkSpec.parse("2-2,identity,linear,sum,n2,f64,integers,s1"))))
    assert found
    assert all(map(math.isinf, found))


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_found_errors_are_one_for_each_layer(dtype):
    """Steps from one power of two to the next, above the dtype's own roundoff."""
    found = list(found_errors(build_case(NetworkSpec.parse(f"3-5-4,tanh-identity,mse,mean,n4,{dtype},normal,s1"))))
    sizes = [2.0 ** (-exponent / room.STEPS) for exponent in range(52 * room.STEPS)]
    assert len(found) == 2
    assert set(found) <= set(sizes)


def test_a_layer_without_gradient_has_nothing_to_find():
    """In a dead network no entry can be made wrong by a factor."""
    case = build_case(NetworkSpec.parse("2-2-2,threshold=100+0-identity,mse,mean,n2,f64,normal,s1,bias=00"))
    assert list(found_errors(case)) == []


def test_local_bounds_and_costs_are_one_number_a_network():
    """The worst layer, and a ratio of two times."""
    case = build_case(NetworkSpec.parse("3-5-4,tanh-identity,mse,mean,n1,f64,normal,s1"))
    (local,) = local_bounds(case)
    assert 0.0 < local < 1.0
    (cost,) = costs(case)
    assert cost > 0.0


def test_the_table_has_a_row_for_each_figure_group_and_dtype(monkeypatch):
    """Groups are of one dtype and of the losses that they name; `met` follows from the number that is held."""
    quick = [one for one in MEASUREMENTS if one.measure is true_errors][:1] + [
        one for one in MEASUREMENTS if one.held == "worst"
    ][:1]
    monkeypatch.setattr(room, "MEASUREMENTS", quick)
    heard = []
    found = tightness(networks=2, seed=3, progress=lambda *told: heard.append(told))
    assert len(found) == sum(len(one.targets) for one in quick) == len(heard)
    for row in found.to_dict("records"):
        assert row["met"] == (row[row["held"]] <= row["target"])
    assert found.equals(tightness(networks=2, seed=3))


def test_every_domain_can_be_drawn_from():
    """No group is empty, and each has the dtypes that its targets name."""
    for one in MEASUREMENTS:
        assert sample_specs(one.domain, seed=0, shard=0, count=3)
        assert set(one.targets) <= set(one.domain.dtypes)

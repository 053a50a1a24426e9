"""The figures of a run, held to the same counted plainly."""

from math import inf, nan

import pyarrow as pa
import pytest

from backproof.cases import spec
from backproof.reports.measures import _BETWEEN_LAYERS, WORST_ROWS, Measures, fails, measured
from backproof.reports.tables import table


def figures(rows, *, parts: int = 1, pairs=None) -> Measures:
    """The figures of some rows, given in so many parts."""
    found = table("checks", rows)
    size = -(-len(rows) // parts)
    return measured((batch for batch in found.to_batches(max_chunksize=size)), pairs)


def test_figures_of_a_small_run(small):
    """Counts by verdict, networks, depth and batch size; only what agrees or fails has an error / bound."""
    found = figures(small.checks)
    assert (found.cases, found.wrong_cases, found.judged, found.failing) == (2, 1, 3, 1)
    assert dict(found.verdicts) == {"agree": 2, "disagree": 1, "undecided": 1}
    assert (found.spread.worst, found.spread.quantile(0.5), found.spread.quantile(0.25)) == (40.0, 0.25, 0.0)
    assert list(found.by_depth) == [2]
    assert found.by_batch_size[3].count == 3
    assert found.worst["error_over_bound"].to_pylist() == [40.0, 0.25, 0.0]
    assert {pair: (met.cases, met.quantities, met.worst) for pair, met in found.pairs.items()} == {
        ("relu", "l1"): (1, 0, 0.0),
        ("relu", "mse"): (1, 3, 40.0),
        ("tanh", "mse"): (1, 3, 40.0),
    }


def test_layers_are_told_apart_as_in_ids():
    """Written twice, since reports import nothing of the cases: held to be the same."""
    assert _BETWEEN_LAYERS == spec._BETWEEN_LAYERS


def test_pairs_that_were_never_met_come_from_their_table(small):
    """And the number of all networks, where checks has the rows of the first ones."""
    found = figures(
        small.checks, pairs=table("pairs", [*small.pairs[:2], ("activation, loss", "tanh", "mse", 9), *small.pairs[3:]])
    )
    assert found.pairs["tanh", "l1"].cases == 0
    assert found.pairs["tanh", "mse"].cases == 9
    assert list(found.pairs) == sorted(found.pairs)


def test_a_network_whose_rows_are_in_two_parts_counts_once(small):
    """Whatever the parts, the figures are the same."""
    rows = [
        small.check(f"1-1,relu,mse,sum,n1,f64,normal,s{number // 3}", "loss", ratio=number / 7) for number in range(60)
    ]
    whole, parts = figures(rows), figures(rows, parts=11)
    assert whole.cases == parts.cases == 20
    assert whole.spread == parts.spread
    assert whole.pairs == parts.pairs
    assert whole.worst.equals(parts.worst)
    assert whole.worst["error_over_bound"].to_pylist() == [number / 7 for number in range(59, 59 - WORST_ROWS, -1)]


def test_numbers_that_are_none(small):
    """A candidate's NaN is infinitely far off, and no rounding to three digits crosses the bound."""
    found = figures(
        [small.check(small.deep, "loss", "non_finite", nan), small.check(small.deep, "bias", "disagree", 1.0000001)]
    )
    assert found.spread.worst == inf
    assert sorted(found.spread.ratios) == [1.01, inf]
    assert figures([small.check(small.deep, "loss", ratio=0.99999)]).spread.quantile(1.0) == 1.0


def test_parameters_are_no_part_of_a_pair(small):
    """A minus sign before a digit belongs to a parameter."""
    case = "1-2-1,hardtanh=-0.5+2-leaky_relu=0.2,huber=0.5,sum,n3,f64,normal,s1"
    assert list(figures([small.check(case, "loss")]).pairs) == [("hardtanh", "huber"), ("leaky_relu", "huber")]


def test_no_rows_have_no_figures():
    """Nothing was judged, and there is nothing to divide by."""
    found = measured(iter([pa.RecordBatch.from_pylist([], schema=table("checks", []).schema)]))
    assert (found.cases, found.judged, found.pairs) == (0, 0, {})
    assert measured(iter(())).worst.num_rows == 0


@pytest.mark.parametrize(("verdict", "expected"), [("agree", False), ("kink", False), ("error", True), ("shape", True)])
def test_what_no_accepted_candidate_gets_fails(verdict, expected):
    """Whatever word it is."""
    assert fails(verdict) is expected

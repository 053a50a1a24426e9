"""What is taken on one side of a kink, across it, and exactly on it; and is the list of PyTorch's choices PyTorch's?"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from flint import arb, ctx

from backproof.cases import Case, build_case
from backproof.cases.catalogue import ACTIVATIONS, LOSSES
from backproof.cases.formula import Formula, variants
from backproof.cases.gradients import Gradients
from backproof.cases.spec import NetworkSpec
from backproof.truth import autograd, exact
from backproof.truth.ball_ties import (
    TORCH_TIES,
    Admitted,
    Pair,
    Ties,
    absolute,
    constant,
    line,
    piecewise,
)
from backproof.truth.balls import ONE, ZERO
from backproof.truth.deviations import VERSION
from backproof.truth.rounding import bound

TINY = arb(0, arb(2) ** -100)
"""A ball around 0 that the precision at hand could not narrow."""


@pytest.fixture(autouse=True, scope="module")
def _precision() -> Iterator[None]:
    """The first precision that the arbiter tries."""
    with ctx.workprec(exact.PRECISIONS[0]):
        yield


def hardtanh(ties: Ties) -> Callable[[arb], Pair]:
    """-1, z, 1 with the left piece at -1 and the right one at 1."""
    return piecewise((-ONE, ONE), (constant(-ONE), line(ONE), constant(ONE)), (0, 2), ties)


@pytest.mark.parametrize(
    ("z", "value", "slope"), [(-2, -1, 0), (-1, -1, 0), (0.5, 0.5, 1), (1, 1, 0), (3, 1, 0)], ids=str
)
def test_one_piece_holds_off_the_kinks_and_the_owner_on_them(z: float, value: float, slope: float) -> None:
    """Exact arguments give exact values; at a tie the piece that owns it."""
    ties = Ties("torch")
    assert hardtanh(ties)(arb(z)) == (arb(value), arb(slope))
    assert ties.sets == 0


@pytest.mark.parametrize("admit", ["torch", "any"])
def test_a_ball_across_a_kink_is_the_hull_of_both_pieces(admit: Admitted) -> None:
    """Value and slope hold what both formulas give; no set is counted, because more precision may decide."""
    ties = Ties(admit)
    value, slope = hardtanh(ties)(1 + TINY)
    assert slope.contains(0)
    assert slope.contains(1)
    assert value.contains(1)
    assert value.rad() < arb(2) ** -90
    assert ties.sets == 0


def test_a_ball_across_two_kinks_meets_all_three_pieces() -> None:
    """The hull from the far left to the far right."""
    value, slope = hardtanh(Ties("torch"))(arb(0, 3))
    assert value.contains(arb(-1))
    assert value.contains(arb(1))
    assert slope.contains(0)
    assert slope.contains(1)


def test_any_subgradient_is_the_hull_of_both_sides_and_counted() -> None:
    """At an exact tie the slope is a set that no precision narrows, and the value stays the function's."""
    ties = Ties("any")
    value, slope = hardtanh(ties)(arb(1))
    assert value == 1
    assert slope.contains(0)
    assert slope.contains(1)
    assert not slope.contains(1.5)
    assert ties.sets == 1


def test_equal_slopes_on_both_sides_are_no_set() -> None:
    """Where only a higher derivative jumps, every choice is the same."""
    ties = Ties("any")
    function = piecewise((ZERO,), (line(ONE), line(ONE)), (0,), ties)
    assert function(arb(0)) == (ZERO, ONE)
    assert ties.sets == 0


def test_the_size_of_a_number_has_three_slopes_at_zero() -> None:
    """sign(z), 0 at the tie for torch, and all of [-1, 1] for any."""
    assert absolute("l1", Ties("torch"))(arb(-3)) == (arb(3), arb(-1))
    assert absolute("l1", Ties("torch"))(arb(0)) == (ZERO, ZERO)
    slope = absolute("l1", Ties("any"))(arb(0))[1]
    assert slope.contains(-1)
    assert slope.contains(1)


def test_nothing_is_known_of_nothing() -> None:
    """A NaN meets every piece: no value, and any of their slopes."""
    value, slope = hardtanh(Ties("torch"))(arb.nan())
    assert value.is_nan()
    assert slope.contains(0)
    assert slope.contains(1)


# --- PyTorch's choices ---

KINKS: Mapping[str, Callable[[Mapping[str, Any]], list[float]]] = {
    "relu": lambda options: [0.0],
    "leaky_relu": lambda options: [0.0],
    "relu6": lambda options: [0.0, 6.0],
    "hardtanh": lambda options: [options["min_val"], options["max_val"]],
    "hardsigmoid": lambda options: [-3.0, 3.0],
    "hardswish": lambda options: [-3.0, 3.0],
    "elu": lambda options: [0.0],
    "selu": lambda options: [0.0],
    "celu": lambda options: [0.0],
    "softshrink": lambda options: [-options["lambd"], options["lambd"]],
    "hardshrink": lambda options: [-options["lambd"], options["lambd"]],
    "threshold": lambda options: [options["threshold"]],
    "l1": lambda options: [0.0],
    "smooth_l1": lambda options: [-options["beta"], options["beta"]],
    "huber": lambda options: [-options["delta"], options["delta"]],
    "hinge_embedding": lambda options: [options["margin"]],
}

# A lambda of 0 moves both kinks of the shrinks together.
EDGES = [Formula("softshrink", (0.0,)), Formula("hardshrink", (0.0,))]
TIED = [formula for name in KINKS for formula in variants(name)] + EDGES


def tied_case(formula: Formula, z: float, dtype: str) -> Case:
    """One sample whose z (or a, for a loss) is exactly z, and the target with which the loss has its kink there.

    37 equal outputs, so that torch's vectorised kernels and the scalar code behind them are both asked.
    """
    activation, loss = (formula.id, "linear") if formula.name in ACTIVATIONS else ("identity", formula.id)
    case = build_case(NetworkSpec.parse(f"1-37,{activation},{loss},sum,n1,{'f' + dtype[-2:]},normal,s0,bias=0"))
    target = {"linear": 1.0, "hinge_embedding": -1.0}.get(case.spec.loss.name, 0.0)
    return replace(
        case,
        weights=(np.ones((37, 1), dtype=dtype),),
        x=np.full((1, 1), z, dtype=dtype),
        y=np.full((1, 37), target, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("formula", TIED, ids=lambda formula: formula.id)
def test_torch_takes_the_subgradient_that_is_listed(formula: Formula, dtype: str) -> None:
    """Exactly on every kink of every activation and elementwise loss, in both dtypes, torch gives the listed slope."""
    assert torch.__version__.startswith(VERSION.rpartition(".")[0]), "another PyTorch: look at TORCH_TIES again"
    for z in KINKS[formula.name](formula.options):
        case = tied_case(formula, z, dtype)
        assert_within(case, exact.enclose(case), autograd.gradients(case))


@pytest.mark.parametrize("formula", TIED, ids=lambda formula: formula.id)
def test_any_admits_torch_and_both_sides(formula: Formula) -> None:
    """The set at a tie holds the slopes at the neighbouring floats on both sides, up to their own distance."""
    for z in KINKS[formula.name](formula.options):
        case = tied_case(formula, z, "float64")
        found = exact.enclose(case, kinks="any")
        assert found.middle.deltas is not None
        assert found.radius.deltas is not None
        for side in (-1e-300, 1e-300) if z == 0.0 else (np.nextafter(z, -np.inf) - z, np.nextafter(z, np.inf) - z):
            beside = exact.enclose(replace(case, x=case.x + side))
            assert beside.middle.deltas is not None
            assert beside.radius.deltas is not None
            gap = np.abs(beside.middle.deltas[0] - found.middle.deltas[0])
            # Beside the kink a slope moves by at most |phi''| |side|, and no phi'' here exceeds 3.
            assert np.all(gap <= found.radius.deltas[0] + beside.radius.deltas[0] + 3 * abs(side))


def assert_within(case: Case, found: exact.Enclosure, answer: Gradients) -> None:
    """Each entry of the answer lies within the enclosure's radius and the rounding bound."""
    entries = zip(
        found.middle.quantities(), found.radius.quantities(), answer.quantities(), bound(case).quantities(), strict=True
    )
    for (quantity, layer, middle), (*_, radius), (*_, own), (*_, allowed) in entries:
        assert np.all(np.abs(middle - own) <= radius + allowed), (quantity, layer)


@pytest.mark.parametrize(
    ("text", "y"),
    [
        ("1-3,identity,multi_margin,sum,n1,f64,ones,s0", [0]),
        ("1-3,identity,multi_margin=2,sum,n1,f64,ones,s0", [0]),
        ("1-3,identity,multilabel_margin,sum,n1,f64,ones,s0", [[0, -1, -1]]),
    ],
)
def test_torch_takes_no_part_of_a_margin_that_is_just_kept(text: str, y: list[Any]) -> None:
    """Scores exactly a margin apart: torch's gradient is 0, and any admits the violated side as well."""
    case = build_case(NetworkSpec.parse(text))
    case = replace(case, weights=(np.array([[1.0], [0.0], [0.0]]),), x=np.ones((1, 1)), y=np.array(y))
    case = replace(case, biases=(np.zeros(3),))
    truth, admitted = exact.enclose(case), exact.enclose(case, kinks="any")
    assert_within(case, truth, autograd.reference(case))
    assert truth.middle.deltas is not None
    assert admitted.radius.deltas is not None
    assert not truth.middle.deltas[0].any()
    assert admitted.radius.deltas[0].any() == ("=2" not in text)


def test_the_list_names_what_the_catalogue_has() -> None:
    """No entry for a formula that is gone; the penalty is the only other."""
    assert set(TORCH_TIES) - {"penalty"} <= {*ACTIVATIONS, *LOSSES}

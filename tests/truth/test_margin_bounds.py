"""The losses of margins: no form of them leaves its bound, which jumps exactly where a margin may meet 0."""

import sys
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backproof.cases.catalogue import DTYPES, LOSSES
from backproof.cases.formula import Formula
from backproof.truth.arithmetic import Arithmetic, Kinks, Rounded
from backproof.truth.loss_bounds import LOSS_BOUNDS
from backproof.truth.margin_bounds import is_added_exactly, margin_error

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from perturbed_losses import excesses, formulas, perturbed, told

FORMULAS = formulas("hinge_embedding", "multi_margin", "multilabel_margin")

by_dtype = pytest.mark.parametrize("dtype", DTYPES)
by_formula = pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)


@by_dtype
@by_formula
@pytest.mark.parametrize("erring", [True, False], ids=["erring outputs", "exact outputs"])
@pytest.mark.parametrize("whole", [True, False], ids=["integers", "any numbers"])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_form_stays_within_the_bound(formula: Formula, dtype: str, erring: bool, whole: bool, seed: int) -> None:
    """Values and gradients; with integers many margins are met exactly, or straddled."""
    given = perturbed(formula, dtype, seed=seed, erring=erring, whole=whole)
    assert not told(excesses(given, forms="accurate"))


@by_dtype
@by_formula
def test_a_small_relative_error_is_found_in_every_form(formula: Formula, dtype: str) -> None:
    """The control: with exact outputs, 2^-12 too much leaves the bound of the values and of the gradient."""
    given = perturbed(formula, dtype, seed=1, erring=False)
    found = [excess.form for excess in excesses(given, forms="accurate", factor=1.0 + 2.0**-12)]
    assert any(form.startswith("value") for form in found)
    assert any(form.startswith("gradient") for form in found)


@by_dtype
@pytest.mark.parametrize("formula", formulas("l1", "hinge_embedding", "multi_margin"), ids=lambda formula: formula.id)
@pytest.mark.parametrize("erring", [True, False], ids=["erring outputs", "exact outputs"])
def test_every_subgradient_is_admitted_where_all_are(formula: Formula, dtype: str, erring: bool) -> None:
    """Other choices than PyTorch's at a tie leave the sharp bound and not the other; a control that ties are met."""
    given = perturbed(formula, dtype, seed=1, erring=erring, whole=True)
    assert not told(excesses(given, forms="accurate", kinks="any"))


@by_dtype
@pytest.mark.parametrize("name", ["l1", "hinge_embedding", "multi_margin"])
def test_integers_meet_ties(name: str, dtype: str) -> None:
    """The control: among integers some gradients have an error only where all subgradients are admitted."""
    given = perturbed(Formula.parse(name, LOSSES), dtype, seed=1, erring=False, whole=True)
    sharp, wide = (
        LOSS_BOUNDS[name](given.outputs, given.case.y, given.case.loss_options, Arithmetic.of(dtype, kinks=kinks))[1]
        for kinks in ("sharp", "any")
    )
    assert np.any(wide.error > sharp.error)


def slope(
    name: str, a: list[float], error: list[float], y: Any, *, dtype: str = "float64", kinks: Kinks = "sharp"
) -> tuple[list[float], list[float]]:
    """The gradient of one sample's loss and its error."""
    formula = Formula.parse(name, LOSSES)
    options = {key: None if key == "weight" else value for key, value in formula.options.items()}
    outputs = Rounded(np.array([a], dtype=np.float64), np.array([error], dtype=np.float64))
    _, gradient = LOSS_BOUNDS[formula.name](outputs, np.array(y), options, Arithmetic.of(dtype, kinks=kinks))
    return gradient.value[0].tolist(), gradient.error[0].tolist()


def thirds(error: list[float]) -> list[int]:
    """How many jumps of 1/3 each error admits, with the few roundings that a third has itself."""
    found = [round(3.0 * entry) for entry in error]
    for entry, count in zip(error, found, strict=True):
        assert count / 3.0 <= entry <= count / 3.0 * (1.0 + 2.0**-48)
    return found


def test_hinge_embedding_is_sharp_at_an_exact_tie() -> None:
    """PyTorch's -1 at a = margin, or both of -1 and 0; where the target is 1 there is no kink."""
    assert slope("hinge_embedding", [1.0, 1.0], [0.0, 0.0], [[-1.0, 1.0]]) == ([-1.0, 1.0], [0.0, 0.0])
    assert slope("hinge_embedding", [1.0, 1.0], [0.0, 0.0], [[-1.0, 1.0]], kinks="any") == ([-1.0, 1.0], [1.0, 0.0])
    assert slope("hinge_embedding", [1.5, 0.5], [0.0, 0.0], [[-1.0, -1.0]], kinks="any") == ([0.0, -1.0], [0.0, 0.0])


def test_hinge_embedding_admits_both_sides_of_a_straddled_margin() -> None:
    """Within twice the error of the output, and nothing beyond."""
    assert slope("hinge_embedding", [1.25, 1.25], [0.125, 0.124], [[-1.0, -1.0]]) == ([0.0, 0.0], [1.0, 0.0])
    assert slope("hinge_embedding", [1.25, 1.25], [0.125, 0.124], [[-1.0, -1.0]], kinks="none")[1] == [0.0, 0.0]


def test_a_margin_that_float32_rounds_is_no_sharp_one() -> None:
    """a = float32(0.3), margin 0.3: a tie for who rounds the margin, and none for who compares in float64."""
    a = float(np.float32(0.3))
    assert slope("hinge_embedding=0.3", [a], [0.0], [[-1.0]], dtype="float32")[1] == [1.0]
    assert slope("hinge_embedding=0.3", [a], [0.0], [[-1.0]], dtype="float64")[1] == [0.0]
    assert slope("hinge_embedding=0.3", [0.3], [0.0], [[-1.0]], dtype="float64") == ([-1.0], [0.0])


def test_multi_margin_is_sharp_where_its_sums_are_exact() -> None:
    """margin - a_y + a_k = 0 for k = 1 and 2: PyTorch's 0, or up to 1/K each, and their sum at the target."""
    a, nothing = [1.0, 0.0, 0.0], [0.0] * 3
    assert slope("multi_margin", a, nothing, [0]) == ([0.0] * 3, [0.0] * 3)
    value, error = slope("multi_margin", a, nothing, [0], kinks="any")
    assert value == [0.0] * 3
    assert thirds(error) == [2, 1, 1]


def test_multi_margin_in_tenths_is_not_sharp() -> None:
    """1 - 0.9 + (-0.1) is 0 or not, by the order of the sum."""
    a = [0.9, -0.1, 0.5]
    _, error = slope("multi_margin", a, [0.0] * 3, [0])
    assert error[1] >= 1.0 / 3.0
    assert error[2] < 2.0**-50
    assert error[0] >= error[1]


def test_squared_margins_have_no_kink() -> None:
    """p = 2: the gradient is continuous, and errs by what the margin errs, times 2/K."""
    a = [1.0, 0.0, -1.0]
    assert slope("multi_margin=2", a, [0.0] * 3, [0], kinks="any") == ([0.0] * 3, [0.0] * 3)
    error = slope("multi_margin=2", a, [0.125, 0.0, 0.0], [0])[1]
    assert 0.125 * 2.0 / 3.0 <= error[1] < 0.126 * 2.0 / 3.0
    assert error[2] == 0.0


def test_multilabel_margin_counts_the_pairs_that_may_jump() -> None:
    """Targets 0 and 2 against 1 at 1 - a_j + a_1 = 0: each pair may add 1/K at one end and take it at the other."""
    a, y = [1.0, 0.0, 1.0], [[0, 2, -1]]
    assert slope("multilabel_margin", a, [0.0] * 3, y) == ([0.0] * 3, [0.0] * 3)
    value, error = slope("multilabel_margin", a, [0.0] * 3, y, kinks="any")
    assert value == [0.0] * 3
    assert thirds(error) == [1, 2, 1]
    value, error = slope("multilabel_margin", [1.25, 0.0, 2.0], [0.125, 0.0, 0.0], y)
    assert value == [0.0] * 3
    assert thirds(error) == [1, 1, 0]


NUMBERS = st.one_of(
    st.integers(-64, 64).map(float),
    st.integers(-(2**16), 2**16).map(lambda whole: whole / 2**12),
    st.integers(-50, 50).map(lambda tenths: tenths / 10),
    st.floats(-(2.0**40), 2.0**40),
)


@by_dtype
@example(a=0.0, b=0.0, margin=5e-324)
@example(a=0.0, b=0.0, margin=3.5e-148)
@given(a=NUMBERS, b=NUMBERS, margin=NUMBERS)
def test_sums_that_are_called_exact_are_exact_in_every_order(dtype: str, a: float, b: float, margin: float) -> None:
    """margin - b + a in the dtype, against fractions; and the error is none there, else at least the rounding."""
    kind = np.dtype(dtype).type
    a, b = float(kind(a)), float(kind(b))
    arithmetic = Arithmetic.of(dtype)
    exact = bool(is_added_exactly(np.array(a), np.array(b), margin, arithmetic))
    zero = np.zeros(())
    allowed = margin_error(Rounded(np.array(a), zero), Rounded(np.array(b), zero), margin, arithmetic).item()
    assert (allowed == 0.0) == exact or (a == b == margin == 0.0)
    truth = Fraction(margin) - Fraction(b) + Fraction(a)
    for first, second, third in permutations([kind(a), -kind(b), kind(margin)]):
        computed = Fraction(float((first + second) + third))
        assert computed == truth if exact else abs(computed - truth) <= Fraction(allowed)


def test_every_margin_is_here() -> None:
    """The losses of the module and no other."""
    module = {name for name, bound in LOSS_BOUNDS.items() if bound.__module__.endswith("margin_bounds")}
    assert {formula.name for formula in FORMULAS} == module

"""The losses that measure a distance: no form of them leaves its bound, whatever the error of the outputs."""

import sys
from pathlib import Path

import numpy as np
import pytest

from backproof.cases.catalogue import DTYPES, LOSSES
from backproof.cases.formula import Formula
from backproof.truth.arithmetic import Arithmetic, Rounded
from backproof.truth.loss_bounds import LOSS_BOUNDS

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from perturbed_losses import excesses, formulas, perturbed, told

FORMULAS = formulas("mse", "half_squared_error", "l1", "smooth_l1", "huber", "gaussian_nll", "linear")

by_dtype = pytest.mark.parametrize("dtype", DTYPES)
by_formula = pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)


@by_dtype
@by_formula
@pytest.mark.parametrize("erring", [True, False], ids=["erring outputs", "exact outputs"])
@pytest.mark.parametrize("whole", [True, False], ids=["integers", "any numbers"])
def test_every_form_stays_within_the_bound(formula: Formula, dtype: str, erring: bool, whole: bool) -> None:
    """Values and gradients, with outputs that are off by 2^-60 to 2^-3 of themselves, or exact."""
    given = perturbed(formula, dtype, seed=1, erring=erring, whole=whole)
    assert not told(excesses(given, forms="accurate"))


@by_dtype
@by_formula
def test_a_small_relative_error_is_found_in_every_form(formula: Formula, dtype: str) -> None:
    """The control: with exact outputs, 2^-12 too much leaves the bound of the values and of the gradient."""
    given = perturbed(formula, dtype, seed=1, erring=False)
    found = [excess.form for excess in excesses(given, forms="textbook", factor=1.0 + 2.0**-12)]
    assert any(form.startswith("value") for form in found)
    assert any(form.startswith("gradient") for form in found)


def l1(a: float, y: float, error: float, **settings: str) -> tuple[float, float]:
    """The gradient of |a - y| and its error."""
    arithmetic = Arithmetic.of("float64", **settings)
    _, gradient = LOSS_BOUNDS["l1"](Rounded(np.array([[a]]), np.array([[error]])), np.array([[y]]), {}, arithmetic)
    return gradient.value.item(), gradient.error.item()


def test_l1_is_sharp_where_the_output_is_exact() -> None:
    """At a tie it is PyTorch's 0, unless all subgradients are admitted; next to it the sign is certain."""
    assert l1(0.5, 0.5, 0.0) == (0.0, 0.0)
    assert l1(0.5, 0.5, 0.0, kinks="any") == (0.0, 1.0)
    assert l1(np.nextafter(0.5, 1.0), 0.5, 0.0) == (1.0, 0.0)
    assert l1(np.nextafter(0.5, 1.0), 0.5, 0.0, kinks="any") == (1.0, 0.0)


def test_l1_admits_both_signs_where_the_output_may_be_on_either_side() -> None:
    """Within twice the error, since reference and candidate both err; beyond it the sign is certain."""
    assert l1(0.75, 0.5, 0.125) == (1.0, 2.0)
    assert l1(0.5, 0.5, 2.0**-60) == (0.0, 1.0)
    assert l1(0.75, 0.5, 0.12) == (1.0, 0.0)
    assert l1(0.75, 0.5, 0.125, kinks="none") == (1.0, 0.0)


def test_smooth_l1_of_beta_0_is_l1() -> None:
    """As in PyTorch."""
    a, y = Rounded(np.array([[0.25, 0.5]]), np.array([[0.5, 0.0]])), np.array([[0.0, 0.5]])
    arithmetic = Arithmetic.of("float32")
    for one, two in zip(
        LOSS_BOUNDS["smooth_l1"](a, y, {"beta": 0.0}, arithmetic), LOSS_BOUNDS["l1"](a, y, {}, arithmetic), strict=True
    ):
        assert np.array_equal(one.value, two.value)
        assert np.array_equal(one.error, two.error)


@pytest.mark.parametrize(
    ("name", "options", "steepest"), [("huber", {"delta": 0.5}, 0.5), ("smooth_l1", {"beta": 0.5}, 1.0)]
)
def test_a_clipped_gradient_cannot_err_by_more_than_its_range(
    name: str, options: dict[str, float], steepest: float
) -> None:
    """However wrong the output is, huber's g stays in [-delta, delta] and smooth_l1's in [-1, 1], but for rounding."""
    arithmetic = Arithmetic.of("float32")
    a = Rounded(np.array([[3.0, -3.0]]), np.array([[1e30, 1e-30]]))
    gradient = LOSS_BOUNDS[name](a, np.zeros((1, 2)), options, arithmetic)[1]
    assert np.all(gradient.error <= (2.0 + 4.0 * arithmetic.unit) * steepest)
    assert gradient.error[0, 1] <= 5.0 * arithmetic.unit * steepest


@pytest.mark.parametrize(("d", "known"), [(1.8e19, True), (1.9e19, False)])
def test_gaussian_nll_says_nothing_of_a_loss_whose_square_overflows(d: float, known: bool) -> None:
    """d^2 / v is 4e18 and fits float32; d^2 does not, and is what everybody computes first. The gradient is d / v."""
    a, options = Rounded(np.array([[d]]), np.zeros((1, 1))), {"var": np.full((1, 1), 1e20), "eps": 1e-6, "full": False}
    losses, gradient = LOSS_BOUNDS["gaussian_nll"](a, np.zeros((1, 1)), options, Arithmetic.of("float32"))
    assert np.isfinite(losses.error.item()) == known
    assert np.isfinite(gradient.error.item())


def test_every_distance_is_here() -> None:
    """The losses of the module and no other."""
    module = {name for name, bound in LOSS_BOUNDS.items() if bound.__module__.endswith("distance_bounds")}
    assert {formula.name for formula in FORMULAS} == module
    assert module < {*LOSSES}

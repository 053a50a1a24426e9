"""The losses on probabilities, rates and logits: no form of them leaves its bound, which is infinite at their poles."""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from backproof.cases.catalogue import DTYPES, LOSSES
from backproof.cases.formula import Formula
from backproof.truth.arithmetic import Arithmetic, Rounded
from backproof.truth.loss_bounds import LOSS_BOUNDS
from backproof.truth.loss_terms import Losses

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from perturbed_losses import excesses, formulas, perturbed, told

PROBABILITIES = ("bce", "categorical_cross_entropy")
LOGITS = ("bce_with_logits", "soft_margin", "multilabel_soft_margin", "cross_entropy")
FORMULAS = formulas(*PROBABILITIES, *LOGITS, "nll", "kl_div", "poisson_nll")

by_dtype = pytest.mark.parametrize("dtype", DTYPES)
by_formula = pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)


@by_dtype
@by_formula
@pytest.mark.parametrize("erring", [True, False], ids=["erring outputs", "exact outputs"])
def test_every_form_stays_within_the_bound(formula: Formula, dtype: str, erring: bool) -> None:
    """Values and gradients, with outputs that are off by 2^-60 to 2^-3 of themselves, or exact."""
    given = perturbed(formula, dtype, seed=1, erring=erring)
    assert not told(excesses(given, forms="accurate"))


@by_dtype
@pytest.mark.parametrize("formula", formulas(*LOGITS), ids=lambda formula: formula.id)
def test_lossy_forms_stay_within_the_textbook_bound(formula: Formula, dtype: str) -> None:
    """Logarithms of a rounded s(a) or softmax(a), and 1 - s(a), wherever they are finite."""
    given = perturbed(formula, dtype, seed=2)
    assert not told(excesses(given, forms="textbook"))


@by_dtype
@pytest.mark.parametrize("name", ["bce_with_logits", "soft_margin", "multilabel_soft_margin"])
def test_lossy_forms_leave_the_accurate_bound(name: str, dtype: str) -> None:
    """The control: log(1 - s(a)) is not what the accurate bound admits."""
    (formula,) = (own for own in formulas(name) if own.id == name)
    found = [excess.form for excess in excesses(perturbed(formula, dtype, seed=2), forms="textbook")]
    assert not found
    given = perturbed(formula, dtype, seed=2, erring=False)
    accurate, textbook = (
        LOSS_BOUNDS[name](given.outputs, given.case.y, given.case.loss_options, Arithmetic.of(dtype, forms=forms))
        for forms in ("accurate", "textbook")
    )
    assert np.all(textbook[0].error >= accurate[0].error)
    assert np.any(textbook[0].error > 1e3 * accurate[0].error)


@by_dtype
@by_formula
def test_a_small_relative_error_is_found_in_every_form(formula: Formula, dtype: str) -> None:
    """The control: with exact outputs, 2^-12 too much leaves the bound of the values and of the gradient."""
    given = perturbed(formula, dtype, seed=1, erring=False)
    found = [excess.form for excess in excesses(given, forms="accurate", factor=1.0 + 2.0**-12)]
    assert any(form.startswith("value") for form in found)
    assert any(form.startswith("gradient") for form in found)


def bounded(name: str, a: Any, error: Any, y: Any, dtype: str = "float64", **options: Any) -> tuple[Any, Rounded]:
    """The bound of a loss at outputs with errors, all given as lists."""
    formula = Formula.parse(name, LOSSES)
    given = {key: value for key, value in formula.options.items() if key != "target"}
    given |= {key: None for key in ("weight", "pos_weight") if key in given}
    outputs = Rounded(np.array(a, dtype=np.float64), np.array(error, dtype=np.float64))
    with np.errstate(all="ignore"):
        return LOSS_BOUNDS[formula.name](outputs, np.array(y), given | options, Arithmetic.of(dtype))


@pytest.mark.parametrize("smoothing", [0.99, 0.999, 0.9999])
def test_a_label_smoothing_near_one_is_rounded(smoothing: float) -> None:
    """1 - smoothing cancels: float32's own 1 - smoothing is off by far more than it rounds."""
    classes = 64
    a = np.zeros((1, classes))
    a[0, 0] = -60.0
    _, allowed = bounded("cross_entropy", a, np.zeros_like(a), [0], "float32", label_smoothing=smoothing)
    kept, spread = np.float32(1) - np.float32(smoothing), np.float32(smoothing) / np.float32(classes)
    wanted = (1.0 - smoothing) + smoothing / classes
    assert abs(float(kept + spread) - wanted) <= allowed.error[0, 0]


@pytest.mark.parametrize(
    ("p", "error", "blind"),
    [
        (0.5, 0.25, True),
        (0.5, 0.249, False),
        (0.9, 0.05, True),
        (0.0, 0.0, True),
        (1.0, 0.0, True),
        (1e-10, 1e-9, True),
    ],
)
def test_bce_says_nothing_where_the_quotient_has_no_bound(p: float, error: float, blind: bool) -> None:
    """Where p or 1 - p is within twice the error of 0, rounding alone can make inf, NaN or PyTorch's clamp of it."""
    losses, gradient = bounded("bce", [[p]], [[error]], [[0.5]])
    assert np.isinf(losses.error.item()) == blind
    assert np.isinf(gradient.error.item()) == blind


@pytest.mark.parametrize(("p", "error", "blind"), [(0.5, 0.25, True), (0.5, 0.249, False), (0.0, 0.0, True)])
def test_categorical_cross_entropy_says_nothing_where_p_may_be_zero(p: float, error: float, blind: bool) -> None:
    """Nor of the sample's loss then, of which that logarithm is a term."""
    losses, gradient = bounded("categorical_cross_entropy", [[p, 0.5]], [[error, 0.0]], [[1.0, 0.0]])
    assert np.isinf(gradient.error).tolist() == [[blind, False]]
    assert np.isinf(losses.error.item()) == blind


@pytest.mark.parametrize(("p", "y", "value", "slope"), [(0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 0.0, -1.0)])
def test_bce_has_no_term_for_the_class_that_is_not_there(p: float, y: float, value: float, slope: float) -> None:
    """0 log 0 is no term: the loss is known where the output has reached its label, and so is the slope's range."""
    losses, gradient = bounded("bce", [[p]], [[1e-16]], [[y]])
    assert losses.value.item() == value
    assert losses.error.item() < np.finfo(np.float64).eps * 4
    assert gradient.value.item() == slope
    assert 1.0 <= gradient.error.item() < 2.0, "PyTorch's stand-in for p (1 - p) makes the slope 0"


def test_bce_of_the_other_label_stays_unknown() -> None:
    """An output that has reached the wrong label: the term that counts is a logarithm of 0."""
    for p, y in ((0.0, 1.0), (1.0, 0.0)):
        losses, gradient = bounded("bce", [[p]], [[0.0]], [[y]])
        assert np.isinf(losses.error.item())
        assert np.isinf(gradient.error.item())


def test_categorical_cross_entropy_has_no_term_for_a_class_that_cannot_occur() -> None:
    """Its probability may have underflowed: y log p and y / p are 0 with y, not NaN."""
    losses, gradient = bounded("categorical_cross_entropy", [[1.0, 0.0]], [[1e-16, 1e-300]], [[1.0, 0.0]])
    assert np.isfinite(losses.error.item())
    assert gradient.value.tolist() == [[-1.0, 0.0]]
    assert gradient.error[0, 1] == 0.0


@pytest.mark.parametrize(("a", "blind"), [(math.log(3e38), False), (89.0, True)])
def test_poisson_nll_says_nothing_where_the_rate_overflows(a: float, blind: bool) -> None:
    """exp(89) is beyond float32's largest number."""
    losses, gradient = bounded("poisson_nll", [[a]], [[0.0]], [[1.0]], "float32")
    assert np.isinf(losses.error.item()) == blind
    assert np.isinf(gradient.error.item()) == blind


@pytest.mark.parametrize("dtype", DTYPES)
def test_kl_div_of_logarithms_admits_a_probability_that_underflows(dtype: str) -> None:
    """exp(y) = 4e-44 may be 0 in float32, and times 1e30 it is no small number: the loss is 0 or 4e-14."""
    y, a = {"float32": (-100.0, -1e30), "float64": (-744.0, -1e300)}[dtype]
    losses, gradient = bounded("kl_div=1", [[a]], [[0.0]], [[y]], dtype)
    assert 0.0 < losses.value.item() <= losses.error.item()
    assert 0.0 < -gradient.value.item() <= gradient.error.item()
    assert losses.error.item() < 1e10


@pytest.mark.parametrize(("a", "known"), [(88.0, True), (89.0, False)])
def test_a_logarithm_of_an_overflow_is_a_lossy_form(a: float, known: bool) -> None:
    """log(1 + exp(89)) is infinite in float32; forms that are accurate in the tail say 89. In float64 it is 710."""
    for z, dtype in ((a, "float32"), (a * 8.0, "float64")):
        formula = Formula.parse("soft_margin", LOSSES)
        outputs, y = Rounded(np.array([[z, z]]), np.zeros((1, 2))), np.array([[-1.0, 1.0]])
        arithmetic = Arithmetic.of(dtype, forms="textbook")
        with np.errstate(all="ignore"):
            losses, _ = LOSS_BOUNDS["soft_margin"](outputs, y, formula.options, arithmetic)
        assert (losses.error[0, 0] <= arithmetic.unit * arithmetic.largest) == known
        accurate = bounded("soft_margin", [[z, z]], [[0.0, 0.0]], [[-1.0, 1.0]], dtype)[0]
        assert np.all(accurate.error < 1e3)


def test_a_class_that_counts_for_nothing_has_no_error_beside_an_overflow() -> None:
    """0 times the overflow of its exponential is 0, not NaN."""
    weight = np.array([0.0, 1.0])
    outputs, y = Rounded(np.array([[800.0, 1.0]]), np.zeros((1, 2))), np.ones((1, 2))
    arithmetic = Arithmetic.of("float64", forms="textbook")
    with np.errstate(all="ignore"):
        losses, _ = LOSS_BOUNDS["multilabel_soft_margin"](outputs, y, {"weight": weight}, arithmetic)
    assert np.isfinite(losses.error).all()


def test_poisson_nll_of_a_rate_says_nothing_where_it_may_be_zero() -> None:
    """1 - y/(a + eps) at a + eps within twice its error of 0."""
    assert np.isinf(bounded("poisson_nll=0", [[1e-9]], [[1e-8]], [[1.0]])[1].error.item())
    assert np.isfinite(bounded("poisson_nll=0+0+0.125", [[0.0]], [[0.0625]], [[1.0]])[1].error.item()) is np.False_
    assert np.isfinite(bounded("poisson_nll=0+0+0.125", [[0.0]], [[0.0624]], [[1.0]])[1].error.item())


def test_an_ignored_target_has_no_loss_and_no_gradient() -> None:
    """Exactly 0, without any error, in nll and in cross_entropy, smoothed or not."""
    for name in ("nll=none+1", "cross_entropy=index+none+1", "cross_entropy=index+none+1+0.1"):
        losses, gradient = bounded(name, [[-1.0, -2.0], [-3.0, -0.5]], [[0.1, 0.1], [0.1, 0.1]], [1, 0])
        for part in (losses, gradient):
            assert not part.value[0].any()
            assert not part.error[0].any()
            assert part.value[1].any()


def test_a_copied_gradient_is_exact() -> None:
    """nll's -w_y and kl_div's -y are copies; only cross_entropy's has an error where nll's has none."""
    a, e = [[-1.0, -2.0]], [[0.1, 0.1]]
    assert not bounded("nll", a, e, [1])[1].error.any()
    assert not bounded("kl_div", a, e, [[0.25, 0.75]])[1].error.any()
    assert bounded("kl_div=1", a, e, [[-0.5, -1.0]])[1].error.all()
    assert bounded("cross_entropy", a, e, [1])[1].error.all()


def test_one_class_leaves_cross_entropy_nothing_to_err_in() -> None:
    """p = 1 whatever the logit: g = 0, up to the roundings of terms near 1."""
    _, gradient = bounded("cross_entropy", [[1e3]], [[10.0]], [0], "float32")
    assert gradient.value.item() == 0.0
    assert gradient.error.item() <= 8.0 * 2.0**-24


@pytest.mark.parametrize(
    ("name", "y", "terms"),
    [
        ("nll", [1, 0], 2),
        ("cross_entropy", [1, 0], 2),
        ("cross_entropy=index+none+-100+0.1", [1, 0], 6),
        ("multilabel_soft_margin", [[1.0, 0.0, 1.0]] * 2, 6),
        ("categorical_cross_entropy", [[0.5, 0.5, 0.0]] * 2, 6),
        ("kl_div", [[0.5, 0.5, 0.0]] * 2, 6),
        ("mse", [[0.5, 0.5, 0.0]] * 2, 6),
    ],
)
def test_losses_know_how_many_terms_a_sum_of_them_has(name: str, y: Any, terms: int) -> None:
    """One per sample where the others are zeros by definition, else all."""
    losses, _ = bounded(name, [[0.2, 0.3, 0.5]] * 2, [[0.0] * 3] * 2, y)
    assert Losses.of(losses).terms == terms
    assert np.all(Losses.of(losses).size >= np.abs(losses.value))


def test_every_likelihood_is_here() -> None:
    """The losses of the module and no other."""
    module = {name for name, bound in LOSS_BOUNDS.items() if bound.__module__.endswith("likelihood_bounds")}
    assert {formula.name for formula in FORMULAS} == module


@by_dtype
@pytest.mark.parametrize("a", [-10.0, -3.0, 3.0, 10.0])
@pytest.mark.parametrize("weight", [0.001, 0.003, 0.01, 0.3, 2.7])
def test_a_small_pos_weight_cancels_in_right_forms(dtype: str, a: float, weight: float) -> None:
    """P + 1 - y and 1 + (p - 1) y, as PyTorch's kernels have them, with y = 1: what is left of 1 is p."""
    number = np.dtype(dtype).type
    p, z, one = number(weight), number(a), number(1)
    s = one / (one + np.exp(-z))
    softplus = np.log1p(np.exp(-np.abs(z))) + max(-z, number(0))
    slopes = [(p + one - one) * s - p, -((p - one) * one + one) * (one / (one + np.exp(z)))]
    arithmetic, y = Arithmetic.of(dtype), np.ones((1, 1))
    options = {"pos_weight": np.array([p], dtype=np.float64)}
    bounded = LOSS_BOUNDS["bce_with_logits"](Rounded(np.full((1, 1), a), np.zeros((1, 1))), y, options, arithmetic)
    loss, gradient = bounded
    with ctx.workprec(120):
        slope, value = -arb(float(p)) / (1 + arb(a).exp()), arb(float(p)) * (1 + arb(-a).exp()).log()
        for found in slopes:
            assert abs(arb(float(found)) - slope) <= gradient.error.item()
        assert abs(arb(float(((p - one) * one + one) * softplus)) - value) <= loss.error.item()
    unweighted = LOSS_BOUNDS["bce_with_logits"](Rounded(np.full((1, 1), a), np.zeros((1, 1))), y, {}, arithmetic)
    assert gradient.error.item() <= unweighted[1].error.item() * (1.0 + 2.0 * weight)

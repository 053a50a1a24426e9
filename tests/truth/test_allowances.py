"""Every form of every activation stays within its allowance, in both dtypes, over the whole range; wrong ones fail."""

import math
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases.catalogue import ACTIVATIONS, DTYPES
from backproof.cases.formula import Formula
from backproof.truth.curves import CURVES

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from exact_activations import Exact
from sweep_allowances import Finding, formulas, measure, points, sweep, truth

POINTS = 600

# PyTorch 2.13's own departures from its forward pass, which no allowance is to absorb: (activation, dtype, quantity).
# hardsigmoid's backward multiplies by float32(1/6); celu's takes alpha as float32, where that is another number.
INACCURATE = {(name, "float64", "slope") for name in ("hardsigmoid", "celu=0.3", "celu=1.7")}
# The |z| from which PyTorch and scratch may overflow although the truth does not: gelu's backward has 0 * inf where
# z^2 overflows; hardswish multiplies by 6 before it divides by 6. The others' truth itself is near the largest number.
OVERFLOWS = {
    ("gelu=tanh", "slope"): math.sqrt,
    ("hardswish", "value"): lambda largest: largest / 6.0,
    ("selu", "value"): lambda largest: largest / 1.06,
    ("leaky_relu=2", "value"): lambda largest: largest / 2.0,
}

by_formula = pytest.mark.parametrize("formula", formulas(), ids=lambda formula: formula.id)
by_dtype = pytest.mark.parametrize("dtype", DTYPES)


def described(findings: list[Finding]) -> str:
    """One line per finding."""
    return "\n".join(
        f"{f.formula} {f.dtype} {f.quantity}, {f.kind} form {f.form}: {f.worst:.3g} allowances at z = {f.at!r},"
        f" not finite from |z| = {f.infinite_from:.3g}"
        for f in findings
    )


def is_listed(finding: Finding) -> bool:
    """Whether PyTorch is known to be inaccurate there."""
    departs = (finding.formula, finding.dtype, finding.quantity) in INACCURATE
    return departs and finding.form.startswith("torch")


@by_dtype
@by_formula
def test_allowances_admit_every_form(formula: Formula, dtype: str) -> None:
    """No form errs by more than the allowance that is to admit it, flushed to zero or not; PyTorch's departures aside.

    PyTorch and scratch are finite where the truth is, but where they are known to overflow.
    """
    findings = [f for flush in (False, True) for f in sweep(formula, dtype, count=POINTS, flush=flush)]
    excess = [f for f in findings if f.worst > 1.0 and not is_listed(f)]
    assert not excess, described(excess)
    largest = float(np.finfo(dtype).max)
    limits = {q: OVERFLOWS.get((formula.id, q), lambda _: math.inf)(largest) for q in ("value", "slope")}
    shipped = [f for f in findings if f.form.startswith(("torch", "scratch"))]
    overflows = [f for f in shipped if f.infinite_from < limits[f.quantity]]
    assert not overflows, described(overflows)


@pytest.mark.parametrize(("activation", "dtype", "quantity"), sorted(INACCURATE))
def test_torch_departures_are_still_there(activation: str, dtype: str, quantity: str) -> None:
    """Each listed departure is met, so that the list does not outlive it."""
    formula = Formula.parse(activation, ACTIVATIONS)
    [finding] = [f for f in sweep(formula, dtype, count=POINTS) if f.form == "torch" and f.quantity == quantity]
    assert finding.worst > 1.0


@cache
def held_to_accurate(activation: str, dtype: str) -> tuple[Finding, ...]:
    """Every form of the activation, held to the accurate allowance."""
    return tuple(sweep(Formula.parse(activation, ACTIVATIONS), dtype, count=POINTS, judge="accurate"))


@pytest.mark.parametrize(
    ("activation", "quantity", "form"),
    [
        ("sigmoid", "value", "1-1/(1+exp(z))"),
        ("sigmoid", "slope", "(1-tanh^2(z/2))/4"),
        ("tanh", "value", "(e-1/e)/(e+1/e)"),
        ("tanh", "slope", "1-a^2 of 1-2/(exp(2z)+1)"),
        ("softplus", "value", "log(1+exp(z))"),
        ("softplus", "slope", "1-exp(-beta a)"),
        ("logsigmoid", "value", "log(s(z))"),
        ("elu", "value", "alpha (exp-1)"),
        ("elu", "slope", "a+alpha"),
        ("selu", "value", "scale alpha (exp-1)"),
        ("mish", "value", "z tanh(log(1+exp(z)))"),
    ],
)
@by_dtype
def test_lossy_forms_exceed_the_accurate_allowance(activation: str, quantity: str, form: str, dtype: str) -> None:
    """The accurate allowance tells lossy forms from accurate ones: it is not merely large."""
    [finding] = [f for f in held_to_accurate(activation, dtype) if (f.quantity, f.form) == (quantity, form)]
    assert finding.worst > 1.0


@by_dtype
@by_formula
def test_wrong_values_exceed_both_allowances(formula: Formula, dtype: str) -> None:
    """phi and phi' that are off by one part in 2^10 are found in every activation: an allowance is not a licence."""
    z = points(formula, dtype, POINTS, 0)
    curve, wide, point = CURVES[formula.name], z.astype(np.float64), np.zeros(z.shape)
    unit = float(np.finfo(dtype).eps) / 2
    with np.errstate(over="ignore", invalid="ignore"):
        known = truth(formula, z, flush=False)
        for allowance in (curve.accurate, curve.textbook):
            for part, slack, rule in (
                (known.value, known.value_slack, allowance.value),
                (known.slope, known.slope_slack, allowance.slope),
            ):
                wrong = (part.high * (1.0 + 2.0**-10)).astype(dtype)
                over, _ = measure(wrong, part, slack, rule(wide, point, formula.options), unit)
                assert over.max() > 1.0


def test_measure_counts_nothing_where_nothing_is_wrong() -> None:
    """Zero error is zero allowances, also where nothing is allowed; an error there is infinitely many."""
    z, zero = np.array([0.0, 1.0]), np.zeros(2)
    over, finite = measure(z, Exact(z, zero), zero, zero, 2.0**-53)
    assert over.tolist() == [0.0, 0.0]
    assert finite.all()
    assert measure(z + 1.0, Exact(z, zero), zero, zero, 2.0**-53)[0].tolist() == [math.inf, math.inf]


@pytest.mark.parametrize("form", ["accurate", "textbook"])
@given(z=st.floats(-800, 800), r=st.floats(0, 50), where=st.floats(-1, 1), formula=st.sampled_from(formulas()))
def test_allowances_bound_the_whole_interval(form: str, formula: Formula, z: float, r: float, where: float) -> None:
    """S and S' over [z - r, z + r] are no less than S and S' at any point of it, but for their own rounding."""
    allowance = getattr(CURVES[formula.name], form)
    centre, inside = np.array([z]), np.array([z + where * r])
    radius = np.maximum(r, np.abs(inside - centre)) + np.spacing(np.abs(centre) + r)
    for rule in (allowance.value, allowance.slope):
        at_point = rule(inside, np.zeros(1), formula.options)
        assert rule(centre, radius, formula.options) >= at_point * (1.0 - 2.0**-40)


@given(z=st.floats(-1e300, 1e300), r=st.floats(0, 1e300), formula=st.sampled_from(formulas()))
def test_textbook_allowance_admits_what_the_accurate_one_admits(formula: Formula, z: float, r: float) -> None:
    """The textbook allowance is never below the accurate one, and neither is negative or NaN."""
    curve, centre, radius = CURVES[formula.name], np.array([z]), np.array([r])
    for quantity in ("value", "slope"):
        accurate = getattr(curve.accurate, quantity)(centre, radius, formula.options)
        textbook = getattr(curve.textbook, quantity)(centre, radius, formula.options)
        assert 0.0 <= accurate <= textbook

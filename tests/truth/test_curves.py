"""The curves' mathematics against ball arithmetic: values, slopes, curvatures, suprema, ranges, kinks."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from flint import arb, arb_poly, ctx
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases.catalogue import ACTIVATIONS
from backproof.cases.formula import Formula
from backproof.truth import shapes
from backproof.truth.curves import CURVES, Kink, is_numerical

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from activation_forms import torch_forms
from exact_activations import exact
from sweep_allowances import formulas, measure, points, truth

UNIT = 2.0**-53
GRID = np.arange(-12 * 64, 12 * 64 + 1) / 64
SPACING = 1 / 64

by_formula = pytest.mark.parametrize("formula", formulas(), ids=lambda formula: formula.id)


def clear_of(formula: Formula, z: np.ndarray, distance: float) -> np.ndarray:
    """The z whose neighbourhood of that size holds neither kink nor bend."""
    curve = CURVES[formula.name]
    places = [kink.position for kink in curve.kinks(formula.options)]
    places += [place for place, _ in curve.bends(formula.options)]
    keep = np.ones(z.shape, dtype=bool)
    for place in places:
        keep &= np.abs(z - place) > distance
    return z[keep]


def exact_slope(formula: Formula, z: np.ndarray) -> np.ndarray:
    """phi'(z) to the last bit of float64."""
    return exact(formula.name, z, formula.options)[1].high


def test_curves_cover_the_catalogue() -> None:
    """Every elementwise activation has a curve, and nothing else has."""
    assert set(CURVES) == {name for name, entry in ACTIVATIONS.items() if not entry.rowwise}


@by_formula
def test_value_and_slope_are_as_accurate_as_a_correct_form(formula: Formula) -> None:
    """phi and phi' stay within the accurate allowance of float64 over the whole range of z."""
    z = points(formula, "float64", 600, 3)
    curve, point = CURVES[formula.name], np.zeros(z.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        known = truth(formula, z, flush=False)
        for computed, part, slack, rule in (
            (curve.value(z, formula.options), known.value, known.value_slack, curve.accurate.value),
            (curve.slope(z, formula.options), known.slope, known.slope_slack, curve.accurate.slope),
        ):
            over, _ = measure(computed, part, slack, rule(z, point, formula.options), UNIT)
            assert over.max() <= 1.0, z[np.argmax(over)]


@by_formula
def test_slope_at_a_kink_is_torch_s_subgradient(formula: Formula) -> None:
    """Where phi' does not exist, the slope is PyTorch's, in every layout of memory; where it does exist there, too."""
    curve = CURVES[formula.name]
    kinks = [kink.position for kink in curve.kinks(formula.options)]
    if not kinks:
        assert curve.bends(formula.options) or not curve.exact or formula.name == "identity"
        return
    z = np.array(kinks * 5)
    unit = np.zeros(z.shape)
    for form, _, a, phi_prime in torch_forms(formula, z):
        allowed = UNIT * curve.accurate.slope(z, unit, formula.options)
        assert (np.abs(phi_prime - curve.slope(z, formula.options)) <= allowed).all(), form
        allowed = UNIT * curve.accurate.value(z, unit, formula.options)
        assert (np.abs(a - curve.value(z, formula.options)) <= allowed).all(), form


@by_formula
def test_nothing_warns_for_any_size_of_z(formula: Formula) -> None:
    """From subnormals to 1e300, with r = 0 and r = |z|, everything about a curve is silent and is a number."""
    sizes = np.array([0.0, 5e-324, 1e-310, 1e-300, 1e-9, 1.0, 37.0, 710.0, 746.0, 1e9, 1e155, 1e300])
    z = np.concatenate([-sizes, sizes])
    curve, options = CURVES[formula.name], formula.options
    computed = [curve.value(z, options), curve.slope(z, options), curve.curvature(z, options)]
    for r in (np.zeros(z.shape), np.abs(z)):
        computed.append(curve.curvature_within(z, r, options))
        for allowance in (curve.accurate, curve.textbook):
            computed.extend((allowance.value(z, r, options), allowance.slope(z, r, options)))
        if curve.ambiguity is not None:
            computed.extend(curve.ambiguity(z, r, options))
    for array in computed:
        assert array.shape == z.shape
        assert np.isfinite(array).all()


@by_formula
def test_curvature_is_the_slope_of_the_slope(formula: Formula) -> None:
    """| |phi'(z+h) - phi'(z-h)| / 2h - |phi''(z)| | <= h sup of the third derivative, off kinks and bends."""
    curve, h = CURVES[formula.name], 2.0**-8
    z = clear_of(formula, GRID, h)
    difference = np.abs(exact_slope(formula, z + h) - exact_slope(formula, z - h)) / (2.0 * h)
    rounding = 2.0 * UNIT * max(map(abs, curve.slope_range(formula.options))) / h
    allowed = h * curve.third_sup(formula.options) + rounding
    assert (np.abs(difference - curve.curvature(z, formula.options)) <= allowed).all()


@by_formula
def test_suprema_hold_and_are_near_the_largest(formula: Formula) -> None:
    """sup |phi''| and sup |phi'''| are not exceeded on a grid, and are less than twice what is seen there."""
    curve = CURVES[formula.name]
    z = GRID / formula.options.get("beta", 1.0) if formula.name == "softplus" else GRID
    curvature = curve.curvature(z, formula.options)
    assert curvature.max() <= curve.curvature_sup(formula.options) <= 2.0 * curvature.max()
    inner = clear_of(formula, z, z[1] - z[0])
    step = (z[1] - z[0]) / 2
    third = np.abs(curve.curvature(inner + step, formula.options) - curve.curvature(inner - step, formula.options))
    supremum = curve.third_sup(formula.options)
    noise = 16.0 * UNIT * curve.curvature_sup(formula.options)
    assert third.max() <= 2.0 * step * supremum + noise
    assert 2.0 * step * supremum <= 2.0 * third.max() + noise


@by_formula
def test_ranges_hold_every_value(formula: Formula) -> None:
    """phi and phi' stay within value_range and slope_range, and come near both ends of what is finite."""
    curve = CURVES[formula.name]
    z = np.concatenate([GRID, 100.0 * GRID])
    for computed, (low, high) in (
        (curve.value(z, formula.options), curve.value_range(formula.options)),
        (curve.slope(z, formula.options), curve.slope_range(formula.options)),
    ):
        assert low <= computed.min()
        assert computed.max() <= high
        if math.isfinite(high - low):
            assert high - low <= 2.0 * (computed.max() - computed.min())


@by_formula
def test_kinks_have_the_jumps_that_phi_has(formula: Formula) -> None:
    """On both sides of a kink, exact arithmetic sees slope_jump in phi' and value_jump in phi; elsewhere none."""
    curve, h = CURVES[formula.name], 2.0**-20
    steepest, bend = max(map(abs, curve.slope_range(formula.options))), curve.curvature_sup(formula.options)
    for kink in curve.kinks(formula.options):
        sides = np.array([kink.position - h, kink.position + h])
        value, slope = exact(formula.name, sides, formula.options)
        jump = abs(slope.high[1] - slope.high[0])
        assert abs(jump - kink.slope_jump) <= 2.0 * h * bend + 4.0 * UNIT
        jump = abs(value.high[1] - value.high[0])
        # A jump may be stated for parameters that float32 rounds.
        assert abs(jump - kink.value_jump) <= 2.0 * h * steepest + 2.0**-20 * kink.value_jump
    if curve.ambiguity is None:
        z = clear_of(formula, GRID, SPACING)
        step = np.abs(exact_slope(formula, z + SPACING / 2) - exact_slope(formula, z - SPACING / 2))
        assert (step <= SPACING * bend + 4.0 * UNIT * steepest).all()


@given(formula=st.sampled_from(formulas()), z=st.floats(-30, 30), r=st.floats(0, 8), where=st.floats(-1, 1))
def test_curvature_within_bounds_the_whole_interval(formula: Formula, z: float, r: float, where: float) -> None:
    """No |phi''| within r of z exceeds curvature_within, bends and kinks included."""
    curve = CURVES[formula.name]
    inside = np.array([z + where * r])
    radius = np.maximum(r, np.abs(inside - z)) + np.spacing(abs(z) + r)
    largest = curve.curvature_within(np.array([z]), radius, formula.options)
    assert curve.curvature(inside, formula.options) <= largest * (1.0 + 2.0**-40)


def test_kink_radius_is_zero_where_the_position_is_exact() -> None:
    """A position that float32 holds is tested sharply; one that it rounds is met within that rounding."""
    [low, high] = CURVES["hardtanh"].kinks({"min_val": -0.5, "max_val": 0.7})
    assert low == Kink(-0.5, 1.0)
    assert abs(float(np.float32(0.7)) - 0.7) <= 2.0**-24 * high.radius_units


def test_kink_is_in_doubt_within_its_radius_and_not_at_an_exact_tie() -> None:
    """hardsigmoid's kink at 3 is a tie at 3 exactly, and in doubt just beside it or where z itself is."""
    [_, kink] = CURVES["hardsigmoid"].kinks({})
    z, e_z = np.array([3.0, 3.0, 3.0 + 4.0 * UNIT]), np.array([0.0, UNIT, 0.0])
    assert (kink.doubt(z, e_z, UNIT) > np.abs(z - kink.position)).tolist() == [False, True, True]


@given(z=st.floats(-50, 120), beta=st.sampled_from((0.5, 1.0, 2.0, 3.0)), threshold=st.sampled_from((4.0, 20.0, 30.0)))
def test_softplus_set_holds_both_branches_beyond_a_numerical_threshold(z: float, beta: float, threshold: float) -> None:
    """Smooth form and identity differ by no more than the ambiguity; below, or at a small threshold, there is none."""
    options = {"beta": beta, "threshold": threshold}
    ambiguity = CURVES["softplus"].ambiguity
    assert ambiguity is not None
    point = np.array([z])
    value, slope = ambiguity(point, np.zeros(1), options)
    x = arb(beta) * arb(z)
    if is_numerical(threshold) and x > threshold:
        assert (-x).exp().log1p() / arb(beta) <= arb(float(value[0])) * (1 + arb(2) ** -40)
        assert 1 / (1 + x.exp()) <= arb(float(slope[0])) * (1 + arb(2) ** -40)
        assert not CURVES["softplus"].kinks(options)
    elif not is_numerical(threshold) or beta * z < threshold - 1.0:
        assert value == slope == 0.0
    assert bool(CURVES["softplus"].kinks(options)) != is_numerical(threshold)


def test_scaled_erfc_is_its_chebyshev_projection() -> None:
    """The polynomial of (1 + 2x) erfcx(x) in (x - c)/(x + c), made again in ball arithmetic, is that of the source."""
    nodes, degree = 120, len(shapes.SCALED_ERFC) - 1
    previous, ctx.prec = ctx.prec, 300
    try:
        centre = arb(shapes.SCALED_ERFC_CENTRE)
        angles = [arb.pi() * (2 * j + 1) / (2 * nodes) for j in range(nodes)]
        x = [centre * (1 + t.cos()) / (1 - t.cos()) for t in angles]
        g = [(1 + 2 * v) * (v * v).exp() * v.erfc() for v in x]
        chebyshev = [
            sum((a * (k * t).cos() for a, t in zip(g, angles, strict=True)), arb(0)) * 2 / nodes
            for k in range(degree + 1)
        ]
        before, basis = arb_poly([1]), arb_poly([0, 1])
        total = arb_poly([chebyshev[0] / 2]) + arb_poly([chebyshev[1]]) * basis
        for coefficient in chebyshev[2:]:
            before, basis = basis, arb_poly([0, 2]) * basis - before
            total += arb_poly([coefficient]) * basis
        assert tuple(float(total[k]) for k in range(degree + 1)) == shapes.SCALED_ERFC
    finally:
        ctx.prec = previous


def test_torch_is_the_version_whose_subgradients_these_are() -> None:
    """The subgradients are those of PyTorch 2.13: another version is to be looked at."""
    assert torch.__version__.startswith("2.13.")

"""softmax, softmin and log_softmax: no form of them, nor of their Jacobian products, leaves its bound."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx
from numpy.typing import NDArray

from backproof.cases.catalogue import ACTIVATIONS, DTYPES
from backproof.truth.arithmetic import Arithmetic, Rounded
from backproof.truth.balls import softmax as exact_softmax
from backproof.truth.balls import total
from backproof.truth.rowwise_bounds import ROWWISE_BOUNDS, SoftmaxJacobian, log_probabilities, probabilities

# tests are no package, so that a neighbour is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))
from rowwise_forms import LOG_SOFTMAX, LOG_SOFTMAX_PRODUCTS, SOFTMAX, SOFTMAX_PRODUCTS

Array = NDArray[Any]
Balls = list[list[arb]]
BITS = 256
OVERFLOWS = 40.0
"""The |z| from which exp(z) may overflow in float32, or p be subnormal: a naive form is not lossy there but wrong."""
SHIFTS = (0.0, 1.0, -30.0, 40.0)
SIZES = (2.0**-8, 1.0, 30.0)

by_dtype = pytest.mark.parametrize("dtype", DTYPES)
by_classes = pytest.mark.parametrize("classes", [2, 3, 16, 64])
by_errors = pytest.mark.parametrize("erring", [True, False], ids=["erring", "exact"])


def drawn(dtype: str, classes: int, generator: np.random.Generator) -> Array:
    """Rows of three sizes, shifted by different amounts: probabilities from 1/K to 0."""
    rows = [size * generator.standard_normal((2, classes)) + shift for size in SIZES for shift in SHIFTS]
    return np.concatenate(rows).astype(dtype)


def perturbed(computed: Array, generator: np.random.Generator, *, erring: bool) -> tuple[Balls, Rounded]:
    """The truth within an error of what was computed; what the bound is evaluated at, off by as much; and that error.

    The errors of a row have one size, from 2^-60 to 2^-4.
    """
    size = np.maximum(np.abs(computed.astype(np.float64)).max(axis=1, keepdims=True), 1.0)
    error = size * 2.0 ** generator.integers(-60, -3, (len(computed), 1)) * erring * np.ones(computed.shape)
    if computed.dtype == np.float64:
        error[error < 2.0**-50 * size] = 0.0
    side = generator.choice([-1.0, 0.0, 1.0], computed.shape)
    with ctx.workprec(BITS):
        truth = [
            [arb(own) + arb(t) * arb(e) for own, t, e in zip(*rows, strict=True)]
            for rows in zip(computed.tolist(), side.tolist(), error.tolist(), strict=True)
        ]
    astray = generator.choice([-1.0, 0.0, 1.0], computed.shape) * error
    return truth, Rounded(np.array([[float(entry) for entry in row] for row in truth]) + astray, error)


@by_dtype
@pytest.mark.parametrize("reach", [1e-9, 1e-3, 0.5, 7.0, 9.0, 400.0])
def test_probabilities_of_moved_logits_stay_within_the_bound(reach: float, dtype: str):
    """At the corners of the box about z, for a centre that is off by as much: p (1 - p) t (1 + t) leaves none out."""
    generator = np.random.default_rng(3)
    z = generator.standard_normal((400, 3)) * np.array([1.0, 5.0, 300.0])[generator.integers(0, 3, (400, 1))]
    error = np.full(z.shape, reach)
    allowed = probabilities(Rounded(z, error), Arithmetic.of(dtype)).error
    true, computed = (z + reach * generator.choice([-1.0, 0.0, 1.0], z.shape) for _ in range(2))

    def softmax(rows: Array) -> Array:
        powers = np.exp(rows - rows.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    moved = true + np.clip(computed - z, -reach, reach)
    assert (np.abs(softmax(moved) - softmax(true)) <= allowed).all()


def test_a_probability_that_underflows_may_be_anything_where_its_logit_may():
    """exp(-800) is 0 in float64; where rounding may move z by 500, p may be 1."""
    z = Rounded(np.array([[0.0, -800.0]]), np.array([[500.0, 500.0]]))
    assert (probabilities(z, Arithmetic.of("float32")).error >= 1.0).all()
    assert (probabilities(Rounded(z.value, z.error / 1e3), Arithmetic.of("float32")).error < 1e-4).all()


def test_an_overflow_stays_unknown():
    """NaN, after an overflow, is no error of 1."""
    z = Rounded(np.array([[0.0, 1.0]]), np.array([[np.nan, 1.0]]))
    assert np.isnan(probabilities(z, Arithmetic.of("float64")).error).all()


def test_a_product_of_probabilities_may_underflow_before_it_meets_a_large_signal():
    """p_1 p_2 = 1e-310 is flushed, and s_2 = 1e155 would have made 1e-155 of it."""
    p = Rounded(np.array([[1.0, 1e-310]]), np.zeros((1, 2)))
    jacobian = SoftmaxJacobian(p, 1.0, Arithmetic.of("float64"))
    assert jacobian.pull_back(Rounded(np.array([[0.0, 1e155]]), np.zeros((1, 2)))).error[0, 0] >= 1e-155


def straying(form: str, computed: Array, truth: Balls, bound: Rounded, z: Array) -> Iterator[str]:
    """The first entry of a form that leaves its bound, in words."""
    rows = np.abs(z).max(axis=1) < OVERFLOWS if form.startswith("unshifted") else np.ones(len(z), dtype=bool)
    for n in np.flatnonzero(rows).tolist():
        for k, (own, error) in enumerate(zip(computed[n].tolist(), bound.error[n].tolist(), strict=True)):
            if error < np.inf and not abs(arb(own) - truth[n][k]) <= arb(error):
                yield f"{form} at {n}, {k}: {own!r} for {float(truth[n][k])!r} +- {error!r}"
                return


def found_straying(
    forms: dict[str, Callable[..., Array]],
    arguments: Any,
    truth: Balls,
    bound: Rounded,
    *,
    z: Array,
    factor: float = 1.0,
) -> list[str]:
    """What `straying` says of all forms, each multiplied by a factor."""
    with np.errstate(all="ignore"), ctx.workprec(BITS):
        computed = {label: np.asarray(form(*arguments)) * factor for label, form in forms.items()}
        assert {array.dtype for array in computed.values()} == {z.dtype}
        return [line for label, array in computed.items() for line in straying(label, array, truth, bound, z)]


def true_rows(z: Balls) -> tuple[Balls, Balls]:
    """softmax and log_softmax of each row."""
    with ctx.workprec(BITS):
        found = [exact_softmax(row) for row in z]
    return [row.probabilities for row in found], [row.logs for row in found]


@by_errors
@by_classes
@by_dtype
def test_every_form_stays_within_the_bound(dtype: str, classes: int, erring: bool) -> None:
    """softmax, softmin and log_softmax of rows that are nearly uniform, saturated, and shifted to either side."""
    generator = np.random.default_rng(classes)
    z = drawn(dtype, classes, generator)
    truth, given = perturbed(z, generator, erring=erring)
    arithmetic = Arithmetic.of(dtype)
    p, log_p = true_rows(truth)
    assert not found_straying(SOFTMAX, (z,), p, probabilities(given, arithmetic), z=z)
    assert not found_straying(LOG_SOFTMAX, (z,), log_p, log_probabilities(given, arithmetic), z=z)
    with ctx.workprec(BITS):
        opposite, _ = true_rows([[-entry for entry in row] for row in truth])
    assert not found_straying(SOFTMAX, (-z,), opposite, ROWWISE_BOUNDS["softmin"](given, arithmetic)[0], z=z)


@by_classes
@by_dtype
def test_a_small_relative_error_is_found(dtype: str, classes: int) -> None:
    """The control: p and log p that are 2^-12 of themselves too large leave the bound, in every form."""
    generator = np.random.default_rng(classes)
    z = drawn(dtype, classes, generator)
    truth, given = perturbed(z, generator, erring=False)
    p, log_p = true_rows(truth)
    arithmetic, factor = Arithmetic.of(dtype), 1.0 + 2.0**-12
    assert len(found_straying(SOFTMAX, (z,), p, probabilities(given, arithmetic), z=z, factor=factor)) == len(SOFTMAX)
    found = found_straying(LOG_SOFTMAX, (z,), log_p, log_probabilities(given, arithmetic), z=z, factor=factor)
    assert len(found) == len(LOG_SOFTMAX)


def products(name: str, s: Balls, p: Balls) -> Balls:
    """dC/dz of each row: sign p (s - sum p s), or s - p sum s."""
    with ctx.workprec(BITS):
        if name == "log_softmax":
            return [
                [a - q * total(row) for a, q in zip(row, weights, strict=True)]
                for row, weights in zip(s, p, strict=True)
            ]
        sign = -1 if name == "softmin" else 1
        means = [total(a * q for a, q in zip(row, weights, strict=True)) for row, weights in zip(s, p, strict=True)]
        return [
            [sign * q * (a - mean) for a, q in zip(row, weights, strict=True)]
            for row, weights, mean in zip(s, p, means, strict=True)
        ]


@by_errors
@by_classes
@by_dtype
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
def test_every_form_of_the_jacobian_product_stays_within_the_bound(
    name: str, dtype: str, classes: int, erring: bool
) -> None:
    """dC/dz from dC/da, both off by errors of their own; p is what the form of softmax in use makes of z."""
    generator = np.random.default_rng(classes)
    z = drawn(dtype, classes, generator)
    s = (2.0 ** generator.uniform(-10, 10, (len(z), 1)) * generator.standard_normal(z.shape)).astype(dtype)
    true_z, given_z = perturbed(z, generator, erring=erring)
    true_s, given_s = perturbed(s, generator, erring=erring)
    with ctx.workprec(BITS):
        p, _ = true_rows([[-entry for entry in row] for row in true_z] if name == "softmin" else true_z)
    _, jacobian = ROWWISE_BOUNDS[name](given_z, Arithmetic.of(dtype))
    own_z = -z if name == "softmin" else z
    with np.errstate(all="ignore"):
        own_p, own_a = SOFTMAX["e/sum"](own_z), LOG_SOFTMAX["z - lse"](own_z)
    forms = LOG_SOFTMAX_PRODUCTS if name == "log_softmax" else SOFTMAX_PRODUCTS
    sign = -1.0 if name == "softmin" else 1.0
    truth, bound = products(name, true_s, p), jacobian.pull_back(given_s)
    assert not found_straying(forms, (s, own_p, own_a), truth, bound, z=z, factor=sign)


@by_errors
@by_dtype
def test_the_forward_product_of_log_softmax_stays_within_the_bound(dtype: str, erring: bool) -> None:
    """da = dz - sum p dz; that of softmax is its own transpose."""
    generator = np.random.default_rng(5)
    z = drawn(dtype, 5, generator)
    true_z, given_z = perturbed(z, generator, erring=erring)
    tangent = drawn(dtype, 5, generator)
    true_tangent, given_tangent = perturbed(tangent, generator, erring=erring)
    p, _ = true_rows(true_z)
    with ctx.workprec(BITS):
        truth = [
            [entry - total(q * other for q, other in zip(weights, row, strict=True)) for entry in row]
            for row, weights in zip(true_tangent, p, strict=True)
        ]
    bound = ROWWISE_BOUNDS["log_softmax"](given_z, Arithmetic.of(dtype))[1].push_forward(given_tangent)
    forms = {"dz - sum p dz": lambda dz, q: dz - (q * dz).sum(axis=1, keepdims=True)}
    assert not found_straying(forms, (tangent, SOFTMAX["e/sum"](z)), truth, bound, z=z)
    softmax = ROWWISE_BOUNDS["softmax"](given_z, Arithmetic.of(dtype))[1]
    forward, backward = softmax.push_forward(given_tangent), softmax.pull_back(given_tangent)
    assert np.array_equal(forward.value, backward.value)
    assert np.array_equal(forward.error, backward.error)


@by_dtype
@pytest.mark.parametrize("z", [0.0, 1e3, -1e30])
def test_one_class_is_exact(dtype: str, z: float) -> None:
    """p = 1 whatever z and its error, and nothing flows back through it; unless what comes back is no number."""
    given = Rounded(np.full((2, 1), z), np.full((2, 1), 1.0))
    s = Rounded(np.array([[3.0], [np.inf]]), np.zeros((2, 1)))
    for name in ("softmax", "softmin"):
        p, jacobian = ROWWISE_BOUNDS[name](given, Arithmetic.of(dtype))
        assert np.array_equal(p.value, np.ones((2, 1)))
        assert np.array_equal(p.error, np.zeros((2, 1)))
        delta = jacobian.pull_back(s)
        assert np.array_equal(delta.value, np.zeros((2, 1)))
        assert np.array_equal(delta.error, np.array([[0.0], [np.inf]]))


@by_dtype
def test_a_probability_never_errs_by_more_than_one(dtype: str) -> None:
    """However large the error of z; and one NaN, an overflow further up, poisons its whole row and no other."""
    z = Rounded(np.zeros((3, 4)), np.array([[1e3] * 4, [np.nan, 0.0, 0.0, 0.0], [0.0] * 4]))
    arithmetic = Arithmetic.of(dtype)
    error = probabilities(z, arithmetic).error
    assert np.all(error[0] <= 1.0 + 2.0 * arithmetic.smallest)
    assert np.all(np.isnan(error[1]))
    assert np.all(error[2] < 2.0**-10)
    assert np.all(np.isnan(log_probabilities(z, arithmetic).error[1]))


def test_products_that_underflow_are_admitted() -> None:
    """p = exp(-70) and s = 1e-8: p (s - t) is subnormal in float32, and 0 where subnormals are flushed."""
    z, s = np.array([[0.0, -70.0]]), np.array([[0.0, 1e-8]])
    exact, nothing = np.zeros_like(z), np.zeros_like(s)
    smallest = float(np.finfo(np.float32).smallest_normal)
    for name in ("softmax", "log_softmax"):
        _, jacobian = ROWWISE_BOUNDS[name](Rounded(z, exact), Arithmetic.of("float32"))
        bound = jacobian.pull_back(Rounded(s, nothing))
        assert np.all(bound.error >= smallest)
    assert 0.0 < abs(ROWWISE_BOUNDS["softmax"](Rounded(z, exact), Arithmetic.of("float32"))[1].pull_back(
        Rounded(s, nothing)).value[0, 1]) < smallest  # fmt: skip


def test_every_rowwise_activation_is_here() -> None:
    """The table covers the catalogue."""
    assert {*ROWWISE_BOUNDS} == {name for name, entry in ACTIVATIONS.items() if entry.rowwise}


def test_the_logarithm_of_a_probability_that_underflows_is_a_lossy_form() -> None:
    """exp(-100) has five bits in float32, and so has log(softmax(z)): the textbook's form, and no accurate one."""
    z = np.array([[0.0, -100.0]])
    exponentials = np.exp(z.astype(np.float32))
    computed = np.log(exponentials / exponentials.sum())
    accurate, textbook = (
        log_probabilities(Rounded(z, np.zeros(z.shape)), Arithmetic.of("float32", forms=forms)).error
        for forms in ("accurate", "textbook")
    )
    off = abs(float(computed[0, 1]) + 100.0)
    assert accurate[0, 1] < 1e-4 < off <= textbook[0, 1]
    lost = log_probabilities(Rounded(2.0 * z, np.zeros(z.shape)), Arithmetic.of("float32", forms="textbook")).error
    assert np.isinf(lost[0, 1])
    assert np.isfinite(lost[0, 0])

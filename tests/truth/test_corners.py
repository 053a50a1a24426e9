"""Activations and products of numbers that are off, at values that are off themselves: no corner is left out.

The truth lies within e of the value that a bound is evaluated at, and what a program computed within e of that truth,
on any side of either. The errors here are as large as the numbers, where the terms of second order count.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from backproof.cases import Formula
from backproof.cases.catalogue import ACTIVATIONS
from backproof.cases.formula import variants
from backproof.truth.arithmetic import Arithmetic, Rounded
from backproof.truth.curves import CURVES
from backproof.truth.derived_bounds import _outer, _product_error
from backproof.truth.jacobians import ElementwiseSlope
from backproof.truth.layer_bounds import Parameters, activation, preactivation, upstream, weight_gradient
from backproof.truth.rounding import SLACK
from backproof.truth.rowwise_bounds import LogSoftmaxJacobian, SoftmaxJacobian

Array = NDArray[Any]
Product = Callable[[Array, Array], Array]
FLOAT64 = Arithmetic.of("float64")
TRIALS = 500


def softmax_product(p: Array, s: Array) -> Array:
    """p (s - sum p s)."""
    return p * (s - (p * s).sum(axis=1, keepdims=True))


def log_softmax_product(p: Array, s: Array) -> Array:
    """s - p sum s."""
    return s - p * s.sum(axis=1, keepdims=True)


def log_softmax_change(p: Array, dz: Array) -> Array:
    """dz - sum p dz."""
    return dz - (p * dz).sum(axis=1, keepdims=True)


def with_weights(weight: Rounded) -> Parameters:
    """Parameters whose weights are uncertain."""
    return Parameters(weight.value, None, weight.error)


def preactivation_error(weight: Rounded, a: Rounded) -> Array:
    """BP0 at uncertain weights."""
    return preactivation(a, with_weights(weight), FLOAT64).error


def upstream_error(weight: Rounded, delta: Rounded) -> Array:
    """BP2 at uncertain weights."""
    return upstream(delta, with_weights(weight), FLOAT64).error


BOUNDS: dict[str, tuple[Callable[[Rounded, Rounded], Array], Product]] = {
    "delta = phi' s": (lambda left, s: ElementwiseSlope(left, False, FLOAT64).pull_back(s).error, lambda a, b: a * b),
    "softmax, back": (lambda p, s: SoftmaxJacobian(p, 1.0, FLOAT64).pull_back(s).error, softmax_product),
    "log_softmax, back": (lambda p, s: LogSoftmaxJacobian(p, FLOAT64).pull_back(s).error, log_softmax_product),
    "log_softmax, forward": (lambda p, s: LogSoftmaxJacobian(p, FLOAT64).push_forward(s).error, log_softmax_change),
    "dW = delta^T a": (lambda delta, a: weight_gradient(a, delta, FLOAT64), lambda a, b: a.T @ b),
    "dW of each sample": (lambda delta, a: _outer(delta, a, FLOAT64), lambda a, b: a[:, :, None] * b[:, None, :]),
    "dC = g da": (lambda g, da: _product_error(g, da, FLOAT64.gamma(4)), lambda a, b: a * b),
    "z = a W^T": (preactivation_error, lambda w, a: a @ w.T),
    "s = delta W": (upstream_error, lambda w, delta: delta @ w),
}


def drawn(generator: np.random.Generator, *, relative: float) -> Rounded:
    """Positive numbers (2, 2), of two sizes, with errors up to that share of them."""
    value = 2.0 ** generator.uniform(-3.0, 0.0, (2, 2))
    return Rounded(value, value * relative * generator.uniform(0.5, 1.0, (2, 2)))


def corner(given: Rounded, generator: np.random.Generator) -> tuple[Array, Array]:
    """A truth within the error of what is given, and what may be computed of it; half of the time all one way."""
    sides = generator.choice([-1.0, 1.0], (2, *given.value.shape))
    if generator.random() < 0.5:
        sides = np.broadcast_to(sides[:, :1, :1], sides.shape)
    truth = given.value + sides[0] * given.error
    return truth, truth + sides[1] * given.error


@pytest.mark.parametrize("relative", [1e-6, 1.0, 4.0])
@pytest.mark.parametrize("name", BOUNDS)
def test_no_corner_leaves_the_bound(name: str, relative: float) -> None:
    """And some corner comes near: half the bound would be none."""
    error_of, product = BOUNDS[name]
    generator = np.random.default_rng(5)
    furthest = 0.0
    for _ in range(TRIALS):
        left, right = (drawn(generator, relative=relative) for _ in range(2))
        (true_left, own_left), (true_right, own_right) = (corner(given, generator) for given in (left, right))
        moved = np.abs(product(own_left, own_right) - product(true_left, true_right))
        furthest = max(furthest, float((moved / error_of(left, right)).max()))
    assert 0.5 < furthest <= SLACK


@pytest.mark.parametrize("formula", [formula for name in CURVES for formula in variants(name)], ids=lambda it: it.id)
def test_no_corner_of_an_activation_leaves_its_bound(formula: Formula) -> None:
    """phi and phi' where the errors reach from 2^-12 to 4: across kinks, and as far as their curves bend."""
    curve = CURVES[formula.name]
    generator = np.random.default_rng(7)
    shape = (4000, 40)
    z = generator.standard_normal(shape) * 2.0 ** generator.uniform(-4.0, 5.0, (shape[0], 1))
    error = np.broadcast_to(2.0 ** generator.uniform(-12.0, 2.0, (shape[0], 1)), shape)
    sides = generator.choice([-1.0, 0.0, 1.0], (2, *shape))
    truth = z + sides[0] * error
    computed = truth + sides[1] * error
    with np.errstate(all="ignore"):
        value, jacobian = activation(Rounded(z, error), formula, FLOAT64)
        true_value, true_slope, _ = curve.shape(truth, formula.options)
        own_value, own_slope, _ = curve.shape(computed, formula.options)
    for moved, allowed in ((own_value - true_value, value.error), (own_slope - true_slope, jacobian.slope.error)):
        furthest = float((np.abs(moved) / np.maximum(allowed, 2.0**-50)).max())
        assert furthest <= SLACK
        assert furthest > 0.5 or not moved.any()


def test_every_elementwise_activation_is_here() -> None:
    """The curves cover the catalogue."""
    assert {*CURVES} == {name for name, entry in ACTIVATIONS.items() if not entry.rowwise}


def test_a_product_with_a_slope_may_underflow() -> None:
    """1e-10 * 1e-30 is subnormal in float32: 0 where it is flushed."""
    exact = np.zeros((1, 1))
    slope = ElementwiseSlope(Rounded(np.full((1, 1), 1e-10), exact), False, Arithmetic.of("float32"))
    assert slope.pull_back(Rounded(np.full((1, 1), 1e-30), exact)).error.item() >= 1e-40

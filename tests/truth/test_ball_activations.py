"""Is each phi the function of its name, each phi' its slope, and each row-wise product one with the Jacobian?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases.catalogue import ACTIVATIONS
from backproof.cases.formula import Formula, variants
from backproof.truth.ball_activations import ELEMENTWISE, ROWWISE, complements
from backproof.truth.ball_ties import Ties
from backproof.truth.balls import ball, to_float64, total

GENEROUS = 4096
"""Bits at which plain forms keep enough digits in spite of their cancellation."""
STEP = -1500
"""Differences are taken over 2^STEP, less than any subnormal; ERROR has room for the order of its square."""
ERROR = arb(0, arb((1, 3 * STEP // 2)))
PRECISION = 128

FORMULAS = [formula for name in ELEMENTWISE for formula in variants(name)]
# Both sides of every kink, the tails, subnormals and the ends of both float ranges; no kink itself.
PLACES = [5e-324, 1e-30, 1e-3, 0.3, 0.75, 1.7, 2.5, 4.5, 7.0, 12.0, 25.0, 90.0, 750.0, 1e5, 3.4e38, 1.7e308]
POINTS = [sign * place for place in PLACES for sign in (1, -1)]


def exp(z: arb) -> arb:
    """exp(z), which is not known where it exceeds everything that arb counts."""
    return z.exp()


NUMERICAL = 16.7
"""From this threshold on, log(2^24), softplus' jump is below float32's roundoff."""

# phi as a textbook prints it, without a thought for cancellation.
PLAIN: Mapping[str, Callable[[arb, Mapping[str, Any]], arb]] = {
    "identity": lambda z, o: z,
    "sigmoid": lambda z, o: 1 / (1 + exp(-z)),
    "tanh": lambda z, o: (exp(z) - exp(-z)) / (exp(z) + exp(-z)),
    "relu": lambda z, o: z.max(arb(0)),
    "leaky_relu": lambda z, o: z.max(arb(0)) + ball(o["negative_slope"]) * z.min(arb(0)),
    "softplus": lambda z, o: (
        z
        if o["beta"] * z > o["threshold"] and o["threshold"] < NUMERICAL
        else (1 + exp(o["beta"] * z)).log() / o["beta"]
    ),
    "elu": lambda z, o: z.max(arb(0)) + o["alpha"] * (exp(z.min(arb(0))) - 1),
    "selu": lambda z, o: (
        arb("1.0507009873554804934193349852946")
        * (z.max(arb(0)) + arb("1.6732632423543772848170429916717") * (exp(z.min(arb(0))) - 1))
    ),
    "celu": lambda z, o: z.max(arb(0)) + o["alpha"] * (exp(z.min(arb(0)) / o["alpha"]) - 1),
    "gelu": lambda z, o: (
        z * (1 + (z / arb(2).sqrt()).erf()) / 2
        if o["approximate"] == "none"
        else z * (1 + ((2 / arb.pi()).sqrt() * (z + arb(44715) / 1000000 * z**3)).tanh()) / 2
    ),
    "silu": lambda z, o: z / (1 + exp(-z)),
    "mish": lambda z, o: z * (1 + exp(z)).log().tanh(),
    "logsigmoid": lambda z, o: (1 / (1 + exp(-z))).log(),
    "softsign": lambda z, o: z / (1 + abs(z)),
    "tanhshrink": lambda z, o: z - z.sinh() / z.cosh(),
    "softshrink": lambda z, o: z - z.max(arb(-o["lambd"])).min(arb(o["lambd"])),
    "hardshrink": lambda z, o: z if abs(z) > o["lambd"] else arb(0),
    "relu6": lambda z, o: z.max(arb(0)).min(arb(6)),
    "hardtanh": lambda z, o: z.max(ball(o["min_val"])).min(ball(o["max_val"])),
    "hardsigmoid": lambda z, o: (z + 3).max(arb(0)).min(arb(6)) / 6,
    "hardswish": lambda z, o: z * (z + 3).max(arb(0)).min(arb(6)) / 6,
    "threshold": lambda z, o: z if z > ball(o["threshold"]) else ball(o["value"]),
}


def at(formula: Formula, z: arb, bits: int = PRECISION) -> tuple[arb, arb]:
    """phi(z) and phi'(z)."""
    with ctx.workprec(bits):
        return ELEMENTWISE[formula.name](formula.options, Ties("torch"))(z)


def test_every_activation_has_its_record_and_its_plain_form() -> None:
    """The tables cover the catalogue, and elementwise and row-wise are told apart as it does."""
    assert {*ELEMENTWISE} == {name for name, entry in ACTIVATIONS.items() if not entry.rowwise} == {*PLAIN}
    assert {*ROWWISE} == {name for name, entry in ACTIVATIONS.items() if entry.rowwise}


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)
def test_the_value_is_the_plain_formula(formula: Formula) -> None:
    """Both enclose one number at every point where the plain form, with thousands of bits, says anything."""
    decided = 0
    for point in POINTS:
        with ctx.workprec(GENEROUS):
            plain = PLAIN[formula.name](ball(point), formula.options)
        if plain.is_finite():
            decided += 1
            assert at(formula, ball(point))[0].overlaps(plain), point
    assert decided >= len(POINTS) // 2


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)
def test_the_slope_is_the_slope_of_the_value(formula: Formula) -> None:
    """phi' is the symmetric difference quotient of phi, taken with thousands of bits."""
    step = arb((1, STEP))
    for point in [point for point in POINTS if abs(point) < 1e4]:
        with ctx.workprec(GENEROUS):
            if formula.name == "softplus" and formula.options["beta"] * point > formula.options["threshold"]:
                continue  # a set there: the next test
            ahead, behind = (at(formula, ball(point) + side * step, GENEROUS)[0] for side in (1, -1))
            quotient = (ahead - behind) / (2 * step)
            assert at(formula, ball(point))[1].overlaps(quotient + ERROR), point


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.id)
def test_values_and_slopes_are_sharp_where_float64_sees_them(formula: Formula) -> None:
    """At 256 bits, or with the digits that tanhshrink cancels, no point leaves more than float64's own rounding."""
    bits = GENEROUS if formula.name == "tanhshrink" else 2 * PRECISION
    for point in POINTS:
        beta_z = formula.options.get("beta", 1.0) * point
        if formula.name != "softplus" or beta_z <= formula.options["threshold"]:
            found = to_float64(at(formula, ball(point), bits))
            assert np.all(found.reach <= np.maximum(2.0**-53 * np.abs(found.middle), 5e-324)), point


@pytest.mark.parametrize(
    "formula", [f for f in variants("softplus") if f.options["threshold"] >= NUMERICAL], ids=lambda formula: formula.id
)
def test_softplus_beyond_a_numerical_threshold_is_a_set_of_both_formulas(formula: Formula) -> None:
    """The smooth function and the identity are both true there, in value and in slope; up to the threshold one only."""
    beta, threshold = formula.options["beta"], formula.options["threshold"]
    ties = Ties("torch")
    with ctx.workprec(PRECISION):
        function = ELEMENTWISE["softplus"](formula.options, ties)
        z = ball(threshold / beta)
        assert function(z)[0].rad() < arb((1, -100))
        assert ties.sets == 0
        value, slope = function(z * 2)
        assert ties.sets == 2
    with ctx.workprec(GENEROUS):
        smooth = PLAIN["softplus"](z * 2, formula.options)
        assert value.contains(smooth)
        assert value.contains(z * 2)
        assert slope.contains(PLAIN["sigmoid"](beta * z * 2, {}))
        assert slope.contains(1)
        assert value.rad() < smooth - z * 2


@pytest.mark.parametrize(
    "formula", [f for f in variants("softplus") if f.options["threshold"] < NUMERICAL], ids=lambda formula: formula.id
)
def test_softplus_beyond_a_small_threshold_is_the_identity(formula: Formula) -> None:
    """A threshold whose jump float32 sees is part of the definition: one truth on either side of it."""
    ties = Ties("torch")
    with ctx.workprec(PRECISION):
        function = ELEMENTWISE["softplus"](formula.options, ties)
        z = ball(formula.options["threshold"] / formula.options["beta"])
        value, slope = function(z * 2)
        assert (value - z * 2).is_zero()
        assert (slope - 1).is_zero()
        assert function(z)[0] > z
    assert ties.sets == 0


def test_parameters_are_the_float64_numbers_of_the_spec() -> None:
    """negative_slope=0.01 is the double next to 1/100, not 1/100 and not the float32 next to it."""
    slope = at(Formula("leaky_relu", (0.01,)), ball(-1.0))[1]
    assert slope == ball(0.01)
    with ctx.workprec(PRECISION):
        assert not slope.overlaps(arb(1) / 100)
    assert not slope.overlaps(ball(np.float32(0.01)))


# --- row-wise ---

Row = list[int]
rows = st.integers(1, 5).flatmap(lambda width: st.lists(st.integers(-200, 200), min_size=width, max_size=width))


def quarters(row: Sequence[int]) -> list[arb]:
    """Whole numbers of quarters, which are exact."""
    return [arb(k) / 4 for k in row]


@pytest.mark.parametrize("name", ROWWISE)
@given(row=rows, seed=st.integers(0, 2**32 - 1))
def test_both_products_are_with_the_jacobian(name: str, row: Row, seed: int) -> None:
    """push(dz) is the difference quotient of the value along dz, and <s, J dz> = <s J, dz>."""
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(-8, 9, (2, len(row)))
    s, dz = ([arb(int(entry)) for entry in line] for line in drawn)
    with ctx.workprec(PRECISION):
        found = ROWWISE[name](quarters(row))
        pushed, pulled = found.push(dz), found.pull(s)
    with ctx.workprec(GENEROUS):
        step = arb((1, STEP))
        ahead, behind = (
            ROWWISE[name]([z + side * step * change for z, change in zip(quarters(row), dz, strict=True)]).value
            for side in (1, -1)
        )
        for entry, far, near in zip(pushed, ahead, behind, strict=True):
            assert entry.overlaps((far - near) / (2 * step) + ERROR)
        forwards = total(x * y for x, y in zip(s, pushed, strict=True))
        assert forwards.overlaps(total(x * y for x, y in zip(pulled, dz, strict=True)))


@given(row=rows)
def test_the_rowwise_values_belong_together(row: Row) -> None:
    """softmin(z) = softmax(-z), log_softmax = log softmax, and probabilities and their complements add up."""
    with ctx.workprec(PRECISION):
        z = quarters(row)
        p, mirrored = ROWWISE["softmax"](z), ROWWISE["softmin"]([-entry for entry in z])
        logs = ROWWISE["log_softmax"](z)
        assert p.complement is not None
        assert logs.complement is None
        assert total(p.value).contains(1)
        for value, other, complement, log in zip(p.value, mirrored.value, p.complement, logs.value, strict=True):
            assert value.overlaps(other)
            assert (value + complement).contains(1)
            assert value.overlaps(log.exp())


def test_a_constant_gradient_through_softmax_is_exactly_nothing() -> None:
    """The probabilities add up to 1 whatever z is, and the balls know it."""
    for name in ("softmax", "softmin"):
        assert ROWWISE[name](quarters([1, 5, -3])).pull([arb(2)] * 3) == [arb(0)] * 3


def test_a_gradient_of_sum_zero_passes_log_softmax_unchanged() -> None:
    """s - p sum s is s, exactly."""
    s = [arb(2), arb(-3), arb(1)]
    assert ROWWISE["log_softmax"](quarters([1, 5, -3])).pull(s) == s


@pytest.mark.parametrize("name", ["sigmoid", "hardsigmoid"])
def test_complements_are_what_is_missing_to_one(name: str) -> None:
    """a + (1 - a) = 1, and sigmoid's stays sharp where a rounds to 1."""
    formula = Formula(name)
    z = [ball(point) for point in (-1000.0, -0.5, 0.0, 2.0, 1000.0)]
    with ctx.workprec(PRECISION):
        a = [at(formula, entry)[0] for entry in z]
        found = complements(name, z, a)
        assert all((entry + complement).contains(1) for entry, complement in zip(a, found, strict=True))
        assert name != "sigmoid" or found[-1] > 0

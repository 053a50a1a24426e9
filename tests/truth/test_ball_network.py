"""Do the equations in balls enclose the truth: rational networks to the last bit, and differences in high precision?"""

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, ctx
from hypothesis import given

from backproof.cases import Case, build_case, draw_direction
from backproof.cases.catalogue import LOSSES
from backproof.cases.direction import Direction
from backproof.cases.domain import Domain
from backproof.cases.formula import Formula
from backproof.cases.gradients import Gradients
from backproof.cases.spec import NetworkSpec
from backproof.cases.strategies import cases
from backproof.truth import autograd, ball_activations, ball_losses, exact
from backproof.truth.ball_rows import Outputs
from backproof.truth.ball_ties import Ties
from backproof.truth.balls import ball, balls, total
from backproof.truth.divisors import divisor

UNIT = exact.FLOAT64_UNIT

SMALL = Domain(depth=(1, 3), width=(1, 4), batch_size=(1, 4), penalties="mixed")
RATIONAL = Domain(
    depth=(1, 3),
    width=(1, 4),
    batch_size=(1, 5),
    activations=(
        "identity",
        "relu",
        "leaky_relu=0.25",
        "relu6",
        "hardtanh=-1+2",
        "hardshrink",
        "softshrink",
        "threshold",
    ),
    losses=("half_squared_error", "mse", "linear", "l1", "smooth_l1=0.5", "huber", "hinge_embedding", "multi_margin"),
    values="integers",
    dtypes="float64",
)


def case_of(text: str, **arrays: Any) -> Case:
    """The case with that id, some of its arrays replaced."""
    return replace(build_case(NetworkSpec.parse(text)), **arrays)


def triples(left: exact.Enclosure, right: Gradients) -> Iterator[tuple[str, int | None, Any, Any, Any]]:
    """Quantity, layer, middle, radius, and the other's array."""
    for (quantity, layer, middle), (*_, radius), (*_, other) in zip(
        left.middle.quantities(), left.radius.quantities(), right.quantities(), strict=True
    ):
        assert middle.shape == radius.shape == np.shape(other), (quantity, layer)
        yield quantity, layer, middle, radius, other


def rational_slope(formula: Formula, z: Fraction) -> tuple[Fraction, Fraction]:
    """A piecewise linear phi and its slope, with PyTorch's choice at a kink."""
    one, zero = Fraction(1), Fraction(0)
    options = {name: Fraction(value) for name, value in formula.options.items()}
    match formula.name:
        case "identity":
            return z, one
        case "relu":
            return (z, one) if z > 0 else (zero, zero)
        case "leaky_relu":
            slope = options["negative_slope"]
            return (z, one) if z > 0 else (slope * z, slope)
        case "relu6":
            return (z, one) if 0 < z < 6 else (min(max(z, zero), Fraction(6)), zero)
        case "hardtanh":
            low, high = options["min_val"], options["max_val"]
            return (z, one) if low < z < high else (min(max(z, low), high), zero)
        case "hardshrink":
            return (z, one) if abs(z) > options["lambd"] else (zero, zero)
        case "softshrink":
            lambd = options["lambd"]
            return (z - lambd if z > 0 else z + lambd, one) if abs(z) > lambd else (zero, zero)
        case "threshold":
            return (z, one) if z > options["threshold"] else (options["value"], zero)
    raise AssertionError(formula.name)


def sign(number: Fraction) -> Fraction:
    """-1, 0 or 1."""
    return Fraction((number > 0) - (number < 0))


def rational_entry(case: Case, a: Fraction, y: Fraction) -> tuple[Fraction, Fraction]:
    """An elementwise loss and its slope."""
    d, options = a - y, case.spec.loss.options
    match case.spec.loss.name:
        case "mse":
            return d * d, 2 * d
        case "half_squared_error":
            return d * d / 2, d
        case "linear":
            return y * a, y
        case "l1":
            return abs(d), sign(d)
        case "smooth_l1":
            beta = Fraction(options["beta"])
            return (d * d / (2 * beta), d / beta) if abs(d) < beta else (abs(d) - beta / 2, sign(d))
        case "huber":
            width = Fraction(options["delta"])
            return (d * d / 2, d) if abs(d) < width else (width * (abs(d) - width / 2), width * sign(d))
        case "hinge_embedding":
            margin = Fraction(options["margin"])
            if y == 1:
                return a, Fraction(1)
            return max(margin - a, Fraction(0)), Fraction(-1 if margin >= a else 0)
    raise AssertionError(case.spec.loss.name)


def rational_losses(case: Case, n: int, a: list[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """Sample n's unreduced losses, and the gradient of each by the output that it belongs to, or of the one by all."""
    if case.spec.loss.name == "multi_margin":
        options, target, outputs = case.spec.loss.options, int(case.y[n]), len(a)
        weight = Fraction(float(case.loss_arrays["weight"][target])) if "weight" in case.loss_arrays else Fraction(1)
        power, margin, loss, gradient = options["p"], Fraction(options["margin"]), Fraction(0), [Fraction(0)] * outputs
        for i in range(outputs):
            over = margin - a[target] + a[i]
            if i != target and over > 0:
                loss += weight * over**power / outputs
                gradient[i] += weight * power * over ** (power - 1) / outputs
                gradient[target] -= weight * power * over ** (power - 1) / outputs
        return [loss], gradient
    pairs = [rational_entry(case, entry, Fraction(float(y))) for entry, y in zip(a, case.y[n], strict=True)]
    losses = [value for value, _ in pairs]
    if LOSSES[case.spec.loss.name].per_sample:
        losses = [sum(losses, Fraction(0))]
    return losses, [slope for _, slope in pairs]


def rational_truth(case: Case) -> Gradients:
    """Loss and gradients by the scalar equations, sample by sample and neuron by neuron, as arrays of fractions."""
    spec, layers = case.spec, range(case.spec.depth)
    weights = [[[Fraction(float(w)) for w in row] for row in weight] for weight in case.weights]
    losses, inputs = [], []
    dweights = [[[Fraction(0) for _ in row] for row in weight] for weight in weights]
    dbiases = [[Fraction(0) for _ in weight] for weight in weights]
    deltas: list[list[list[Fraction]]] = [[] for _ in layers]
    factor = 1 / Fraction(divisor(case))
    for n, x in enumerate(case.x):
        a, slopes = [[Fraction(float(entry)) for entry in x]], []
        for layer in layers:
            bias = case.biases[layer]
            z = [
                sum((w * entry for w, entry in zip(row, a[-1], strict=True)), Fraction(0))
                + (Fraction(0) if bias is None else Fraction(float(bias[o])))
                for o, row in enumerate(weights[layer])
            ]
            pairs = [rational_slope(spec.activations[layer], entry) for entry in z]
            a.append([value for value, _ in pairs])
            slopes.append([slope for _, slope in pairs])
        of_sample, gradient = rational_losses(case, n, a[-1])
        losses.append(of_sample)
        if case.upstream is None:
            gradient = [slope * factor for slope in gradient]
        else:
            scales = [Fraction(float(entry)) for entry in np.ravel(case.upstream[n])]
            gradient = [slope * scales[o if len(scales) > 1 else 0] for o, slope in enumerate(gradient)]
        for layer in reversed(layers):
            own = [g * slope for g, slope in zip(gradient, slopes[layer], strict=True)]
            deltas[layer].append(own)
            for o, entry in enumerate(own):
                dbiases[layer][o] += entry
                for i, below in enumerate(a[layer]):
                    dweights[layer][o][i] += entry * below
            gradient = [
                sum((weights[layer][o][i] * entry for o, entry in enumerate(own)), Fraction(0))
                for i in range(len(a[layer]))
            ]
        inputs.append(gradient)

    def array(rows: Any) -> Any:
        return np.array(rows, dtype=object)

    if spec.reduction == "none":
        loss = array([row[0] for row in losses] if LOSSES[spec.loss.name].per_sample else losses)
    else:
        loss = array(sum((entry for row in losses for entry in row), Fraction(0)) * factor)
    return Gradients(
        loss,
        tuple(map(array, dweights)),
        tuple(None if bias is None else array(row) for bias, row in zip(case.biases, dbiases, strict=True)),
        array(inputs),
        tuple(map(array, deltas)),
    )


@given(cases(RATIONAL))
def test_rational_networks_to_the_last_bit(case: Case) -> None:
    """On integers, exact kinks included, the middle is the float64 nearest to the fraction, and exact if that is."""
    found, truth = exact.enclose(case), rational_truth(case)
    for quantity, layer, middle, radius, wanted in triples(found, truth):
        for own, reach, fraction in zip(middle.flat, radius.flat, np.ravel(wanted), strict=True):
            assert own == float(fraction), (quantity, layer)
            assert abs(Fraction(own) - fraction) <= Fraction(reach), (quantity, layer)
            if fraction.denominator & (fraction.denominator - 1) == 0 and Fraction(own) == fraction:
                assert reach <= UNIT * abs(own), (quantity, layer)
    assert found.bits == exact.PRECISIONS[0]


def test_a_whole_network_by_hand() -> None:
    """2-2-1, relu then identity: z = (1, -2) by one row, C = (5 - 3)^2; every number is exact."""
    case = case_of(
        "2-2-1,relu-identity,mse,mean,n1,f64,integers,s0",
        weights=(np.array([[1.0, 0.0], [2.0, -2.0]]), np.array([[4.0, 7.0]])),
        biases=(np.array([0.0, 0.0]), np.array([1.0])),
        x=np.array([[1.0, 2.0]]),
        y=np.array([[3.0]]),
    )
    found = exact.enclose(case)
    assert found.middle.loss == 4.0
    assert found.middle.weights[1].tolist() == [[4.0, 0.0]]
    assert found.middle.weights[0].tolist() == [[16.0, 32.0], [0.0, 0.0]]
    assert [bias.tolist() for bias in found.middle.biases if bias is not None] == [[16.0, 0.0], [4.0]]
    assert found.middle.inputs is not None
    assert found.middle.inputs.tolist() == [[16.0, 0.0]]
    assert [array.tolist() for array in found.middle.deltas or ()] == [[[16.0, 0.0]], [[4.0]]]
    assert not any(radius.any() for *_, radius in found.radius.quantities())


STEP = -400
"""Differences are taken over 2^STEP at 2000 bits, and their error is far below float64's rounding."""


def loss_along(case: Case, direction: Direction, t: arb) -> list[arb]:
    """The reported loss, or losses, at the parameters and data + t direction: plain loops, values of phi and C only."""
    ties = Ties("torch")

    def moved(array: Any, tangent: Any) -> list[list[arb]]:
        rows = zip(np.atleast_2d(array), np.atleast_2d(tangent), strict=True)
        return [[x + t * dx for x, dx in zip(balls(row), balls(change), strict=True)] for row, change in rows]

    a, sizes = moved(case.x, direction.inputs), []
    for layer, formula in enumerate(case.spec.activations):
        weight = moved(case.weights[layer], direction.weights[layer])
        bias = case.biases[layer]
        offsets = [arb(0)] * len(weight) if bias is None else moved(bias, direction.biases[layer])[0]
        sizes += [entry for row in weight for entry in row]
        sizes += offsets if case.spec.penalty is not None and case.spec.penalty.on_biases else []
        z = [
            [total(w * x for w, x in zip(row, xs, strict=True)) + b for row, b in zip(weight, offsets, strict=True)]
            for xs in a
        ]
        if formula.name in ball_activations.ROWWISE:
            a = [ball_activations.ROWWISE[formula.name](row).value for row in z]
        else:
            function = ball_activations.ELEMENTWISE[formula.name](formula.options, ties)
            a = [[function(entry)[0] for entry in row] for row in z]
    row = ball_losses.LOSSES[case.spec.loss.name](case, ties)
    losses = [row(n, Outputs(xs, [1 - x for x in xs]))[0] for n, xs in enumerate(a)]
    within = case.spec.widths[-1] if case.spec.loss.name in ball_losses.DIVIDED_BY_OUTPUTS else 1
    if case.spec.reduction == "none":
        return [entry / within for entries in losses for entry in entries]
    penalty = arb(0)
    if (given := case.spec.penalty) is not None:
        penalty = total(ball(given.l1) * abs(w) + ball(given.l2) / 2 * w * w for w in sizes)
        penalty /= len(case.x) if given.divided_by == "N" else 1
    return [total(entry for entries in losses for entry in entries) / (within * ball(divisor(case))) + penalty]


@given(cases(SMALL))
def test_the_differential_is_the_difference_of_the_loss(case: Case) -> None:
    """Forward mode's enclosure holds the symmetric difference quotient along a random direction."""
    direction = draw_direction(case)
    found = exact.differential(case, direction)
    assert found.middle.shape == exact.enclose(case).middle.loss.shape
    with ctx.workprec(2000):
        step = arb((1, STEP))
        ahead, behind = (loss_along(case, direction, side * step) for side in (1, -1))
        quotients = [(far - near) / (2 * step) for far, near in zip(ahead, behind, strict=True)]
        for middle, radius, quotient in zip(found.middle.flat, found.radius.flat, quotients, strict=True):
            if math.isfinite(radius):  # else a pole, where there is nothing to differentiate
                assert not abs(quotient - ball(middle)) > ball(radius) + arb((1, STEP // 2))


@given(cases(SMALL))
def test_backward_and_forward_mode_meet(case: Case) -> None:
    """<gradient, direction> is the differential, weighted by the upstream factors under reduction none."""
    direction = draw_direction(case)
    backwards, forwards = exact.enclose(case), exact.differential(case, direction)
    factors = np.ones(()) if case.upstream is None else case.upstream
    pairs = [
        (backwards.middle.inputs, backwards.radius.inputs, direction.inputs),
        *zip(backwards.middle.weights, backwards.radius.weights, direction.weights, strict=True),
        *zip(backwards.middle.biases, backwards.radius.biases, direction.biases, strict=True),
    ]
    with ctx.workprec(2000):
        left = total(
            arb(ball(m), ball(r)) * ball(d)
            for middle, radius, tangent in pairs
            if tangent is not None
            for m, r, d in zip(middle.flat, radius.flat, tangent.flat, strict=True)
        )
        right = total(
            arb(ball(m), ball(r)) * ball(factor)
            for m, r, factor in zip(forwards.middle.flat, forwards.radius.flat, factors.flat, strict=True)
        )
        assert left.overlaps(right) or not (left.is_finite() and right.is_finite())


@given(cases(SMALL))
def test_shares_of_samples_add_up(case: Case) -> None:
    """The enclosures of all samples' shares, added over N, overlap the batch's without its penalty."""
    alone = replace(case, spec=replace(case.spec, penalty=None))
    shares, whole = exact.enclose_per_sample(alone), exact.enclose(alone)
    for index, middle in enumerate(whole.middle.weights):
        gap = np.abs(shares.middle.weights[index].sum(axis=0) - middle)
        radius = shares.radius.weights[index].sum(axis=0) + whole.radius.weights[index]
        # numpy's own sum of N numbers.
        rounding = len(case.x) * UNIT * np.abs(shares.middle.weights[index]).sum(axis=0)
        finite = np.isfinite(gap) & np.isfinite(radius)
        assert np.all(gap[finite] <= 2.0 * (radius + rounding)[finite])
    assert shares.middle.loss.shape == (len(case.x),)
    reference = autograd.per_sample(alone)
    for *_, middle, _, own in triples(shares, reference):
        assert middle.shape == np.shape(own)


def test_the_mean_of_weighted_classes_divides_by_the_exact_sum() -> None:
    """Weights 2^60 and 1 add up to 2^60 + 1, which float64 does not hold; p = 1/2 each, and dC/dz tells the sum."""
    case = case_of(
        "1-2,log_softmax,nll=weighted,mean,n2,f64,normal,s1",
        weights=(np.zeros((2, 1)),),
        biases=(np.zeros(2),),
        y=np.array([0, 1]),
        loss_arrays={"weight": np.array([2.0**60, 1.0])},
    )
    found = exact.enclose(case).middle.deltas
    assert found is not None
    assert found[0][1, 1] == float(Fraction(-1, 2 * (2**60 + 1)))


def test_the_penalty_is_part_of_the_loss_and_its_gradient() -> None:
    """(l1 |w| + 1/2 l2 w^2)/N on weights and biases, with l1 = 1/2, l2 = 4 and N = 2."""
    case = case_of(
        "1-1,identity,linear,sum,n2,f64,normal,s1,penalty=0.5+4+biases+N",
        weights=(np.full((1, 1), -3.0),),
        biases=(np.array([1.0]),),
        y=np.zeros((2, 1)),
    )
    found = exact.enclose(case).middle
    assert found.loss.item() == (0.5 * 3 + 2 * 9 + 0.5 + 2) / 2
    assert found.weights[0].item() == (-0.5 - 12) / 2
    assert found.biases[0] is not None
    assert found.biases[0].item() == (0.5 + 4) / 2

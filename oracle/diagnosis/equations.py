"""Which equation is broken, and in which layer: asked of the candidate's own one-sample gradients.

With one sample, BP3 makes db^l the delta of layer l, and BP4 makes dW^l its outer product with a^{l-1}. So gradients
show every delta and every activation that the candidate computed, and each equation can be tested on the candidate's
own numbers, with one layer's rounding: a fault is charged where it was made, not to the layers that it flowed into.

Which of the readings is the delta depends on which equations are taken to hold:

    delta^l     db^l, if BP3 holds; else dW a / (a a), if BP4 does; else what BP1 or BP2 makes of the layer above
    a^l         phi(W a^{l-1} + b), if BP0 holds; else delta dW / (delta delta), read one layer further up

So every set of equations that may be broken is a hypothesis of its own, under which all the others are tested. The
charge is the least set under which they hold; among sets of the same size the one with the fewest layers, and what is
still equal is listed side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np

from backproof.candidates.contract import Answer
from backproof.cases.case import Case
from backproof.judging.offered import coarsest
from backproof.judging.residuals import across, along, outer_product, own_gradients
from backproof.truth.arithmetic import Arithmetic, Array, Rounded
from backproof.truth.layer_bounds import Jacobian, Parameters, activation, preactivation, upstream
from backproof.truth.objective_bounds import objective
from backproof.truth.rounding import SLACK, arithmetic_for, parameters_of

EQUATIONS: Final = ("BP0", "loss", "BP1", "BP2", "BP3", "BP4")
"""What one sample can show, in the order of the computation."""

DEEPEST: Final = 6
"""Networks of more layers are not read: they say the same."""

LARGEST_SET: Final = 3
"""How many equations may be broken at once for the others still to say which."""

EVIDENCE: Final = 2.0**-10
"""A test is evidence that an equation holds where its bound is at most this share of what it tests."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One equation at one layer (None: the loss; 0: dC/dx), tested on the candidate's own values.

    holds: whether rounding explains what is left. tells: whether the test could well have failed. ratio: the constant
    own / expected, where every entry has the same. A loss at layer L is wrong together with its slope.
    """

    equation: str
    layer: int | None
    holds: bool
    tells: bool
    ratio: float | None = None


@dataclass(frozen=True)
class Charge:
    """A least set of broken equations: the equations, and the layers of depth L where each is broken.

    places: (equation, layer, depth). ratios: own / expected of those tests that fail by a constant factor.
    """

    equations: frozenset[str]
    places: tuple[tuple[str, int | None, int], ...]
    ratios: tuple[tuple[str, float], ...] = ()

    def position(self, equation: str) -> str:
        """Where an equation is broken: "output", "first", "hidden" (all but the output) or "all"; "" for the loss."""
        places = [(layer, depth) for name, layer, depth in self.places if name == equation]
        met = {_position(layer, depth) for layer, depth in places} - {""}
        if "output" in met:
            return "output" if met == {"output"} else "all"
        if met == {"first"} and any(depth > 2 for _, depth in places):
            return "first"
        return "hidden" if met else ""

    def layer(self, equation: str) -> int | None:
        """The one layer in which an equation is broken, whatever the depth; None where there is more to it."""
        places = {(layer, depth) for name, layer, depth in self.places if name == equation}
        layers, kinds = {layer for layer, _ in places}, {_position(layer, depth) for layer, depth in places}
        return layers.pop() if len(layers) == 1 and len(kinds) > 1 else None


@dataclass(frozen=True)
class Charges:
    """What one-sample gradients say: the least charges, all that tie; and which equations were tested at all.

    No charges and `readable`: every equation holds. tested: equations that held in a test that could have failed.
    """

    least: tuple[Charge, ...]
    tested: frozenset[str]
    readable: bool

    @property
    def of_the_cost(self) -> bool:
        """Whether the first least charge is that the cost is another one: the gradients are wrong as the loss is."""
        return bool(self.least) and any(name == "loss" and layer for name, layer, _ in self.least[0].places)

    @property
    def broken(self) -> frozenset[str]:
        """Equations that every least charge holds to be broken."""
        return frozenset.intersection(*(charge.equations for charge in self.least)) if self.least else frozenset()

    @property
    def suspect(self) -> frozenset[str]:
        """Equations that any least charge holds to be broken."""
        return frozenset().union(*(charge.equations for charge in self.least))


def charges(evidence: Sequence[tuple[Case, Answer]], *, repeats: int = 1) -> Charges:
    """The least sets of broken equations that explain all of some one-sample cases with their answers.

    Each answer has every weight and bias gradient in its shape. repeats: of how many equal samples it was the sum, at
    most, with as many roundings.  Raises ValueError for a batch.
    """
    for case, _ in evidence:
        if case.spec.batch_size != 1:
            raise ValueError(f"the readings need one sample (got a case of {case.spec.batch_size}): use case.sample(n)")
    if not evidence:
        return Charges((), frozenset(), readable=False)
    for size in range(LARGEST_SET + 1):
        found = []
        for chosen in combinations(EQUATIONS, size):
            charge, tested = _explains(evidence, frozenset(chosen), repeats)
            if charge is not None and charge.equations == frozenset(chosen):
                found.append((charge, tested))
        if found:
            fewest = min(len(charge.places) for charge, _ in found)
            least = [(charge, tested) for charge, tested in found if len(charge.places) == fewest]
            tested = frozenset.intersection(*(tested for _, tested in least))
            return Charges(tuple(charge for charge, _ in least if charge.equations), tested, readable=True)
    return Charges((), frozenset(), readable=False)


def _explains(
    evidence: Sequence[tuple[Case, Answer]], broken: frozenset[str], repeats: int
) -> tuple[Charge | None, frozenset[str]]:
    """The charge if no other equation than the `broken` fails on any case; and what held and could have failed."""
    places: dict[tuple[str, int | None, int], None] = {}
    ratios: dict[str, set[float | None]] = {}
    tested: set[str] = set()
    for case, given in evidence:
        for finding in findings(case, given, broken, repeats=repeats):
            if finding.holds:
                if finding.tells:
                    tested.add(finding.equation)
                continue
            if finding.equation not in broken:
                return None, frozenset()
            places[finding.equation, finding.layer, case.spec.depth] = None
            ratios.setdefault(finding.equation, set()).add(finding.ratio)
    constant = []
    for equation, found in ratios.items():
        ratio = found.pop() if len(found) == 1 else None
        if ratio is not None:
            constant.append((equation, ratio))
    equations = frozenset(equation for equation, _, _ in places)
    return Charge(equations, tuple(places), tuple(constant)), frozenset(tested)


def findings(case: Case, given: Answer, broken: frozenset[str], *, repeats: int = 1) -> list[Finding]:
    """Every equation of a one-sample case, on the readings that stay if `broken` are not to be relied on.

    repeats: of how many equal samples the answer was the sum. N - 1 roundings of the sum and one of the division are
    added to the 3u of a gradient, which makes at most 3 N u.
    """
    arithmetic = arithmetic_for(case, coarsest(given, case.spec.dtype), forms="textbook", kinks="any")
    arithmetic = replace(arithmetic, unit=repeats * arithmetic.unit)
    with np.errstate(all="ignore"):
        return list(_findings(case, given, broken, arithmetic))


@dataclass(frozen=True, slots=True)
class _Layer:
    parameters: Parameters
    weight_gradient: Rounded  # (O, I)
    bias_gradient: Rounded | None  # (1, O)
    inputs: Rounded  # the candidate's a^{l-1}, (1, I)
    expected: Rounded  # a^{l-1} as BP0 makes it of the layer below, (1, I)
    outputs: Rounded  # phi(z), (1, O)
    jacobian: Jacobian


def _findings(case: Case, given: Answer, broken: frozenset[str], arithmetic: Arithmetic) -> Iterator[Finding]:
    layers = _read(case, given, broken, arithmetic)
    depth = len(layers)
    loss, gradient = objective(case, layers[-1].outputs, arithmetic)
    off: set[int] = set()  # layers whose own a is not phi(z): then their z, and the slope at it, is not known
    for number in range(2, depth + 1):
        layer = layers[number - 1]
        if layer.inputs is not layer.expected:
            found = _test("BP0", number - 1, layer.inputs.value, layer.expected, layer.inputs.error)
            yield found
            if not found.holds:
                off.add(number - 1)
    loss_test = None
    if given.loss is not None and np.shape(given.loss) == loss.value.shape:
        loss_test = _test("loss", None, np.asarray(given.loss, np.float64), loss, 0.0)
    s: Rounded | None = gradient
    for number in range(depth, 0, -1):
        layer = layers[number - 1]
        predicted = None if s is None else layer.jacobian.pull_back(s)
        delta = _delta(layer, predicted, broken, arithmetic)
        if number == depth:
            output_test = None
            if delta is not None and predicted is not None and delta is not predicted:
                output_test = _test("BP1", depth, delta.value, predicted, delta.error)
            yield from _output(output_test, loss_test, depth, broken)
        elif delta is not None and predicted is not None and delta is not predicted and number not in off:
            yield _test("BP2", number, delta.value, predicted, delta.error)
        if delta is None:
            s = None
            continue
        if layer.bias_gradient is not None and delta is not layer.bias_gradient:
            yield _test("BP3", number, layer.bias_gradient.value, delta, layer.bias_gradient.error)
        yield from _outer_product(layer, delta, number)
        s = upstream(delta, layer.parameters, arithmetic)
    if given.inputs is not None and s is not None and np.shape(given.inputs) == s.value.shape:
        yield _test("BP2", 0, np.asarray(given.inputs, np.float64), s, 0.0)


def _output(
    output_test: Finding | None, loss_test: Finding | None, depth: int, broken: frozenset[str]
) -> Iterator[Finding]:
    """BP1 and the loss rest on the same a^L, which no gradient shows: where both fail, one wrong a^L explains them.

    Where both have the same factor, it is the cost that has it: the loss is then wrong at the output, with its slope.
    """
    tests = [test for test in (output_test, loss_test) if test is not None]
    failing = [test for test in tests if not test.holds]
    factors = {test.ratio for test in failing}
    common = len(failing) == 2 and len(factors) == 1 and None not in factors
    if "loss" in broken and common:
        yield Finding("loss", depth, holds=False, tells=True, ratio=failing[0].ratio)
    elif "BP0" in broken and tests and len(failing) == len(tests) and not common:
        yield Finding("BP0", depth, holds=False, tells=True)
    else:
        yield from tests
        if any(test.holds for test in tests):
            yield Finding("BP0", depth, holds=True, tells=any(test.holds and test.tells for test in tests))


def _outer_product(layer: _Layer, delta: Rounded, number: int) -> Iterator[Finding]:
    """BP4: dW = delta a^T. Where it holds for delta = db and a = phi(z), it attests BP3 and BP0 as well."""
    a, dw = layer.inputs, layer.weight_gradient
    test = _test("BP4", number, dw.value, outer_product(delta, a), dw.error)
    yield test
    if test.holds and delta is layer.bias_gradient:
        yield Finding("BP3", number, holds=True, tells=test.tells)
    if test.holds and number > 1 and a is layer.expected:
        yield Finding("BP0", number - 1, holds=True, tells=test.tells)


def _delta(layer: _Layer, predicted: Rounded | None, broken: frozenset[str], arithmetic: Arithmetic) -> Rounded | None:
    """The candidate's delta (1, O) by the first reading that does not rest on a broken equation."""
    if "BP3" not in broken and layer.bias_gradient is not None:
        return layer.bias_gradient
    if "BP4" not in broken:
        shown = along(layer.weight_gradient, layer.inputs, arithmetic)
        if shown is not None:
            return shown
    return predicted


def _read(case: Case, given: Answer, broken: frozenset[str], arithmetic: Arithmetic) -> list[_Layer]:
    """The layers from the first to the last, with the activations that the candidate had."""
    layers: list[_Layer] = []
    x = case.x.astype(np.float64)
    follows = Rounded(x, np.zeros_like(x))
    for index, (own, formula) in enumerate(zip(parameters_of(case, arithmetic), case.spec.activations, strict=True)):
        dw, db = own_gradients(case, given, index, arithmetic)
        inputs = follows
        if index > 0 and "BP0" in broken and not broken & {"BP3", "BP4"} and db is not None:
            read = across(dw, db, arithmetic)
            inputs = follows if read is None else read
        z = preactivation(inputs, own, arithmetic)
        outputs, jacobian = activation(z, formula, arithmetic)
        layers.append(_Layer(own, dw, db, inputs, follows, outputs, jacobian))
        follows = outputs
    return layers


def _test(equation: str, layer: int | None, own: Array, expected: Rounded, reading_error: Array | float) -> Finding:
    """Whether `own` is `expected` to rounding. What is not finite on both sides, or has no bound, is no evidence."""
    bound = 2.0 * SLACK * (expected.error + reading_error) + np.zeros_like(own)
    bound = np.where(np.isnan(bound), np.inf, bound)
    same = (own == expected.value) | (np.isnan(own) & np.isnan(expected.value))
    distance = np.where(same, 0.0, np.abs(own - expected.value))
    distance = np.where(np.isnan(distance), np.inf, distance)
    holds = bool((same | (distance <= bound) | np.isinf(bound)).all())
    size = float(np.abs(expected.value[np.isfinite(expected.value)]).max(initial=0.0))
    tells = bool(np.isfinite(bound).all()) and float(bound.max(initial=0.0)) <= EVIDENCE * size
    return Finding(equation, layer, holds, tells, None if holds else _ratio(own, expected.value, bound))


def _ratio(own: Array, expected: Array, bound: Array) -> float | None:
    """The constant own / expected, to half of float64's digits, where all entries that tell have the same: not 1."""
    telling = np.isfinite(own) & np.isfinite(expected) & (np.abs(expected) > bound / EVIDENCE)
    if not telling.any() or not np.isfinite(own).all():
        return None
    ratios = own[telling] / expected[telling]
    ratio = float(np.median(ratios))
    if (np.abs(own - ratio * expected) > (1.0 + abs(ratio)) * bound).any():
        return None
    return None if np.float32(ratio) == 1.0 else float(np.float32(ratio))


def _position(layer: int | None, depth: int) -> str:
    if not layer:
        return ""
    return "output" if layer == depth else "first" if layer == 1 else "hidden"

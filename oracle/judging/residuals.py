"""The local bound: each equation tested on the candidate's own values, one sample at a time.

With one sample, BP3 makes every bias gradient the delta of its layer and BP4 makes every weight gradient the outer
product of that delta with the activations below it: dW = delta a^T. So one-sample gradients show every delta and every
activation that the candidate computed, and each equation can be asked of the candidate's own numbers, with one layer's
rounding and nothing inherited. What that can see does not depend on depth.

    readings    delta^l = db^l, or in a layer without bias dW a / (a a), or the delta that is returned where that is
                known better;   a^{l-1} = delta dW / (delta delta), or where that is less exact phi(W a^{l-2} + b);
                a^0 = x
    BP0         a^l = phi(W^l a^{l-1} + b^l), and the loss at a^L
    BP1         delta^L = dC/da^L phi'(z^L), at the a^L that follows from the candidate's own a^{L-1}
    BP2         delta^l = (delta^{l+1} W^{l+1}) phi'(z^l), from its own delta^{l+1} and a^{l-1}; and dC/dx = delta^1 W^1
    BP3         db^l = dW a / (a a), with the a that follows from two layers below; and a delta that is returned is
                db^l, or dW a / (a a)
    BP4         dW^l = delta a^T has rank one

A reading comes with its error: a gradient that is returned differs from the one that was used by 3u (a scale that is
applied late, and the rounding of the product), which makes 4u for delta and 6u for a together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from backproof.cases.case import Case
from backproof.cases.gradients import ReadOff
from backproof.judging.offered import Offered, coarsest
from backproof.truth.arithmetic import Arithmetic, Array, Rounded, highest, lowest
from backproof.truth.layer_bounds import Jacobian, Parameters, activation, preactivation, upstream
from backproof.truth.objective_bounds import objective, penalty_gradient
from backproof.truth.rounding import SLACK, arithmetic_for, parameters_of

LEGIBLE = 2.0**-4
"""The relative error up to which a reading is one."""


TINY: Final = float(np.finfo(np.float64).tiny)
"""In place of a bound of 0, to divide by."""


@dataclass(frozen=True, slots=True)
class Residual:
    """One equation of one layer on the candidate's own values.

    excess: the largest |residual| / bound; more than 1 is no rounding. power: the bound's largest entry over the
    largest entry of what is tested, kinks left out where it is more than LEGIBLE: an error of that relative size shows.
    bound, size: the two entries, which several samples have in common.
    """

    equation: str
    layer: int | None
    quantity: str
    excess: float
    power: float
    bound: float = np.inf
    size: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether rounding explains the residual."""
        return self.excess <= 1.0

    @property
    def tells(self) -> bool:
        """Whether the test could have failed: a bound as large as the numbers themselves says nothing."""
        return self.power < 1.0


@dataclass(frozen=True, slots=True)
class _Layer:
    """What is known of one layer from the candidate's gradients: its own readings, and what follows from them."""

    parameters: Parameters
    weight_gradient: Rounded  # dW without the penalty, (O, I)
    bias_gradient: Rounded | None  # db without the penalty, (1, O)
    inputs: Rounded  # a^{l-1}, (1, I)
    predicted: Rounded  # a^{l-1} as it follows from two layers below, (1, I); x for the first layer
    z: Rounded
    outputs: Rounded  # phi(z), (1, O)
    jacobian: Jacobian
    delta: Rounded | None  # (1, O); None where neither db nor dW shows it


def residuals(case: Case, given: Offered) -> list[Residual]:
    """Every equation that the candidate's answer to a one-sample case lets be tested, in backward order.

    given: what the candidate returned, in the default layout, with every weight and bias gradient; loss, inputs and
    deltas may be None.  Raises ValueError for a batch.
    """
    if case.spec.batch_size != 1:
        raise ValueError(f"the readings need one sample (got a case of {case.spec.batch_size}): take case.sample(n)")
    sharp = arithmetic_for(case, coarsest(given, case.spec.dtype), forms="textbook", kinks="any")
    smooth = replace(sharp, kinks="none")
    with np.errstate(all="ignore"):
        tests = list(_tests(case, given, sharp))
        found = [_residual(test, test) for test in tests]
        if all(residual.power <= LEGIBLE for residual in found):
            return found  # a kink within reach adds a jump, a good part of the numbers themselves: here was none
        # Without kinks more can be read, so that there may be more tests; what is read only then, is not asked.
        without_kinks = {test.key: test for test in _tests(case, given, smooth)}
        return [_residual(test, without_kinks.get(test.key, test)) for test in tests]


@dataclass(frozen=True, slots=True)
class _Test:
    """A number of the candidate's, what its equation makes of its other numbers, and what rounding may put between."""

    equation: str
    layer: int | None
    quantity: str
    own: Array
    expected: Rounded
    reading_error: Array | None

    @property
    def key(self) -> tuple[str, int | None, str]:
        """What is tested: no two tests of a case share it."""
        return self.equation, self.layer, self.quantity


def _residual(test: _Test, without_kinks: _Test) -> Residual:
    """Numbers that are not finite, on either side, were overflowed or divided by 0: they are evidence of nothing."""
    bound = _allowed(test)
    tight = bound if without_kinks is test else _allowed(without_kinks)
    distance = np.abs(test.own - test.expected.value)
    largest, worst = highest(tight), 0.0
    bounded = largest < np.inf and (tight is bound or highest(bound) < np.inf)
    if bounded and lowest(bound - distance) >= 0.0:
        size = highest(test.expected.size)
    else:
        known = np.isfinite(distance) & np.isfinite(bound)
        excess = np.where(known & (distance > bound), distance / np.maximum(bound, TINY), 0.0)
        size = float(np.abs(test.expected.value[known]).max(initial=0.0))
        largest, worst = largest if known.all() else np.inf, float(excess.max(initial=0.0))
    power = 0.0 if largest == 0.0 else largest / size if size > 0.0 and largest < np.inf else np.inf
    return Residual(test.equation, test.layer, test.quantity, worst, power, bound=largest, size=size)


def _allowed(test: _Test) -> Array:
    # Both sides were computed: the candidate's in its dtype, and what stands against it here in float64.
    error = test.expected.error
    return 2.0 * SLACK * (error if test.reading_error is None else error + test.reading_error)


def _tests(case: Case, given: Offered, arithmetic: Arithmetic) -> Iterator[_Test]:
    layers = _read(case, given, arithmetic)
    depth = len(layers)
    loss, gradient = objective(case, layers[-1].outputs, arithmetic)
    # What comes in another shape is the comparison's to tell, and evidence of nothing here.
    if given.loss is not None and np.shape(given.loss) == loss.value.shape:
        yield _Test("BP0", None, "loss", np.asarray(given.loss, dtype=np.float64), loss, None)
    s: Rounded | None = gradient
    for number in range(depth, 0, -1):
        layer = layers[number - 1]
        delta = None if s is None else layer.jacobian.pull_back(s)
        returned = _returned(given, number, layer, arithmetic)
        read = layer.delta if layer.bias_gradient is not None else _sharper(layer.delta, returned)
        if read is not None and delta is not None:
            equation = "BP1" if number == depth else "BP2"
            yield _Test(equation, number, "delta", read.value, delta, read.error)
        known = read if read is not None else delta
        if known is not None:
            yield from _outer_products(layer, known, number, arithmetic)
        if number > 1 and layer.inputs is not layer.predicted:
            own = layer.inputs
            yield _Test("BP0", number - 1, "activation", own.value, layer.predicted, own.error)
        s = None if known is None else upstream(known, layer.parameters, arithmetic)
        used = layer.delta if layer.delta is not None else delta
        if returned is not None and used is not None:
            yield _Test("BP3", number, "delta", returned.value, used, returned.error)
    if given.inputs is not None and s is not None and np.shape(given.inputs) == s.value.shape:
        yield _Test("BP2", None, "input", np.asarray(given.inputs, dtype=np.float64), s, None)


def _returned(given: Offered, number: int, layer: _Layer, arithmetic: Arithmetic) -> Rounded | None:
    """The delta that was returned as such, with the 4u of a delta that is read; None where none was, in its shape."""
    delta = None if given.deltas is None else given.deltas[number - 1]
    if delta is None or np.shape(delta) != layer.z.value.shape:
        return None
    value = np.asarray(delta, dtype=np.float64)
    return Rounded(value, 4.0 * arithmetic.unit * np.abs(value) + arithmetic.smallest)


def _sharper(read: Rounded | None, returned: Rounded | None) -> Rounded | None:
    """What is better known of the two, by its largest error."""
    if read is None or returned is None:
        return read if returned is None else returned
    return returned if highest(returned.error) < highest(read.error) else read


def _outer_products(layer: _Layer, delta: Rounded, number: int, arithmetic: Arithmetic) -> Iterator[_Test]:
    """BP4: dW has rank one along delta and a. BP3: db is the delta that dW shows along the a from two layers below."""
    a, dw, db = layer.inputs, layer.weight_gradient, layer.bias_gradient
    yield _Test("BP4", number, "weight", dw.value, outer_product(delta, a), dw.error)
    if db is not None:
        shown = along(dw, layer.predicted, arithmetic)
        if shown is not None:
            yield _Test("BP3", number, "bias", db.value, shown, db.error)


def _read(case: Case, given: Offered, arithmetic: Arithmetic) -> list[_Layer]:
    """The readings, from the first layer to the last."""
    layers: list[_Layer] = []
    x = case.x.astype(np.float64)
    follows = Rounded(x, np.zeros_like(x))
    for index, (own, formula) in enumerate(zip(parameters_of(case, arithmetic), case.spec.activations, strict=True)):
        dw, db = own_gradients(case, given, index, arithmetic)
        inputs = follows
        if index > 0 and db is not None:
            inputs = _more_exact(across(dw, db, arithmetic), follows)
        z = preactivation(inputs, own, arithmetic)
        outputs, jacobian = activation(z, formula, arithmetic)
        delta = db if db is not None else along(dw, inputs, arithmetic)
        layers.append(_Layer(own, dw, db, inputs, follows, z, outputs, jacobian, delta))
        follows = outputs
    return layers


def own_gradients(case: Case, given: Offered, index: int, arithmetic: Arithmetic) -> tuple[Rounded, Rounded | None]:
    """A layer's dW (O, I) and db (1, O), or None, as a candidate gave them, without the penalty's part."""
    dw = _without_penalty(case, np.asarray(given.weights[index]), case.weights[index], arithmetic, is_bias=False)
    dw = _with_reading_off(dw, given, "weight", index + 1)
    bias = case.biases[index]
    if bias is None:
        return dw, None
    db = _without_penalty(case, np.asarray(given.biases[index]), bias, arithmetic, is_bias=True)
    db = _with_reading_off(db, given, "bias", index + 1)
    return dw, Rounded(db.value[None, :], db.error[None, :])


def _without_penalty(
    case: Case, gradient: Array, parameter: Array, arithmetic: Arithmetic, *, is_bias: bool
) -> Rounded:
    """The gradient less the penalty's part, which no sample has a share in; 3u, and what the subtraction uncovers."""
    value = gradient.astype(np.float64)
    penalised = penalty_gradient(case, parameter, arithmetic, is_bias=is_bias)
    rounding = 0.0 if penalised is None else penalised.error + arithmetic.unit * np.abs(value)
    if penalised is not None:
        value = value - penalised.value
    # A product that underflowed shows as 0, so that every entry may hide eta.
    error = 3.0 * arithmetic.unit * np.abs(value) + arithmetic.smallest
    return Rounded(value, error + rounding)


def _with_reading_off(gradient: Rounded, given: Offered, quantity: str, layer: int) -> Rounded:
    """A gradient that was read off a training step has the rounding of that besides."""
    read_off: ReadOff | None = (getattr(given, "read_off", None) or {}).get((quantity, layer))
    return gradient if read_off is None else Rounded(gradient.value, gradient.error + read_off.error)


def across(dw: Rounded, delta: Rounded, arithmetic: Arithmetic) -> Rounded | None:
    """a = delta dW / (delta delta): what dW shows of the activations below, (1, I); None where delta is 0.

    e_a = (|delta| e_dW + e_delta |delta| |a| + e_delta |dW|) / (delta delta), the last two being the errors of the
    divisor and of the factor; gamma_{O+2} for the sums, which all have one sign. These are first-order terms; the
    others are smaller by the relative error of delta, hence by LEGIBLE, beyond which nothing is read.
    """
    largest = highest(delta.size)
    if not TINY < largest < np.inf:
        return None
    # Scaled to 1, so that neither the squares nor the products of tiny numbers underflow here.
    own, own_error, shown = (
        delta.value / largest,
        delta.error / largest,
        Rounded(dw.value / largest, dw.error / largest),
    )
    square, size = float(own[0].dot(own[0])), np.abs(own)
    relative = 2.0 * float(size[0].dot(own_error[0])) / square
    if not relative < LEGIBLE:
        return None
    value = own.dot(shown.value) / square
    error = (size.dot(shown.error) + own_error.dot(shown.size)) / square
    error = (error + np.abs(value) * relative) * (1.0 + 4.0 * LEGIBLE)
    error += _sum_error(size.dot(shown.size) / square, size.shape[1])
    return Rounded(value, error + arithmetic.smallest / largest)


def along(dw: Rounded, a: Rounded, arithmetic: Arithmetic) -> Rounded | None:
    """delta = dW a / (a a): what dW shows of the delta, (1, O); None where a is 0. Errors as in `across`."""
    turned = Rounded(dw.value.T, dw.error.T)
    return across(turned, a, arithmetic)


def outer_product(delta: Rounded, a: Rounded) -> Rounded:
    """BP4, dW = delta^T a of one sample, (O, I):  e_dW = e_delta^T (|a| + e_a) + (|delta| + 2 e_delta)^T e_a.

    The errors of the readings alone: the rounding of the product is that of the dW that is held against it.
    """
    error = delta.error.T.dot(a.magnitude) + (delta.magnitude + delta.error).T.dot(a.error)
    return Rounded(delta.value.T.dot(a.value), error)


def _sum_error(terms: Array, count: int) -> Array:
    """The rounding of the readings' own float64 sums: gamma_{k+2} of the terms."""
    return Arithmetic.of("float64").gamma(count + 2) * terms


def _more_exact(read: Rounded | None, follows: Rounded) -> Rounded:
    """The reading, or what follows from two layers below where dW shows nothing of a, or less."""
    if read is None:
        return follows
    better = read.error <= np.maximum(follows.error, np.abs(follows.value) * 2.0**-20)
    return Rounded(np.where(better, read.value, follows.value), np.where(better, read.error, follows.error))
